"""Every member of every report of messages against an oracle in plain Python.

The oracle reads the list of acts alone: who was sent what, and who opened, read, clicked, bounced or left when. It uses
nothing of the product, and counts each time from the beginning.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from tests.listrak.mailings import LONG_AGO, Mailing, Mailings, Person

from soapstone.clock import clock
from soapstone.contacts.changes import Cause, Changes
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import Act, FinalResult, record_acts, record_bounces, record_results
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.tracking import MailEventKind

SERVED_ON = ("sqlite", "postgresql")
EASTERN = ZoneInfo("America/New_York")
EVER = datetime(1, 1, 1)
ACTS = 3_000
REPLIES = {
    "550 5.1.1 no such user": "Invalid Address",
    "552 5.2.2 mailbox full": "Mailbox Full",
    "550 5.1.2 bad": "DNS Failure",
}


@dataclass(frozen=True)
class Mail:
    """A mail: its delivery, message, list and recipient."""

    delivery: int
    message: int
    list: int
    person: Person
    is_test: bool


@dataclass(frozen=True)
class Done:
    """An act: something that became of a mail at a time. `what` is a link of a click, or a bounce's text."""

    at: datetime
    kind: str
    mail: Mail
    what: Any = None


@dataclass
class History:
    """All that happened, in its order, and what there was to begin with."""

    mailings: Mailings
    lists: list[int]
    sends: list[tuple[Mailing, int, datetime, bool]]
    subjects: dict[int, str]
    links: dict[int, tuple[int, str, str, str]]
    people: dict[int, list[Person]]
    done: list[Done] = field(default_factory=list)

    def messages(self) -> dict[int, bool]:
        """Message → whether it has test sends only."""
        found: dict[int, bool] = {}
        for mailing, _, _, is_test in self.sends:
            found[mailing.message] = found.get(mailing.message, True) and is_test
        return found

    def of_message(self, message: int) -> list[Done]:
        """Acts on the mails of a message that count."""
        tests = self.messages()[message]
        return [each for each in self.done if each.mail.message == message and each.mail.is_test == tests]


def proven(done: list[Done]) -> list[Done]:
    """The acts, and those that they prove where there was none: a click an open and a read, a read an open (lk-107)."""
    known: set[tuple[str, int]] = set()
    found = []
    for each in done:
        proves = {"click": ("open", "read"), "read": ("open",)}.get(each.kind, ())
        for kind in proves:
            if (kind, each.mail.delivery) not in known:
                known.add((kind, each.mail.delivery))
                found.append(Done(each.at, kind, each.mail))
        known.add((each.kind, each.mail.delivery))
        found.append(each)
    return found


def first_of_each(done: list[Done]) -> list[Done]:
    seen: set[int] = set()
    return [each for each in done if not (each.mail.delivery in seen or seen.add(each.mail.delivery))]  # type: ignore[func-returns-value]


def share(part: int, whole: int) -> Decimal:
    """lk-28, lk-108"""
    if not whole:
        return Decimal(0)
    return min(Decimal(100), (Decimal(100 * part) / whole).quantize(Decimal("0.01"), ROUND_HALF_UP))


def text(moment: datetime) -> str:
    return moment.astimezone(EASTERN).strftime("%Y-%m-%dT%H:%M:%S")


def local(moment: datetime) -> datetime:
    return moment.astimezone(EASTERN).replace(tzinfo=None, microsecond=0)


def instant(given: datetime, *, is_start: bool) -> datetime | None:
    """What a date of a range means (lk-23 to lk-25)."""
    if given.year == 1:
        return None
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    offsets = [timezone(timedelta(hours=hours)) for hours in (-4, -5)]
    tries = sorted(given.replace(tzinfo=offset).astimezone(UTC) for offset in offsets)
    fitting = [each for each in tries if each.astimezone(EASTERN).replace(tzinfo=None) == given]
    return (fitting[0] if is_start else fitting[-1]) if fitting else tries[-1]


def in_range(done: list[Done], start: datetime, end: datetime) -> list[Done]:
    low, high = instant(start, is_start=True), instant(end, is_start=False)
    return [each for each in done if (low is None or each.at >= low) and (high is None or each.at < high)]


