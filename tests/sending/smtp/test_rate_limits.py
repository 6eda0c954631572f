"""Limits, pauses and addresses of servers, by a clock that only the test moves."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.sending.smtp.rate_limits import Rates
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.url import InvalidSmtpUrl, SmtpAddress


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    total=st.sampled_from([0, 0.5, 3, 10]),
    domain=st.sampled_from([0, 0.5, 2, 7]),
    wanted=st.lists(st.sampled_from(["a.example", "b.example", "c.example"]), min_size=1, max_size=60),
)
def test_no_more_mails_go_than_the_limits_say(total: float, domain: float, wanted: list[str]) -> None:
    """In any stretch of time: its seconds by the rate, and the second's worth that may go at once."""
    clock = Clock()
    rates = Rates(total, domain, clock)
    gone: list[tuple[float, str]] = []
    for name in wanted:
        for _ in range(100):
            wait = rates.take(name)
            if not wait:
                break
            # A wait may be smaller than what this clock can tell apart.
            clock.now += max(wait, 1e-6)
        else:
            raise AssertionError("the wait does not end")
        gone.append((clock.now, name))
    for first, (start, _) in enumerate(gone):
        for last in range(first, len(gone)):
            span, some = gone[last][0] - start, gone[first : last + 1]
            if total:
                assert len(some) <= max(1, total) + span * total + 1e-6
            if domain:
                assert max(Counter(name for _, name in some).values()) <= max(1, domain) + span * domain + 1e-6


def test_a_slow_domain_holds_up_no_other() -> None:
    clock = Clock()
    rates = Rates(0, 1, clock)
    assert rates.take("slow.example") == 0
    assert rates.take("slow.example") == pytest.approx(1)
    assert [rates.take(f"d{number}.example") for number in range(5)] == [0] * 5
    clock.now += 1
    assert rates.take("slow.example") == 0


def test_a_refused_mail_costs_nothing_of_the_total() -> None:
    clock = Clock()
    rates = Rates(2, 1, clock)
    assert rates.take("a.example") == 0
    assert [rates.take("a.example") > 0 for _ in range(10)] == [True] * 10
    assert rates.take("b.example") == 0
    assert rates.take("c.example") > 0
    assert rates.total_wait() > 0


def test_domains_that_nothing_goes_to_are_forgotten() -> None:
    clock = Clock()
    rates = Rates(0, 5, clock)
    rates.MOST_DOMAINS = 10
    for number in range(100):
        clock.now += 10
        assert rates.take(f"d{number}.example") == 0
    assert len(rates._domains) <= 11


def test_a_recipient_is_tried_again_after_longer_and_longer_pauses_and_given_up() -> None:
    retries = Retries(first=timedelta(minutes=1), longest=timedelta(minutes=10), limit=timedelta(hours=1))
    waits: list[int] = []
    while (wait := retries.delay(len(waits) + 1)) is not None:
        waits.append(int(wait.total_seconds() / 60))
    assert waits == [1, 2, 4, 8, 10, 10, 10, 10, 10]
    assert Retries(limit=timedelta(0)).delay(1) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        # url, (host, port, tls, starttls, verify)
        ("smtp://mail.example.com", ("mail.example.com", 25, False, "auto", False)),
        ("smtps://mail.example.com", ("mail.example.com", 465, True, "auto", True)),
        ("smtps://mail.example.com:99?verify=no", ("mail.example.com", 99, True, "auto", False)),
        # A password leaves this machine over a verified connection only.
        ("smtp://u:p@mail.example.com:587", ("mail.example.com", 587, False, "require", True)),
        ("smtp://u:p@127.0.0.1:25", ("127.0.0.1", 25, False, "auto", False)),
        ("smtp://u:p@[::1]", ("::1", 25, False, "auto", False)),
        ("smtp://u:p@localhost", ("localhost", 25, False, "auto", False)),
        ("smtp://u:p@mail.example.com?starttls=never", ("mail.example.com", 25, False, "never", False)),
        ("smtp://mail.example.com?starttls=require", ("mail.example.com", 25, False, "require", True)),
    ],
)
def test_urls_of_servers(url: str, expected: tuple[object, ...]) -> None:
    found = SmtpAddress.of(url)
    assert (found.host, found.port, found.tls, found.starttls, found.verify) == expected


def test_a_password_may_hold_anything_and_is_never_shown() -> None:
    found = SmtpAddress.of("smtp://us%40er:p%3Aa%2Fss@mail.example.com")
    assert (found.user, found.password) == ("us@er", "p:a/ss")
    assert found.shown == "mail.example.com:25"
    for url in (
        "http://u:secret@x",
        "smtp://",
        "smtp://u:secret@x:99999",
        "smtp://u:sec/ret@x:25",
        "smtp://u:1/secret@x:25",
        "smtp://u:1?secret@x:25",
        "smtp://u:1#secret@x:25",
        "smtp://u:secret@x:25/path",
        "smtp://u:secret@x?startls=never",
        "smtp://u:secret@x?verify=perhaps",
        "smtp://u:secret@x?starttls=perhaps",
        "secret",
    ):
        with pytest.raises(InvalidSmtpUrl) as refused:
            SmtpAddress.of(url)
        assert "secret" not in str(refused.value)
