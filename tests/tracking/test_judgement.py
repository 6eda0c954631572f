"""People and programs, by agent, address and haste."""

from __future__ import annotations

from typing import Any

import pytest

from soapstone.tracking.judgement import FORGET, FRESH, REPEAT, ROOM, SECOND, WAIT, Judgement
from soapstone.tracking.machines import is_image_proxy, is_machine_address, is_machine_agent, may_read, network_of
from soapstone.tracking.spool import SpoolRecord
from soapstone.vocabulary.tracking import MailEventKind as Kind

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
# As mail programs really send them (lk-107).
READERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Thunderbird/153.8.0",
    "Fancy Viewer",
    "Evolution/3.46.4",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Microsoft Outlook 16.0.5)",
    "Mozilla/4.0 (compatible; ms-office; MSOffice rmj)",
    FIREFOX,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)
HANDED = 1_000_000 * SECOND
LATER = HANDED + 3600 * SECOND


def record(kind: Kind, at: int = LATER, *, agent: str = FIREFOX, **parts: Any) -> SpoolRecord:
    given = SpoolRecord(at, kind, 7, 1, 1 if kind is Kind.CLICK else 0, b"198.51.100.7", agent.encode())
    return given._replace(**parts)


def judged(*records: SpoolRecord, seconds: float = 5, handed: int | None = HANDED) -> list[Kind | None]:
    judgement = Judgement(seconds)
    for each in records:
        judgement.see(each)
    return [judgement.judge(each, handed) for each in records]


@pytest.mark.parametrize("agent", READERS)
def test_readers_are_people(agent: str) -> None:
    assert not is_machine_agent(agent)
    assert may_read(agent)
    assert judged(record(Kind.OPEN, agent=agent), record(Kind.READ, agent=agent)) == [Kind.OPEN, Kind.READ]


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "curl/8.5.0",
        "python-requests/2.32.0",
        "Go-http-client/1.1",
        "Microsoft Office Existence Discovery",
        "Mozilla/5.0 (X11) AppleWebKit/537.36 HeadlessChrome/156.0.0.0 Safari/537.36",
        "BarracudaCentral link checker",
    ],
)
def test_programs_are_known_by_their_agent(agent: str) -> None:
    assert judged(record(Kind.OPEN, agent=agent), record(Kind.CLICK, agent=agent), record(Kind.READ, agent=agent)) == [
        Kind.MACHINE_OPEN,
        Kind.MACHINE_CLICK,
        None,
    ]
    assert not may_read(agent)


def test_no_agent() -> None:
    """lk-107: an image without agent is an open and no read; a link is opened by a browser, which has one."""
    assert judged(record(Kind.OPEN, agent=""), record(Kind.CLICK, agent="")) == [Kind.OPEN, Kind.MACHINE_CLICK]
    assert not may_read("")


@pytest.mark.parametrize("agent", [GMAIL, YAHOO, "Mozilla/5.0"])
def test_image_proxies_open_and_never_read(agent: str) -> None:
    assert is_image_proxy(agent)
    assert judged(record(Kind.OPEN, agent=agent)) == [Kind.OPEN]
    assert not may_read(agent)


def test_networks_of_scanners() -> None:
    assert is_machine_address("209.222.87.255")
    assert not is_machine_address("209.222.88.0")
    assert not is_machine_address("no address")
    scanner = b"209.222.80.1"
    assert judged(record(Kind.CLICK, address=scanner), record(Kind.OPEN, address=scanner)) == [
        Kind.MACHINE_CLICK,
        Kind.MACHINE_OPEN,
    ]


def test_networks() -> None:
    assert network_of("198.51.100.7") == network_of("198.51.100.250") != network_of("198.51.101.7")
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:ffff::") != network_of("2001:db8:2::")
    assert network_of("") == ""


@pytest.mark.parametrize(("after", "kind"), [(-1, Kind.MACHINE_CLICK), (4.999, Kind.MACHINE_CLICK), (5, Kind.CLICK)])
def test_a_click_right_after_the_mail(after: float, kind: Kind) -> None:
    click = record(Kind.CLICK, HANDED + int(after * SECOND))
    assert judged(click) == [kind]
    # Unless no time is to be looked at; nor is there one when the mail is not known as sent.
    assert judged(click, seconds=0) == [Kind.CLICK]
    assert judged(click, handed=None) == [Kind.CLICK]
    # Images are loaded by whoever has the mail.
    assert judged(record(Kind.OPEN, HANDED)) == [Kind.OPEN]


