"""Reports of messages through a stock client: page borders, ranges, both twins, and what is unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.listrak.mailings import Mailing, Mailings

from soapstone import clock
from soapstone.contacts.changes import Cause, Changes
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import Act, AnonymousAct, FinalResult, record_acts, record_bounces, record_results
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.tracking import MailEventKind

SERVED_ON = ("sqlite", "postgresql")
EASTERN = ZoneInfo("America/New_York")
PAGE = 2_500
TWINS = ("Open", "Read", "Click", "Bounces", "Passalong", "Removal")
NS = "http://webservices.listrak.com/v31/"


@pytest.fixture
def mailings(served: Any) -> Mailings:
    """Records of an account of its own: dates of events ascend within an account."""
    accounts = served.product.accounts
    account = accounts.create(uuid4().hex, time_zone="America/New_York")
    accounts.add_login(account, account.name, "secret")
    return Mailings(served.product, account)


@pytest.fixture
def client(listrak: Any, mailings: Mailings) -> Any:
    """The stock client with the login of that account."""
    return as_login(listrak, mailings.account.name)


def as_login(listrak: Any, name: str) -> Any:
    """The same client with another login."""
    other = object.__new__(type(listrak))
    vars(other).update(vars(listrak), login=name, password="secret")
    return other


def plain(listrak: Any, operation: str, **members: Any) -> list[Any]:
    """Rows of a report without a failure."""
    answer = getattr(listrak, operation)(**members, WSException=None)
    assert answer is None or answer["WSException"] is None, answer
    return [] if answer is None else content(answer[f"{operation}Result"])


def failure(listrak: Any, operation: str, **members: Any) -> str:
    """What a refused report says."""
    answer = getattr(listrak, operation)(**members, WSException=None)
    assert answer[f"{operation}Result"] is None
    assert answer["WSException"]["SoapMethod"] == operation
    return str(answer["WSException"]["Description"])


def content(rows: Any) -> list[Any]:
    """The rows of an array, which may be absent."""
    if isinstance(rows, dict):
        (rows,) = rows.values()
    return list(rows or [])


def within(listrak: Any, operation: str, message: int, start: Any = None, end: Any = None, page: int = 1) -> list[Any]:
    """Rows of a Range twin; a missing end is year 1, which is open (lk-25)."""
    ends = {"StartDate": start or datetime(1, 1, 1), "EndDate": end or datetime(1, 1, 1)}
    return content(getattr(listrak, operation)(MsgID=message, **ends, Page=page))


def emails(rows: list[Any]) -> list[str]:
    return [row["EmailAddress"] for row in rows]


def act(mailings: Mailings, at: datetime | None, *acts: tuple[str, int, int | None]) -> datetime:
    """Record acts of deliveries at a time: kind, delivery, link; the date of their events."""
    given = [Act(kind=MailEventKind(kind), delivery_id=number, link_id=link) for kind, number, link in acts]
    with clock.clock(lambda: at or datetime.now(UTC)), mailings.database.write() as connection:
        return record_acts(connection, given)


def leave(mailings: Mailings, mailing: Mailing, list_id: int, *places: int) -> None:
    with Changes(mailings.database).begin(mailings.account, by="Unsubscribe Link") as change:
        for place in places:
            contact_id = mailing.people[place].contact_id
            assert contact_id is not None
            change.move(list_id, contact_id, MembershipState.UNSUBSCRIBED, cause=Cause(message_id=mailing.message))


def text(moment: datetime) -> str:
    return moment.astimezone(EASTERN).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture
def raw(served: Any, mailings: Mailings) -> Iterator[Callable[[str, str], str]]:
    with httpx.Client(timeout=30) as client:

        def post(operation: str, members: str) -> str:
            user = f"<UserName>{mailings.account.name}</UserName><Password>secret</Password>"
            header = f'<WSUser xmlns="{NS}">{user}</WSUser>'
            body = (
                '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
                f'<s:Header>{header}</s:Header><s:Body><{operation} xmlns="{NS}">{members}</{operation}>'
                "</s:Body></s:Envelope>"
            )
            answer = client.post(
                f"{served.base}/v31/IntegrationService.asmx", content=body, headers={"Content-Type": "text/xml"}
            )
            assert answer.status_code == 200, answer.text
            return answer.text

        yield post


Raw = Callable[[str, str], str]


def addresses(answer: str) -> list[str]:
    """The addresses of the rows of an answer, in their order."""
    return re.findall("<EmailAddress>(.*?)</EmailAddress>", answer)


def test_lk_31_pages_of_2500(raw: Raw, mailings: Mailings) -> None:
    """lk-30, lk-31: 2,499, 2,500 and 2,501 rows; a page below 1 is the first one, those past the end are empty."""
    list_id = mailings.new_list()
    people = mailings.people(list_id, PAGE + 1)
    mailing = mailings.send(list_id, people[: PAGE - 1], at=datetime.now(UTC))
    link, _ = mailings.link(mailing.message, 1)
    act(mailings, None, *(("click", number, link) for number in mailing.deliveries))
    bounce = of_reply("550 5.1.1 no such user")
    with mailings.database.write() as connection:
        record_bounces(connection, dict.fromkeys(mailing.deliveries, bounce))
    mailings.all_leave(mailing, list_id)
    kinds = ("Sent", "Open", "Read", "Click", "Bounces", "Activity", "Removal")
    reports = [f"ReportMessageContact{kind}" for kind in kinds]
    reports += [f"ReportRangeMessageContact{kind}" for kind in ("Open", "Read", "Click", "Bounces", "Removal")]
    reports.append("ReportContactLinkClick")

    def read(operation: str, page: int) -> list[str]:
        about = f"<LinkID>{link}</LinkID>" if "Link" in operation else f"<MsgID>{mailing.message}</MsgID>"
        return addresses(raw(operation, f"{about}<Page>{page}</Page>"))

    sent = list(people[: PAGE - 1])
    for place in (PAGE - 1, PAGE, PAGE + 1):
        if place >= PAGE:
            more = mailings.send(list_id, people[place - 1 : place], at=datetime.now(UTC), message=mailing.message)
            act(mailings, None, ("click", more.deliveries[0], link))
            with mailings.database.write() as connection:
                record_bounces(connection, {more.deliveries[0]: bounce})
            mailings.all_leave(more, list_id)
            sent.append(people[place - 1])
        expected = [each.email for each in sent]
        for operation in reports:
            assert read(operation, 1) == expected[:PAGE], (operation, place)
            assert read(operation, 2) == expected[PAGE:], (operation, place)
    assert read("ReportMessageContactClick", 3) == read("ReportMessageContactClick", 2**31 - 1) == []
    assert read("ReportRangeMessageContactOpen", 0) == read("ReportMessageContactRemoval", -7) == expected[:PAGE]


def test_lk_31_pages_of_links_and_of_messages(client: Any, mailings: Mailings) -> None:
    list_id = mailings.new_list()
    (person,) = mailings.people(list_id, 1)
    mailing = mailings.send(list_id, [person], at=datetime.now(UTC))
    for position in range(1, 4):
        mailings.link(mailing.message, position)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("soapstone.listrak.call.PAGE_ROWS", 2)
        patch.setattr("soapstone.listrak.link_reports.PAGE_ROWS", 2)
        patch.setattr("soapstone.listrak.list_message_reports.PAGE_ROWS", 2)
        further = [mailings.send(list_id, [person], at=datetime.now(UTC)).message for _ in range(2)]
        pages = [plain(client, "ReportMessageLinkClick", MsgID=mailing.message, Page=page) for page in (0, 1, 2, 3)]
        assert [len(page) for page in pages] == [2, 2, 1, 0]
        asked = {"ListID": list_id, "EmailAddress": person.email.upper()}
        pages = [plain(client, "ReportContactMessageActivity", **asked, Page=page) for page in (0, 1, 2, 3)]
        assert [len(page) for page in pages] == [2, 2, 1, 0]
        assert [row["MsgID"] for row in pages[1] + pages[2]] == [mailing.message, *further]


def test_lk_25_windows_that_touch(client: Any, mailings: Mailings) -> None:
    """lk-21 to lk-25: with `Z` and microseconds each row is in one window; an end belongs to the next one."""
    list_id = mailings.new_list()
    mailing = mailings.send(list_id, mailings.people(list_id, 5), at=LATER)
    link, url = mailings.link(mailing.message, 1, description="Shop")
    dates = [
        act(mailings, LATER + timedelta(seconds=place, microseconds=place * 7), ("click", number, link))
        for place, number in enumerate(mailing.deliveries)
    ]
    assert len(set(dates)) == 5
    tick = timedelta(microseconds=1)
    for name in ("Click", "Open", "Read"):
        operation = f"ReportRangeMessageContact{name}"
        whole = within(client, operation, mailing.message)
        assert whole == plain(client, f"ReportMessageContact{name}", MsgID=mailing.message, Page=1)
        assert [row[f"{name}Date"] for row in whole] == [text(date) for date in dates]
        seams = [None, dates[0], dates[1], dates[1] + tick, dates[3], dates[4], dates[4] + tick, None]
        windows = [within(client, operation, mailing.message, start, end) for start, end in pairwise(seams)]
        assert [len(window) for window in windows] == [0, 1, 1, 1, 1, 1, 0]
        assert [row for window in windows for row in window] == whole
        assert within(client, operation, mailing.message, dates[3], dates[2]) == []
    row = within(client, "ReportRangeMessageContactClick", mailing.message)[0]
    person = mailing.people[0]
    assert row == {
        "ContactID": str(person.number),
        "EmailAddress": person.email,
        "LinkDescription": "Shop",
        "LinkUrl": url,
        "ClickDate": text(dates[0]),
    }


LATER = datetime(2025, 5, 5, 12, tzinfo=UTC)


def test_lk_23_ranges_at_both_clock_changes(client: Any, mailings: Mailings) -> None:
    """lk-23, lk-25: an ambiguous start is the earlier instant, an ambiguous end the later; a missing time moves on."""
    list_id = mailings.new_list()
    mailing = mailings.send(list_id, mailings.people(list_id, 5), at=LATER)
    half = timedelta(milliseconds=500)
    moments = [
        datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC),  # 01:59:59, a second before the gap
        datetime(2026, 3, 8, 7, 30, tzinfo=UTC),  # 03:30
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),  # 01:30 for the first time
        datetime(2026, 11, 1, 6, 30, tzinfo=UTC),  # 01:30 again
        datetime(2026, 11, 1, 7, 30, tzinfo=UTC),  # 02:30
    ]
    for moment, number in zip(moments, mailing.deliveries, strict=True):
        assert act(mailings, moment - half, ("open", number, None)) == moment

    def opened(start: datetime, end: datetime) -> list[int]:
        rows = within(client, "ReportRangeMessageContactOpen", mailing.message, start, end)
        found = emails(rows)
        return [place for place, each in enumerate(mailing.people) if each.email in found]

    assert opened(datetime(2026, 3, 8), datetime(2026, 3, 9)) == [0, 1]
    # 02:30 does not exist: it is 03:30.
    assert opened(datetime(2026, 3, 8), datetime(2026, 3, 8, 2, 30)) == [0]
    assert opened(datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 9)) == [1]
    assert opened(datetime(2026, 3, 8, 2, 30, 1), datetime(2026, 3, 9)) == []
    assert opened(datetime(2026, 11, 1, 1, 30), datetime(2026, 11, 2)) == [2, 3, 4]
    assert opened(datetime(2026, 11, 1), datetime(2026, 11, 1, 1, 30)) == [2]
    assert opened(datetime(2026, 11, 1), datetime(2026, 11, 1, 1, 30, 1)) == [2, 3]
    rows = plain(client, "ReportMessageContactOpen", MsgID=mailing.message, Page=1)
    assert [row["OpenDate"] for row in rows][1:4] == [
        "2026-03-08T03:30:00",
        "2026-11-01T01:30:00",
        "2026-11-01T01:30:00",
    ]


def test_lk_19_unknown_messages_and_lists(client: Any, mailings: Mailings) -> None:
    """A plain report tells it in the answer, its Range twin is empty; a message that nobody sent is unknown."""
    saved = mailings.message(mailings.new_list())
    for number in (987654, saved, 0, -1):
        sentence = f"[NotFound] Message {number} does not exist or is not accessible."
        for name in (*TWINS, "Sent", "Activity"):
            assert failure(client, f"ReportMessageContact{name}", MsgID=number, Page=1) == sentence
        for name in TWINS:
            assert within(client, f"ReportRangeMessageContact{name}", number) == []
        for place in ("Location", "LocationContact"):
            for name in ("Click", "Open", "Read"):
                members = {"CountryID": 840} if place == "LocationContact" else {}
                answer = failure(client, f"ReportMessage{place}{name}", MsgID=number, **members, Page=1)
                assert answer == sentence
        assert failure(client, "ReportMessageLinkClick", MsgID=number, Page=1) == sentence
    told = "[NotFound] Link 987654 does not exist or is not accessible."
    assert failure(client, "ReportContactLinkClick", LinkID=987654, Page=1) == told
    ends = {"StartDate": datetime(1, 1, 1), "EndDate": datetime(1, 1, 1), "IncludeTestMessages": True}
    for name in ("Activity", "Delivery"):
        told = "[NotFound] List 987654 does not exist or is not accessible."
        assert failure(client, f"ReportListMessage{name}", ListID=987654, **ends) == told
    asked = {"EmailAddress": "nobody@example.com", "Page": 1}
    assert failure(client, "ReportContactMessageActivity", ListID=987654, **asked) == told
    list_id = mailings.new_list()
    told = f"[NotFound] List {list_id} does not have this contact."
    assert failure(client, "ReportContactMessageActivity", ListID=list_id, **asked) == told
    (person,) = mailings.people(list_id, 1)
    asked = {"EmailAddress": person.email, "Page": 1}
    assert plain(client, "ReportContactMessageActivity", ListID=list_id, **asked) == []


def test_lk_113_no_place_is_known(client: Any, mailings: Mailings) -> None:
    """lk-113, lk-114: what is empty for now is empty for a message with opens, too."""
    list_id = mailings.new_list()
    mailing = mailings.send(list_id, mailings.people(list_id, 1), at=LATER)
    act(mailings, None, ("click", mailing.deliveries[0], None))
    for name in ("Click", "Open", "Read"):
        assert plain(client, f"ReportMessageLocation{name}", MsgID=mailing.message, Page=1) == []
        contact = f"ReportMessageLocationContact{name}"
        assert plain(client, contact, MsgID=mailing.message, CountryID=0, Page=1) == []
    assert plain(client, "ReportMessageContactPassalong", MsgID=mailing.message, Page=1) == []
    assert within(client, "ReportRangeMessageContactPassalong", mailing.message) == []


def test_lk_123_there_are_no_conversations(client: Any, mailings: Mailings) -> None:
    list_id = mailings.new_list()
    for name in ("Activity", "Delivery"):
        operation = f"ReportListConversation{name}"
        assert plain(client, operation, ListID=list_id, IncludeTerminated=True) == []
        told = failure(client, operation, ListID=987654, IncludeTerminated=True)
        assert told == "[NotFound] List 987654 does not exist or is not accessible."
    ends = {"Page": 1, "StartDate": datetime(1, 1, 1), "EndDate": datetime(1, 1, 1)}
    told = "[NotFound] Conversation 1 does not exist or is not accessible."
    for name in ("Delivery", "Removal", "Open", "Read", "Bounce"):
        assert failure(client, f"ReportConversationContact{name}", ConversationID=1, **ends) == told
    assert failure(client, "ReportConversationLinkClick", ConversationID=1, Page=1) == told
    for name in ("Open", "Read", "Click"):
        asked = {"ConversationID": 1, "GeoLocationID": 0, **ends}
        assert failure(client, f"ReportConversationLocationContact{name}", **asked) == told


def test_lk_106_which_messages_a_list_was_sent(client: Any, mailings: Mailings) -> None:
    """lk-106, mm-108: by the start of the send; tests on request only, with figures of their own."""
    list_id, other = mailings.new_list(), mailings.new_list()
    people = mailings.people(list_id, 3)
    second = mailings.send(list_id, people, at=LATER + timedelta(minutes=5))
    first = mailings.send(list_id, people, at=LATER)
    test = mailings.send(list_id, people[:1], at=LATER + timedelta(minutes=1), is_test=True)
    mailings.send(list_id, people, at=None)
    mailings.send(other, people, at=LATER)
    act(mailings, None, ("open", test.deliveries[0], None))

    def listed(start: Any, end: Any, tests: bool, name: str = "Activity") -> list[Any]:
        ends = {"StartDate": start, "EndDate": end, "IncludeTestMessages": tests}
        return plain(client, f"ReportListMessage{name}", ListID=list_id, **ends)

    for name in ("Activity", "Delivery"):
        rows = listed(datetime(1, 1, 1), datetime(1, 1, 1), True, name)
        assert [row["MsgID"] for row in rows] == [first.message, test.message, second.message]
        assert [row["SendDate"] for row in rows] == [datetime(2025, 5, 5, 8, minute) for minute in (0, 1, 5)]
        assert [row["DeliverCount"] for row in rows] == [3, 1, 3]
        assert [row["Subject"] for row in rows] == [first.subject, test.subject, second.subject]
        rows = listed(datetime(1, 1, 1), datetime(1, 1, 1), False, name)
        assert [row["MsgID"] for row in rows] == [first.message, second.message]
        rows = listed(LATER, LATER + timedelta(minutes=5), False, name)
        assert [row["MsgID"] for row in rows] == [first.message]
        rows = listed(LATER + timedelta(microseconds=1), LATER + timedelta(minutes=6), False, name)
        assert [row["MsgID"] for row in rows] == [second.message]
    assert [row["OpenCount"] for row in listed(LATER, datetime(1, 1, 1), True)] == [0, 1, 0]
    assert emails(plain(client, "ReportMessageContactOpen", MsgID=test.message, Page=1)) == [people[0].email]


def test_mm_108_a_message_with_real_and_test_sends(client: Any, mailings: Mailings) -> None:
    """mm-108: a message of the other contract goes to many lists; its tests count nowhere beside real sends."""
    one, two = mailings.new_list(), mailings.new_list()
    here, there = mailings.people(one, 2), mailings.people(two, 2)
    message = mailings.message(None)
    test = mailings.send(one, here[:1], at=LATER, message=message, is_test=True)
    act(mailings, None, ("open", test.deliveries[0], None))
    ends = {"StartDate": datetime(1, 1, 1), "EndDate": datetime(1, 1, 1), "IncludeTestMessages": True}
    (row,) = plain(client, "ReportListMessageActivity", ListID=one, **ends)
    assert (row["MsgID"], row["OpenCount"]) == (message, 1)
    first = mailings.send(one, here, at=LATER + timedelta(hours=1), message=message)
    second = mailings.send(two, there, at=LATER + timedelta(hours=2), message=message)
    mailings.send(two, there[:1], at=LATER + timedelta(hours=3), message=message)
    link, _ = mailings.link(message, 1)
    act(mailings, None, ("click", test.deliveries[0], link))
    act(mailings, None, ("click", second.deliveries[1], link), ("click", first.deliveries[0], link))
    (row,) = plain(client, "ReportListMessageActivity", ListID=one, **ends)
    assert (row["DeliverCount"], row["ClickCount"], row["OpenPercent"]) == (2, 1, Decimal(50))
    (row,) = plain(client, "ReportListMessageDelivery", ListID=two, **ends)
    assert (row["DeliverCount"], row["SendDate"]) == (3, datetime(2025, 5, 5, 10))
    rows = plain(client, "ReportContactLinkClick", LinkID=link, Page=1)
    assert emails(rows) == [there[1].email, here[0].email]
    (row,) = plain(client, "ReportMessageLinkClick", MsgID=message, Page=1)
    assert (row["ClickCount"], row["ClickerCount"], row["ClickPercent"]) == (2, 2, Decimal(100))
    (row,) = plain(client, "ReportContactMessageActivity", ListID=two, EmailAddress=there[1].email, Page=1)
    assert (row["MsgID"], row["IsOpen"], row["IsRead"], row["IsClick"]) == (message, True, True, True)


def test_lk_9_recipients_of_hidden_lists(client: Any, mailings: Mailings) -> None:
    """lk-9, lk-19: a login sees the recipients of its lists only, and no message that went to none of them."""
    mine, hidden = mailings.new_list(), mailings.new_list()
    here, there = mailings.people(mine, 2), mailings.people(hidden, 2)
    message = mailings.message(None)
    first = mailings.send(hidden, there, at=LATER, message=message)
    second = mailings.send(mine, here, at=LATER, message=message)
    alone = mailings.send(hidden, there, at=LATER)
    nobodys = mailings.send(None, there, at=LATER)
    link, _ = mailings.link(message, 1)
    secret, _ = mailings.link(alone.message, 1)
    act(mailings, None, *(("click", number, link) for number in (*first.deliveries, *second.deliveries)))
    leave(mailings, first, hidden, 0)
    leave(mailings, second, mine, 1)
    name = f"guest{mine}"
    mailings.product.accounts.add_login(mailings.account, name, "secret", lists=[mine])
    guest = as_login(client, name)
    for kind in ("Sent", "Open", "Read", "Click", "Activity"):
        operation = f"ReportMessageContact{kind}"
        assert emails(plain(guest, operation, MsgID=message, Page=1)) == [each.email for each in here], kind
        assert len(plain(client, operation, MsgID=message, Page=1)) == 4
    assert emails(plain(guest, "ReportMessageContactRemoval", MsgID=message, Page=1)) == [here[1].email]
    assert len(plain(client, "ReportMessageContactRemoval", MsgID=message, Page=1)) == 2
    assert emails(plain(guest, "ReportContactLinkClick", LinkID=link, Page=1)) == [each.email for each in here]
    (row,) = plain(guest, "ReportMessageLinkClick", MsgID=message, Page=1)
    assert (row["ClickCount"], row["ClickerCount"], row["ClickPercent"]) == (2, 2, Decimal(100))
    for number in (alone.message, nobodys.message):
        assert failure(guest, "ReportMessageContactSent", MsgID=number, Page=1).startswith("[NotFound] Message")
        assert len(plain(client, "ReportMessageContactSent", MsgID=number, Page=1)) == 2
    assert failure(guest, "ReportContactLinkClick", LinkID=secret, Page=1).startswith("[NotFound] Link")


def test_lk_108_while_a_send_runs(client: Any, mailings: Mailings) -> None:
    """lk-108, lk-115: delivered and bounced make sent at any moment; who has no result yet is in no report."""
    list_id = mailings.new_list()
    people = mailings.people(list_id, 4)
    mailing = mailings.send(list_id, people, at=LATER, recorded=False)
    refusal = of_reply("550 5.1.1 <p@example.com>: no such user")
    ends = {"StartDate": datetime(1, 1, 1), "EndDate": datetime(1, 1, 1), "IncludeTestMessages": False}
    for done, number in enumerate(mailing.deliveries):
        (row,) = plain(client, "ReportListMessageDelivery", ListID=list_id, **ends)
        assert row["DeliverCount"] + row["BounceCount"] == done
        rows = plain(client, "ReportMessageContactActivity", MsgID=mailing.message, Page=1)
        assert len(rows) == len(plain(client, "ReportMessageContactSent", MsgID=mailing.message, Page=1)) == done
        assert sum(each["BounceCount"] for each in rows) == row["BounceCount"]
        with mailings.database.write() as connection:
            record_results(connection, [FinalResult(delivery_id=number, refusal=refusal if done % 2 else None)])
    (row,) = plain(client, "ReportListMessageDelivery", ListID=list_id, **ends)
    assert (row["DeliverCount"], row["BounceCount"]) == (2, 2)
    assert (row["DeliverPercent"], row["BouncePercent"], row["PassAlongCount"]) == (Decimal(50), Decimal(50), 0)
    first, second = plain(client, "ReportMessageContactBounces", MsgID=mailing.message, Page=1)
    assert (first["BounceReason"], first["BounceCount"]) == ("Invalid Address", 1)
    assert "no such user" in second["BounceDetail"]
    assert [first["ContactID"], second["ContactID"]] == [str(people[1].number), str(people[3].number)]
    # All of the two that arrived opened it, and then both bounced: no share is more than the whole.
    act(mailings, None, ("click", mailing.deliveries[0], None), ("click", mailing.deliveries[2], None))
    with mailings.database.write() as connection:
        record_bounces(connection, {mailing.deliveries[0]: refusal})
    (row,) = plain(client, "ReportListMessageActivity", ListID=list_id, **ends)
    assert (row["DeliverCount"], row["OpenCount"], row["OpenPercent"]) == (1, 2, Decimal(100))
    with mailings.database.write() as connection:
        record_bounces(connection, {mailing.deliveries[2]: refusal})
    (row,) = plain(client, "ReportListMessageActivity", ListID=list_id, **ends)
    assert (row["DeliverCount"], row["OpenCount"], row["OpenPercent"]) == (0, 2, Decimal(0))


def test_lk_35_an_address_without_a_contact(client: Any, mailings: Mailings) -> None:
    """lk-35: its number is 0, and its row is there."""
    from tests.listrak.mailings import Person

    list_id = mailings.new_list()
    mailing = mailings.send(list_id, [Person(None, 0, "file@example.com")], at=LATER)
    act(mailings, None, ("open", mailing.deliveries[0], None))
    (row,) = plain(client, "ReportMessageContactOpen", MsgID=mailing.message, Page=1)
    assert (row["ContactID"], row["EmailAddress"]) == ("0", "file@example.com")
    (row,) = plain(client, "ReportMessageContactActivity", MsgID=mailing.message, Page=1)
    assert (row["ContactID"], row["Opened"], row["Read"]) == (0, True, False)


def test_lk_107_clicks_without_persons(client: Any, mailings: Mailings) -> None:
    """lk-107: a send that is tracked without persons counts clicks, and has no rows of recipients."""
    list_id = mailings.new_list()
    people = mailings.people(list_id, 2)
    message = mailings.message(None)
    counted = mailings.send(list_id, people, at=LATER, message=message)
    named = mailings.send(list_id, people, at=LATER, message=message)
    link, _ = mailings.link(message, 1)
    of_send: dict[str, Any] = {"account_id": mailings.account.id, "message_id": message, "job_id": counted.job}
    click = AnonymousAct(kind=MailEventKind.CLICK, is_test=False, link_id=link, **of_send)
    with mailings.database.write() as connection:
        record_acts(connection, [click] * 3 + [AnonymousAct(kind=MailEventKind.OPEN, is_test=False, **of_send)])
    assert plain(client, "ReportMessageContactClick", MsgID=message, Page=1) == []
    act(mailings, None, ("click", named.deliveries[1], link))
    for operation in ("ReportMessageContactClick", "ReportMessageContactOpen"):
        assert emails(plain(client, operation, MsgID=message, Page=1)) == [people[1].email]
    ever = datetime(2020, 1, 1)
    for operation in ("ReportRangeMessageContactClick", "ReportRangeMessageContactOpen"):
        assert emails(within(client, operation, message, ever)) == [people[1].email]
    assert emails(plain(client, "ReportContactLinkClick", LinkID=link, Page=1)) == [people[1].email]
    ends = {"StartDate": datetime(1, 1, 1), "EndDate": datetime(1, 1, 1), "IncludeTestMessages": False}
    (row,) = plain(client, "ReportListMessageActivity", ListID=list_id, **ends)
    assert (row["ClickCount"], row["ClickerCount"], row["OpenCount"]) == (4, 1, 1)


def test_lk_112_people_who_left_are_counted_once(client: Any, mailings: Mailings) -> None:
    """lk-110, lk-112: with the first time within the range, and not for another message, or another cause."""
    list_id = mailings.new_list()
    mailing = mailings.send(list_id, mailings.people(list_id, 4), at=LATER)
    other = mailings.send(list_id, mailing.people, at=LATER)
    leave(mailings, mailing, list_id, 0, 1)
    contact_id = mailing.people[0].contact_id
    assert contact_id is not None
    with Changes(mailings.database).begin(mailings.account) as change:
        change.move(list_id, contact_id, MembershipState.SUBSCRIBED)
    between = datetime.now(UTC)
    leave(mailings, mailing, list_id, 0)
    leave(mailings, other, list_id, 2)
    rows = plain(client, "ReportMessageContactRemoval", MsgID=mailing.message, Page=1)
    assert emails(rows) == [mailing.people[0].email, mailing.people[1].email]
    late = within(client, "ReportRangeMessageContactRemoval", mailing.message, between)
    assert emails(late) == [mailing.people[0].email]
    assert {name: rows[1][name] for name in ("ContactID", "AdditionDate", "RemovalMethod")} == {
        "ContactID": str(mailing.people[1].number),
        "AdditionDate": datetime(2023, 12, 31, 19),
        "RemovalMethod": "Unsubscribe Link",
    }
    assert text(between) >= rows[1]["RemovalDate"].isoformat()
    ends = {"StartDate": datetime(1, 1, 1), "EndDate": datetime(1, 1, 1), "IncludeTestMessages": False}
    found = plain(client, "ReportListMessageActivity", ListID=list_id, **ends)
    assert [(row["RemoveCount"], row["RemovePercent"]) for row in found] == [(2, Decimal(50)), (1, Decimal(25))]


def test_lk_112_the_campaign_of_a_complaint(client: Any, mailings: Mailings) -> None:
    from soapstone.contacts.complaints import complain
    from soapstone.sending.messages.message import Draft, Traits
    from soapstone.vocabulary.messages import MessageKind

    list_id = mailings.new_list()
    campaign = mailings.product.campaigns.add(mailings.account.id, list_id, "Spring")
    message = mailings.product.messages.save(
        mailings.account.id,
        list_id,
        Draft(subject="Sale", plain="x"),
        kind=MessageKind.SEND,
        traits=Traits(campaign_id=campaign.id),
    )
    (person,) = mailings.people(list_id, 1)
    assert person.contact_id is not None
    with Changes(mailings.database).begin(mailings.account, by="Feedback Loop") as change:
        complain(change, person.contact_id, list_id, cause=Cause(message_id=message.id), provider="isp.example")
    ends = {"StartDate": datetime(1, 1, 1), "EndDate": datetime(1, 1, 1)}
    rows = plain(client, "ReportAdminContactFeedbackLoop", **ends, Page=1)
    (row,) = (each for each in rows if each["ListID"] == list_id)
    assert (row["CampaignID"], row["CampaignName"], row["MessageSubject"]) == (campaign.id, "Spring", "Sale")


def test_lk_29_what_stands_on_the_wire(raw: Callable[[str, str], str], mailings: Mailings) -> None:
    """lk-15, lk-21, lk-22, lk-29: dates without zone, an empty array as an empty element, a nil failure; lk-24: a date
    without time and no `WSException` member."""
    list_id = mailings.new_list()
    mailing = mailings.send(list_id, mailings.people(list_id, 1), at=LATER)
    asked = f"<MsgID>{mailing.message}</MsgID><Page>1</Page>"
    answer = raw("ReportMessageContactOpen", asked)
    assert '<ReportMessageContactOpenResult /><WSException xsi:nil="true" />' in answer
    ranged = asked + "<StartDate>2025-05-05</StartDate><EndDate>2025-05-06</EndDate>"
    assert "<ReportRangeMessageContactOpenResult />" in raw("ReportRangeMessageContactOpen", ranged)
    act(mailings, LATER + timedelta(seconds=1), ("click", mailing.deliveries[0], None))
    for operation, members in (("ReportMessageContactOpen", asked), ("ReportRangeMessageContactOpen", ranged)):
        assert "<OpenDate>2025-05-05T08:00:01</OpenDate>" in raw(operation, members)
    answer = raw("ReportListMessageActivity", f"<ListID>{list_id}</ListID>")
    assert "<SendDate>2025-05-05T08:00:00</SendDate>" in answer
    assert re.search(r"<OpenPercent>100(\.00)?</OpenPercent>", answer)
    assert "<OrderTotal>0</OrderTotal>" in answer


def test_a_client_that_asks_again_and_again(client: Any, mailings: Mailings) -> None:
    """An incremental client: windows that touch, up to now, five Range reports for each message that the list was sent,
    tests included; every act comes once, and nothing is a fault (lk-25, lk-106)."""
    list_id = mailings.new_list()
    people = mailings.people(list_id, 6)
    batches = [mailings.send(list_id, people, at=LATER + timedelta(days=day)) for day in range(3)]
    batches.append(mailings.send(list_id, people[:1], at=LATER + timedelta(days=1), is_test=True))
    batches.append(mailings.send(list_id, [], at=LATER + timedelta(days=2)))
    link, _ = mailings.link(batches[0].message, 1)
    kinds = ("Click", "Open", "Read", "Bounces", "Removal")
    seen: dict[str, list[tuple[int, str]]] = {kind: [] for kind in kinds}
    expected: dict[str, list[tuple[int, str]]] = {kind: [] for kind in kinds}
    bounce = of_reply("550 5.1.1 no such user")
    start = LATER - timedelta(days=1)
    for step in range(4):
        at = LATER + timedelta(days=3, hours=step, microseconds=step * 1001)
        for batch in (batches[0], batches[3]):
            place = min(step, len(batch.people) - 1)
            person, number = batch.people[place], batch.deliveries[place]
            date = act(mailings, at, ("click", number, link if batch is batches[0] else None))
            expected["Click"].append((batch.message, person.email))
            for kind in ("Open", "Read"):
                # The test's only recipient clicks each time, but opens it by the first click only.
                if step == 0 or batch is batches[0]:
                    expected[kind].append((batch.message, person.email))
        number = batches[1].deliveries[step]
        with clock.clock(lambda at=at: at), mailings.database.write() as connection:  # type: ignore[misc]
            record_bounces(connection, {number: bounce})
        expected["Bounces"].append((batches[1].message, batches[1].people[step].email))
        with clock.clock(lambda at=at: at):  # type: ignore[misc]
            leave(mailings, batches[2], list_id, step)
        expected["Removal"].append((batches[2].message, people[step].email))
        end = date if step < 3 else date + timedelta(seconds=1)
        ends = {"StartDate": datetime(1, 1, 1), "EndDate": datetime.now(UTC), "IncludeTestMessages": True}
        listed = plain(client, "ReportListMessageActivity", ListID=list_id, **ends)
        assert len(listed) == 5
        for row in listed:
            for kind in kinds:
                page = 1
                while rows := within(client, f"ReportRangeMessageContact{kind}", row["MsgID"], start, end, page=page):
                    seen[kind] += [(row["MsgID"], each["EmailAddress"]) for each in rows]
                    page += 1
        start = end
    assert {kind: sorted(rows) for kind, rows in seen.items()} == {
        kind: sorted(rows) for kind, rows in expected.items()
    }