def expected(history: History, kind: str, message: int, start: datetime = EVER, end: datetime = EVER) -> list[Any]:
    """Rows of the report of a kind."""
    done = in_range(proven(history.of_message(message)), start, end)
    if kind == "Removal":
        return removals(history, message, start, end)
    word = {"Sent": "sent", "Open": "open", "Read": "read", "Click": "click", "Bounces": "bounce"}[kind]
    found = [each for each in done if each.kind == word]
    if kind in ("Open", "Read"):
        found = first_of_each(found)
    rows: list[Any] = []
    for each in found:
        who: dict[str, Any] = {"ContactID": str(each.mail.person.number), "EmailAddress": each.mail.person.email}
        if kind == "Sent":
            rows.append({"EmailAddress": each.mail.person.email})
        elif kind == "Click":
            _, url, _, description = history.links[each.what]
            link: dict[str, Any] = {"LinkDescription": description or None, "LinkUrl": url}
            rows.append({**who, **link, "ClickDate": text(each.at)})
        elif kind == "Bounces":
            so_far = sum(
                one.kind == "bounce"
                and one.mail.list == each.mail.list
                and one.mail.person == each.mail.person
                and not one.mail.is_test
                for one in history.done[: history.done.index(each)]
            )
            told: dict[str, Any] = {
                "BounceReason": REPLIES[each.what],
                "BounceDetail": each.what,
                "BounceDate": text(each.at),
            }
            rows.append({**who, **told, "BounceCount": so_far + 1})
        else:
            rows.append({**who, f"{kind}Date": text(each.at)})
    return rows


def removals(history: History, message: int, start: datetime, end: datetime) -> list[Any]:
    seen: set[str] = set()
    rows: list[Any] = []
    for each in in_range(
        [one for one in history.done if one.kind == "left" and one.mail.message == message], start, end
    ):
        person = each.mail.person
        if person.email in seen:
            continue
        seen.add(person.email)
        dates: dict[str, Any] = {"AdditionDate": local(LONG_AGO), "RemovalDate": local(each.at)}
        way: dict[str, Any] = {"RemovalMethod": "Unsubscribe Link"}
        rows.append({"ContactID": str(person.number), "EmailAddress": person.email, **dates, **way})
    return rows


def activity(history: History, message: int) -> list[Any]:
    """Rows of ReportMessageContactActivity."""
    done = proven(history.of_message(message))
    counts = Counter((each.mail.delivery, each.kind) for each in done)
    return [
        {
            "MsgID": message,
            "ContactID": each.mail.person.number,
            "EmailAddress": each.mail.person.email,
            "SendDate": local(each.at),
            "Opened": counts[each.mail.delivery, "open"] > 0,
            "Read": counts[each.mail.delivery, "read"] > 0,
            "ClickCount": counts[each.mail.delivery, "click"],
            "BounceCount": counts[each.mail.delivery, "bounce"],
        }
        for each in done
        if each.kind == "sent"
    ]


def link_clicks(history: History, message: int) -> list[Any]:
    clicks = [each for each in history.of_message(message) if each.kind == "click"]
    rows: list[Any] = []
    for number, (of_message, url, kind, description) in history.links.items():
        if of_message == message:
            mine = [each for each in clicks if each.what == number]
            people = len({each.mail.delivery for each in mine})
            counts = {"ClickCount": len(mine), "ClickerCount": people, "ClickPercent": share(len(mine), len(clicks))}
            link = {"MsgID": message, "LinkID": number, "LinkURL": url, "LinkType": kind}
            rows.append({**link, **counts, "LinkDescription": description or None})
    return rows


