"""What the reports of messages have to tell, counted in plain Python from the list of acts alone.

The acts are who was sent what, and who opened, read, clicked, bounced or left when. Nothing of the product is used."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")
EASTERN = ZoneInfo("America/New_York")
EVER = datetime(1, 1, 1)
# Reply of a server → reason of the bounce (lk-111).
REPLIES = {
    "550 5.1.1 no such user": "Invalid Address",
    "552 5.2.2 mailbox full": "Mailbox Full",
    "550 5.1.2 bad": "DNS Failure",
}


@dataclass(frozen=True)
class Recipient:
    """A member of a list, by its number there."""

    number: int
    email: str


@dataclass(frozen=True)
class Mail:
    """A mail: its delivery, message, list and recipient."""

    delivery: int
    message: int
    list: int
    person: Recipient
    is_test: bool


@dataclass(frozen=True)
class Done:
    """An act: something that became of a mail at a time. `what` is a link of a click, or a bounce's text."""

    at: datetime
    kind: str
    mail: Mail
    what: Any = None


@dataclass(frozen=True)
class Send:
    """A send of a message to a list that began at a time."""

    message: int
    list: int
    at: datetime
    is_test: bool


@dataclass
class History:
    """All that happened, in its order, and what there was to begin with.

    `links` has message, URL, type and description of each link. All recipients joined their lists at `joined`.
    `zone` is the account's.
    """

    joined: datetime
    zone: ZoneInfo = EASTERN
    lists: dict[int, str] = field(default_factory=dict)
    sends: list[Send] = field(default_factory=list)
    subjects: dict[int, str] = field(default_factory=dict)
    links: dict[int, tuple[int, str, str, str]] = field(default_factory=dict)
    people: dict[int, list[Recipient]] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    _known: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def messages(self) -> dict[int, bool]:
        """Message → whether it has test sends only."""
        found: dict[int, bool] = {}
        for send in self.sends:
            found[send.message] = found.get(send.message, True) and send.is_test
        return found

    def of_message(self, message: int) -> list[Done]:
        """Acts on the mails of a message that count."""

        def found() -> list[Done]:
            tests = self.messages()[message]
            return [each for each in self.done if each.mail.message == message and each.mail.is_test == tests]

        return self.once(found, "message", message)

    def proven(self, message: int) -> list[Done]:
        """The same, and what they prove."""
        return self.once(lambda: proven(self.of_message(message)), "proven", message)

    def nth_bounces(self) -> dict[int, int]:
        """Delivery that bounced → how many mails of its recipient on that list have done so, up to and with it."""

        def found() -> dict[int, int]:
            counts: Counter[tuple[int, Recipient]] = Counter()
            numbers: dict[int, int] = {}
            for each in self.done:
                if each.kind == "bounce":
                    of = (each.mail.list, each.mail.person)
                    numbers[each.mail.delivery] = counts[of] + 1
                    counts[of] += not each.mail.is_test
            return numbers

        return self.once(found, "bounces")

    def text(self, moment: datetime) -> str:
        """A date where it is declared as text (lk-22)."""
        return self.local(moment).isoformat()

    def local(self, moment: datetime) -> datetime:
        """A date of an answer (lk-21)."""
        return moment.astimezone(self.zone).replace(tzinfo=None, microsecond=0)

    def instant(self, given: datetime, *, is_start: bool) -> datetime | None:
        """What a date of a range means (lk-23 to lk-25)."""
        if given.year == 1:
            return None
        if given.year == 9999:
            return datetime(9999, 12, 30, tzinfo=UTC)
        if given.tzinfo is not None:
            return given.astimezone(UTC)
        days = [(given + timedelta(days=day)).replace(tzinfo=self.zone) for day in (-1, 1)]
        tries = sorted(given.replace(tzinfo=UTC) - (day.utcoffset() or timedelta()) for day in days)
        fitting = [each for each in tries if each.astimezone(self.zone).replace(tzinfo=None) == given]
        return (fitting[0] if is_start else fitting[-1]) if fitting else tries[-1]

    def in_range(self, done: list[Done], start: datetime, end: datetime) -> list[Done]:
        """Acts from the start on and before the end."""
        low, high = self.instant(start, is_start=True), self.instant(end, is_start=False)
        return [each for each in done if (low is None or each.at >= low) and (high is None or each.at < high)]

    def once(self, count: Callable[[], T], *key: Any) -> T:
        """Count only once as long as nothing more happens."""
        whole = (*key, len(self.done))
        if whole not in self._known:
            self._known[whole] = count()
        known: T = self._known[whole]
        return known


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