def clicks(*times: tuple[float, int]) -> list[SpoolRecord]:
    return [record(Kind.CLICK, LATER + int(at * SECOND), position=position) for at, position in times]


def test_three_links_within_three_seconds() -> None:
    machine = [Kind.MACHINE_CLICK] * 3
    assert judged(*clicks((0, 1), (1, 2), (3, 3))) == machine
    assert judged(*clicks((0, 1), (1, 2), (3.1, 3))) == [Kind.CLICK] * 3
    # Two links, however often, are a person's.
    assert judged(*clicks((0, 1), (1, 2), (2, 1), (3, 2))) == [Kind.CLICK] * 4
    assert judged(*clicks((0, 1), (4, 2), (5, 3), (6, 4))) == [Kind.CLICK, *machine]


def test_haste_is_that_of_one_mail_and_one_network() -> None:
    one, two, three = clicks((0, 1), (0, 2), (0, 3))
    neighbour = three._replace(address=b"198.51.100.99")
    assert judged(one, two, neighbour) == [Kind.MACHINE_CLICK] * 3
    assert judged(one, two, three._replace(address=b"198.51.101.7")) == [Kind.CLICK] * 3
    assert judged(one, two, three._replace(delivery_id=2)) == [Kind.CLICK] * 3
    assert judged(one, two, three, seconds=0) == [Kind.CLICK] * 3
    # Behind a mail without a person are many.
    assert judged(*(each._replace(delivery_id=0) for each in (one, two, three))) == [Kind.CLICK] * 3


def test_a_flood_of_clicks() -> None:
    """It costs no more than its length, and is a program's."""
    assert set(judged(*clicks(*((number / 1000, 1) for number in range(5000))))[61:]) == {Kind.MACHINE_CLICK}


def test_images_of_one_look() -> None:
    """mm-109: one client that loads an image again within ten seconds has looked once."""
    first = record(Kind.OPEN)
    again = [first._replace(at=first.at + after) for after in (0, REPEAT - 1, REPEAT, REPEAT + 1)]
    assert judged(*again) == [Kind.OPEN, None, Kind.OPEN, None]
    others = [
        first._replace(agent=b"Evolution/3.46.4"),
        first._replace(address=b"198.51.100.8"),
        first._replace(delivery_id=2),
        first._replace(kind=Kind.READ),
    ]
    assert judged(first, *others) == [Kind.OPEN] * 4 + [Kind.READ]
    # Two clicks are two clicks.
    assert judged(record(Kind.CLICK), record(Kind.CLICK)) == [Kind.CLICK] * 2


def test_what_waits() -> None:
    judgement = Judgement(5)
    fresh = record(Kind.CLICK, HANDED + 60 * SECOND)
    for click, handed, now, waits in (
        (fresh, HANDED, fresh.at, True),
        (fresh, HANDED, fresh.at + WAIT - 1, True),
        (fresh, HANDED, fresh.at + WAIT, False),
        # A clock that was set back.
        (fresh, HANDED, fresh.at - 1, False),
        (fresh, None, fresh.at, True),
        (record(Kind.CLICK, HANDED + FRESH), HANDED, HANDED + FRESH, False),
        (fresh._replace(delivery_id=0), None, fresh.at, False),
        (record(Kind.OPEN, fresh.at), HANDED, fresh.at, False),
    ):
        assert judgement.must_wait(click, handed, now) is waits
        assert not Judgement(0).must_wait(click, handed, now)


def test_what_is_old_is_forgotten() -> None:
    judgement = Judgement(5)
    for number in range(100):
        for each in (record(Kind.OPEN, delivery_id=number + 1), record(Kind.CLICK, delivery_id=number + 1)):
            judgement.see(each)
            judgement.judge(each, HANDED)
    judgement.forget(LATER + REPEAT)
    assert not judgement._images
    assert not judgement._clicks


def test_what_it_remembers_is_bounded() -> None:
    """It forgets when much has come together, or after a minute: looking through all at each time would take long."""
    judgement = Judgement(5)
    most = 0
    for number in range(30_000):
        at = LATER + number * SECOND // 1000
        judgement.judge(record(Kind.OPEN, at, delivery_id=number + 1), HANDED)
        if number % 1000 == 0:
            judgement.forget(at)
            most = max(most, len(judgement._images))
    # A thousand a second, of which those of ten seconds count.
    assert 10_000 <= most <= 2 * 10_000 + ROOM + 1000
    judgement.forget(at + FORGET)
    assert not judgement._images