def listed(history: History, list_id: int, start: datetime, end: datetime, tests: bool) -> tuple[list[Any], list[Any]]:
    """Rows of ReportListMessageActivity and ReportListMessageDelivery."""
    begun: dict[int, datetime] = {}
    only_tests = history.messages()
    for mailing, of_list, at, is_test in history.sends:
        if of_list == list_id and is_test == only_tests[mailing.message]:
            begun[mailing.message] = min(at, begun.get(mailing.message, at))
    low, high = instant(start, is_start=True), instant(end, is_start=False)
    activities, deliveries = [], []
    for message, at in sorted(begun.items(), key=lambda pair: (pair[1], pair[0])):
        if (only_tests[message] and not tests) or (low and at < low) or (high and at >= high):
            continue
        done = [each for each in proven(history.of_message(message)) if each.mail.list == list_id]
        count = Counter(each.kind for each in done)
        people = {kind: len({each.mail.delivery for each in done if each.kind == kind}) for kind in ("open", "read")}
        clickers = Counter(each.mail.delivery for each in done if each.kind == "click")
        repeated = sum(times > 1 for times in clickers.values())
        arrived = count["sent"] - count["bounce"]
        left = len(
            {
                one.mail.person
                for one in history.done
                if (one.kind, one.mail.message, one.mail.list) == ("left", message, list_id)
            }
        )
        own = {"ListID": list_id, "MsgID": message, "Subject": history.subjects[message], "SendDate": local(at)}
        activities.append(
            {
                **own,
                "DeliverCount": arrived,
                "RemoveCount": left,
                "RemovePercent": share(left, arrived),
                "OpenCount": people["open"],
                "OpenPercent": share(people["open"], arrived),
                "ReadCount": people["read"],
                "ReadPercent": share(people["read"], arrived),
                "ClickCount": count["click"],
                "ClickerCount": len(clickers),
                "RepeatClickerCount": repeated,
                "NewClickerCount": len(clickers) - repeated,
                "ClickerPercent": share(len(clickers), arrived),
                "OrderTotal": Decimal(0),
                "ConversionCount": 0,
                "AverageOrderValue": Decimal(0),
            }
        )
        deliveries.append(
            {
                **own,
                "DeliverCount": arrived,
                "DeliverPercent": share(arrived, count["sent"]),
                "BounceCount": count["bounce"],
                "BouncePercent": share(count["bounce"], count["sent"]),
                "PassAlongCount": 0,
            }
        )
        assert people["open"] >= len(clickers)
    return activities, deliveries


def of_contact(history: History, list_id: int, person: Person) -> list[Any]:
    """Rows of ReportContactMessageActivity, without ListName."""
    mine = [each for each in proven(history.done) if each.mail.list == list_id and each.mail.person == person]
    mine = [each for each in mine if not each.mail.is_test]
    kinds: dict[int, set[str]] = defaultdict(set)
    for each in mine:
        kinds[each.mail.message].add(each.kind)
    first: dict[int, datetime] = {}
    for each in mine:
        if each.kind == "sent":
            first.setdefault(each.mail.message, each.at)
    return [
        {
            "ListID": list_id,
            "MsgID": message,
            "Subject": history.subjects[message],
            "IsOpen": "open" in kinds[message],
            "IsRead": "read" in kinds[message],
            "IsClick": "click" in kinds[message],
        }
        for message in sorted(first, key=lambda message: (first[message], message))
    ]


# --- What happens -----------------------------------------------------------------------------------------------------


