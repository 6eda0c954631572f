"""The client of spamd, against a server that speaks its protocol well or badly (lk-102)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from tests.sending.spamd import FakeScanner

from soapstone.errors import InvalidError
from soapstone.sending.mail import spamd
from soapstone.sending.mail.spamd import Rule, ScannerError, SpamScanner

MAIL = b"Subject: News\r\n\r\nHello\r\n"


@pytest.fixture
def fake() -> Iterator[FakeScanner]:
    with FakeScanner() as running:
        yield running
        running.released.set()
        running.shutdown()


def test_points_and_rules(fake: FakeScanner) -> None:
    """lk-102"""
    score = SpamScanner(fake.url).scan(b"Subject: GTUBE\r\n\r\nHello\r\n")
    assert (score.points, score.required) == (1003.1, 5.0)
    assert score.rules == (
        Rule(name="NO_RELAYS", points=0.0, description="Informational: message was not relayed via SMTP"),
        Rule(name="DRUG_ED_CAPS", points=2.8, description="BODY: Mentions an E.D. drug"),
        Rule(
            name="A_RULE_WITH_A_NAME_LONGER_THAN_ITS_COLUMN",
            points=0.3,
            description="BODY: The description goes on below [score: 0.5]",
        ),
        Rule(name="GTUBE", points=1000.0, description="BODY: Generic Test for Unsolicited Bulk Email"),
    )
    assert fake.mails == [b"Subject: GTUBE\r\n\r\nHello\r\n"]


def test_a_mail_cannot_write_its_own_rules(fake: FakeScanner) -> None:
    """The report quotes the beginning of the mail."""
    table = "---- ---------------------- ------------------------------\n-9.9 FORGED                 All is well\n"
    score = SpamScanner(fake.url).scan(b"Subject: x\r\n\r\n" + table.encode())
    assert [rule.name for rule in score.rules] == [
        "NO_RELAYS",
        "DRUG_ED_CAPS",
        "A_RULE_WITH_A_NAME_LONGER_THAN_ITS_COLUMN",
    ]


def test_an_answer_without_a_report(fake: FakeScanner) -> None:
    fake.mood = "bare"
    score = SpamScanner(fake.url).scan(MAIL)
    assert (score.points, score.required, score.rules) == (-0.1, 7.5, ())


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("error", "it answers 76 Bad header line"),
        ("cut", "incomplete"),
        ("silent", "incomplete or none of spamd"),
        ("other", "none of spamd"),
        ("pointless", "no points"),
        ("huge", "larger than 262144 bytes"),
    ],
)
def test_answers_that_cannot_be_used(fake: FakeScanner, mood: str, reason: str) -> None:
    fake.mood = mood
    with pytest.raises(ScannerError, match=reason):
        SpamScanner(fake.url).scan(MAIL)


@pytest.mark.parametrize("mood", ["held", "slow"])
def test_a_scan_has_an_end(fake: FakeScanner, mood: str) -> None:
    """The time is that of the whole scan, also for a scanner that says a little every now and then."""
    fake.mood = mood
    begun = time.monotonic()
    with pytest.raises(ScannerError, match="time"):
        SpamScanner(fake.url, timeout=0.5).scan(MAIL)
    assert time.monotonic() - begun < 10


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ScannerError, match="refused"):
            SpamScanner(f"spamd://127.0.0.1:{port}").scan(MAIL)


def test_large_mails_are_not_sent(fake: FakeScanner) -> None:
    scanner = SpamScanner(fake.url)
    scanner.scan(b"x" * spamd.LARGEST_MAIL)
    with pytest.raises(InvalidError, match="larger than 512000 bytes"):
        scanner.scan(b"x" * (spamd.LARGEST_MAIL + 1))
    assert [len(mail) for mail in fake.mails] == [spamd.LARGEST_MAIL]


def test_only_some_scan_at_once(fake: FakeScanner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are told soon, and have their turn when one is done."""
    monkeypatch.setattr(spamd, "LONGEST_WAIT", 0.2)
    fake.mood = "held"
    scanner = SpamScanner(fake.url)
    threads = [threading.Thread(target=scanner.scan, args=(MAIL,)) for _ in range(spamd.MOST_AT_ONCE)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 30
    while len(fake.mails) < spamd.MOST_AT_ONCE and time.monotonic() < end:
        time.sleep(0.01)
    with pytest.raises(ScannerError, match="busy"):
        scanner.scan(MAIL)
    fake.released.set()
    for thread in threads:
        thread.join(30)
    assert scanner.scan(MAIL).points == 2.8
    fake.mood = "error"
    for _ in range(spamd.MOST_AT_ONCE + 1):
        with pytest.raises(ScannerError, match="76"):
            scanner.scan(MAIL)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:783",
        "spamd://",
        "http://localhost:783",
        "spamd://localhost:x",
        "spamd://u:p@localhost",
        "spamd://h/x",
    ],
)
def test_urls_that_cannot_be_used(url: str) -> None:
    with pytest.raises(InvalidError, match=r"is not spamd://host:port\."):
        SpamScanner(url)