def expected(history: History, kind: str, message: int, start: datetime = EVER, end: datetime = EVER) -> list[Any]:
    """Rows of the report of a kind."""
    done = history.in_range(history.proven(message), start, end)
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
            rows.append({**who, **link, "ClickDate": history.text(each.at)})
        elif kind == "Bounces":
            told: dict[str, Any] = {
                "BounceReason": REPLIES[each.what],
                "BounceDetail": each.what,
                "BounceDate": history.text(each.at),
            }
            rows.append({**who, **told, "BounceCount": history.nth_bounces()[each.mail.delivery]})
        else:
            rows.append({**who, f"{kind}Date": history.text(each.at)})
    return rows


def removals(history: History, message: int, start: datetime, end: datetime) -> list[Any]:
    seen: set[str] = set()
    rows: list[Any] = []
    for each in history.in_range(
        [one for one in history.done if one.kind == "left" and one.mail.message == message], start, end
    ):
        person = each.mail.person
        if person.email in seen:
            continue
        seen.add(person.email)
        dates: dict[str, Any] = {"AdditionDate": history.local(history.joined), "RemovalDate": history.local(each.at)}
        way: dict[str, Any] = {"RemovalMethod": "Unsubscribe Link"}
        rows.append({"ContactID": str(person.number), "EmailAddress": person.email, **dates, **way})
    return rows


def activity(history: History, message: int) -> list[Any]:
    """Rows of ReportMessageContactActivity."""
    done = history.proven(message)
    counts = Counter((each.mail.delivery, each.kind) for each in done)
    return [
        {
            "MsgID": message,
            "ContactID": each.mail.person.number,
            "EmailAddress": each.mail.person.email,
            "SendDate": history.local(each.at),
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
    for send in history.sends:
        if send.list == list_id and send.is_test == only_tests[send.message]:
            begun[send.message] = min(send.at, begun.get(send.message, send.at))
    low, high = history.instant(start, is_start=True), history.instant(end, is_start=False)
    activities, deliveries = [], []
    for message, at in sorted(begun.items(), key=lambda pair: (pair[1], pair[0])):
        if (only_tests[message] and not tests) or (low and at < low) or (high and at >= high):
            continue
        done = [each for each in history.proven(message) if each.mail.list == list_id]
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
        own = {"ListID": list_id, "MsgID": message, "Subject": history.subjects[message], "SendDate": history.local(at)}
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


def of_contact(history: History, list_id: int, person: Recipient) -> list[Any]:
    """Rows of ReportContactMessageActivity."""
    everything = history.once(lambda: proven(history.done), "everything")
    mine = [each for each in everything if each.mail.list == list_id and each.mail.person == person]
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
            "ListName": history.lists[list_id],
            "MsgID": message,
            "Subject": history.subjects[message],
            "IsOpen": "open" in kinds[message],
            "IsRead": "read" in kinds[message],
            "IsClick": "click" in kinds[message],
        }
        for message in sorted(first, key=lambda message: (first[message], message))
    ]


def link_contacts(history: History, link: int) -> list[Any]:
    """Rows of ReportContactLinkClick."""
    message, url, _, _ = history.links[link]
    return [
        {
            "LinkID": link,
            "ContactID": str(each.mail.person.number),
            "EmailAddress": each.mail.person.email,
            "LinkURL": url,
            "ClickDate": history.text(each.at),
        }
        for each in history.of_message(message)
        if each.kind == "click" and each.what == link
    ]