class Maker:
    """Makes a history: two lists, five messages, of which one goes to both lists and one is a test."""

    def __init__(self, mailings: Mailings, seed: int) -> None:
        self._mailings, self._random = mailings, random.Random(seed)
        self._now = datetime(2026, 3, 7, 12, tzinfo=UTC)
        one, two = mailings.new_list(), mailings.new_list()
        people = {each: mailings.people(each, 40) for each in (one, two)}
        shared = mailings.message(None)
        tested = mailings.message(None)
        plan = [(one, None, False), (two, None, False), (one, shared, False), (two, shared, False), (one, None, True)]
        plan += [(two, shared, False), (one, tested, True), (one, tested, False)]
        self._history = History(mailings, [one, two], [], {}, {}, people)
        for place, (list_id, message, is_test) in enumerate(plan):
            at = self._now + timedelta(minutes=place, microseconds=place)
            some = self._random.sample(people[list_id], 5 if is_test else 35)
            mailing = mailings.send(list_id, some, at=at, message=message, is_test=is_test, recorded=False)
            self._history.sends.append((mailing, list_id, at, is_test))
            self._history.subjects[mailing.message] = mailing.subject
        self._waiting = [
            Mail(delivery, mailing.message, list_id, person, is_test)
            for mailing, list_id, _, is_test in self._history.sends
            for person, delivery in zip(mailing.people, mailing.deliveries, strict=True)
        ]
        for message in self._history.subjects:
            for position, (body, kind) in enumerate((("html", "HTML"), ("html", "HTML"), ("plain", "Text")), 1):
                description = "" if position == 2 else f"link {position}"
                number, url = mailings.link(message, position, body, description)
                self._history.links[number] = (message, url, kind, description)
        self._out: list[Mail] = []
        self._bounced: set[int] = set()
        self._left: set[tuple[int, Person]] = set()

    def make(self, acts: int) -> History:
        """Let `acts` acts happen, some of them at the same time."""
        self._send(len(self._waiting) // 2)
        while len(self._history.done) < acts:
            self._pass()
            with clock(lambda: self._now):
                turn = self._random.random()
                if turn < 0.08:
                    self._send(self._random.randint(1, 20))
                elif turn < 0.16:
                    self._bounce()
                elif turn < 0.24:
                    self._leave()
                else:
                    self._act()
        return self._history

    def _pass(self) -> None:
        """Move on by seconds or by days: the clock changes on 8 March and on 1 November 2026."""
        step = self._random.choice([0.2, 1.0, 3.5, 600.0, 86_400.0, 400_000.0])
        self._now += timedelta(seconds=step, microseconds=self._random.randrange(1_000_000))

    def _send(self, number: int) -> None:
        self._random.shuffle(self._waiting)
        mails, self._waiting = self._waiting[:number], self._waiting[number:]
        refused = {each.delivery: self._reply() for each in mails if self._random.random() < 0.1}
        results = [
            FinalResult(
                delivery_id=each.delivery,
                refusal=of_reply(refused[each.delivery]) if each.delivery in refused else None,
            )
            for each in mails
        ]
        if not mails:
            return
        with clock(lambda: self._now), self._mailings.database.write() as connection:
            record_results(connection, results)
        for each in mails:
            self._note("sent", each)
        for each in mails:
            if each.delivery in refused:
                self._note("bounce", each, refused[each.delivery])
                self._bounced.add(each.delivery)
        self._out += mails

    def _bounce(self) -> None:
        """Half of the bounces come twice, which counts once."""
        mail, reply = self._random.choice(self._out), self._reply()
        with self._mailings.database.write() as connection:
            record_bounces(connection, {mail.delivery: of_reply(reply)})
        if mail.delivery not in self._bounced:
            self._note("bounce", mail, reply)
            self._bounced.add(mail.delivery)

    def _leave(self) -> None:
        mail = self._random.choice(self._out)
        contact_id = mail.person.contact_id
        assert contact_id is not None
        if (mail.list, mail.person) in self._left:
            return
        self._left.add((mail.list, mail.person))
        with Changes(self._mailings.database).begin(self._mailings.account, by="Unsubscribe Link") as change:
            cause = Cause(message_id=mail.message)
            change.move(mail.list, contact_id, MembershipState.UNSUBSCRIBED, cause=cause)
        self._history.done.append(Done(self._now, "left", mail))

    def _act(self) -> None:
        """Up to forty acts at one time, some of machines, which count nowhere."""
        acts, notes = [], []
        for _ in range(self._random.choice([1, 2, 40])):
            mail = self._random.choice(self._out[: self._random.randint(1, len(self._out))])
            kinds = ["open", "open", "open", "read", "click", "click", "machine_open", "machine_click"]
            kind = self._random.choice(kinds)
            links = [number for number, link in self._history.links.items() if link[0] == mail.message]
            link = self._random.choice(links) if "click" in kind else None
            acts.append(Act(kind=MailEventKind(kind), delivery_id=mail.delivery, link_id=link))
            if not kind.startswith("machine"):
                notes.append((kind, mail, link))
        with self._mailings.database.write() as connection:
            record_acts(connection, acts)
        for kind, mail, link in notes:
            self._note(kind, mail, link)

    def _note(self, kind: str, mail: Mail, what: Any = None) -> None:
        # Dates lie half a second ahead, and never before those of earlier events.
        at = self._now + timedelta(milliseconds=500)
        self._history.done.append(Done(at, kind, mail, what))

    def _reply(self) -> str:
        return self._random.choice(list(REPLIES))


@pytest.fixture(scope="module")
def history(served: Any) -> History:
    accounts = served.product.accounts
    account = accounts.create(uuid4().hex, time_zone="America/New_York")
    accounts.add_login(account, account.name, "secret")
    return Maker(Mailings(served.product, account), seed=17).make(ACTS)


@pytest.fixture
def client(listrak: Any, history: History) -> Iterator[Any]:
    """The stock client with a login of that account."""
    with login(listrak, history.mailings.account.name):
        yield listrak


@contextmanager
def login(listrak: Any, name: str) -> Iterator[None]:
    before = listrak.login, listrak.password
    listrak.login, listrak.password = name, "secret"
    try:
        yield
    finally:
        listrak.login, listrak.password = before


def rows(client: Any, operation: str, **members: Any) -> list[Any]:
    """Rows of a report of either kind."""
    answer = getattr(client, operation)(**members)
    if answer is not None and f"{operation}Result" in answer:
        assert answer["WSException"] is None
        answer = answer[f"{operation}Result"]
    if isinstance(answer, dict):
        (answer,) = answer.values()
    return list(answer or [])


def windows(history: History) -> list[tuple[datetime, datetime]]:
    """Ranges: all time, open ends, around the clock changes, at the dates of acts, aware and not, reversed."""
    chance = random.Random(18)
    dates = [each.at for each in history.done]
    found = [(EVER, EVER), (EVER, chance.choice(dates)), (chance.choice(dates), EVER)]
    for day in (datetime(2026, 3, 8), datetime(2026, 11, 1)):
        found += [(day, day + timedelta(hours=2, minutes=30)), (day + timedelta(hours=1, minutes=30), EVER)]
    for _ in range(3):
        start, end = chance.sample(dates, 2)
        found += [(start, end), (local(start), local(end))]
    return found


def test_what_happened_is_enough(history: History) -> None:
    kinds = Counter(each.kind for each in history.done)
    assert all(kinds[kind] >= 20 for kind in ("sent", "open", "read", "click", "bounce", "left")), kinds
    dates = [each.at for each in history.done if each.kind != "left"]
    assert dates == sorted(dates)
    assert dates[0] < datetime(2026, 3, 8, tzinfo=UTC)
    assert dates[-1] > datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["Sent", "Open", "Read", "Click", "Bounces", "Removal"])
def test_reports_of_recipients(client: Any, history: History, kind: str) -> None:
    """lk-107, lk-110, lk-111: every member, both twins, and each range; in an open one both twins are equal."""
    for message in history.messages():
        operation = f"ReportMessageContact{kind}"
        whole = rows(client, operation, MsgID=message, Page=1, WSException=None)
        assert whole == expected(history, kind, message)
        if kind == "Sent":
            continue
        for start, end in windows(history):
            asked = {"MsgID": message, "StartDate": start, "EndDate": end, "Page": 1}
            found = rows(client, f"ReportRangeMessageContact{kind}", **asked)
            assert found == expected(history, kind, message, start, end), (start, end)


def test_report_of_activities(client: Any, history: History) -> None:
    """lk-115"""
    for message in history.messages():
        found = rows(client, "ReportMessageContactActivity", MsgID=message, Page=1, WSException=None)
        assert found == activity(history, message)


def test_reports_of_links(client: Any, history: History) -> None:
    """lk-108, lk-111"""
    for message in history.messages():
        found = rows(client, "ReportMessageLinkClick", MsgID=message, Page=1, WSException=None)
        assert found == link_clicks(history, message)
    for number, (message, url, _, _) in history.links.items():
        found = rows(client, "ReportContactLinkClick", LinkID=number, Page=1, WSException=None)
        clicks = [each for each in history.of_message(message) if each.kind == "click" and each.what == number]
        assert found == [
            {
                "LinkID": number,
                "ContactID": str(each.mail.person.number),
                "EmailAddress": each.mail.person.email,
                "LinkURL": url,
                "ClickDate": text(each.at),
            }
            for each in clicks
        ]


def test_reports_of_lists(client: Any, history: History) -> None:
    """lk-106 to lk-109"""
    starts = sorted(at for _, _, at, _ in history.sends)
    ranges = [(EVER, EVER), (starts[2], EVER), (EVER, starts[2]), (starts[1], starts[6]), (local(starts[3]), EVER)]
    for list_id in history.lists:
        for start, end in ranges:
            for tests in (True, False):
                asked = {"ListID": list_id, "StartDate": start, "EndDate": end, "IncludeTestMessages": tests}
                activities, deliveries = listed(history, list_id, start, end, tests)
                assert rows(client, "ReportListMessageActivity", **asked, WSException=None) == activities
                assert rows(client, "ReportListMessageDelivery", **asked, WSException=None) == deliveries


def test_reports_of_contacts(client: Any, history: History) -> None:
    for list_id in history.lists:
        for person in history.people[list_id][:12]:
            asked = {"ListID": list_id, "EmailAddress": person.email, "Page": 1}
            found = rows(client, "ReportContactMessageActivity", **asked, WSException=None)
            names = {row.pop("ListName") for row in found}
            assert found == of_contact(history, list_id, person)
            assert len(names) <= 1
