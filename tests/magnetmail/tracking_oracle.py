"""What MagnetMail's tracking has to tell, counted in plain Python from the list of acts alone: who was sent which mail,
and who opened, clicked, left or got a mail back when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")
ZONE = ZoneInfo("America/New_York")
YEAR_1 = datetime(1, 1, 1)
SECOND = timedelta(seconds=1)
# Class of a bounce → short and long status (mm-110).
STATUS = {
    "user": ("UNF", "UserNotFound"),
    "domain": ("BD", "BadDomain"),
    "hard": ("HB", "HardBounce"),
    "full": ("MF", "MailboxFull"),
    "transient": ("TU", "TemporarilyUnavailable"),
    "size": ("SB", "SoftBounce"),
    "block": ("SB", "SoftBounce"),
    "content": ("SB", "SoftBounce"),
    "unknown": ("SB", "SoftBounce"),
}
EVENT_OF = {
    "email_sent": "sent",
    "email_delivered": "sent",
    "all": "sent",
    "email_bounced": "bounce",
    "email_opened": "open",
    "links": "click",
}


@dataclass(frozen=True)
class Mail:
    """A mail of a message to a person; `group` is 0 for one that went to single people."""

    number: int
    message: int
    group: int
    person: int
    is_test: bool = False


@dataclass(frozen=True)
class Act:
    """Something that happened at a moment: "sent", "bounce", "open" or "click" of a mail, or a person "left".

    `what` is the class of a bounce or the URL of a click, `words` those of the server, `place` that of the link.
    """

    kind: str
    at: datetime
    mail: Mail | None = None
    what: str = ""
    words: str = ""
    place: int = 0
    person: int = 0
    message: int = 0
    group: int = 0


@dataclass(frozen=True)
class Row:
    """A row of getDetailedTracking."""

    person: int
    date: datetime
    remarks: str
    status: str
    opened: datetime
    mail: int


@dataclass
class Oracle:
    """The acts in their order, the begins of sends: message, group, moment; and the people: number, address, name."""

    acts: list[Act] = field(default_factory=list)
    people: dict[int, tuple[str, str]] = field(default_factory=dict)
    begins: list[tuple[int, int, datetime]] = field(default_factory=list)
    _known: dict[tuple[str, int], Any] = field(default_factory=dict)

    def events(self, kind: str) -> list[Act]:
        """Acts of a kind that count. A click tells that the mail was opened, if nothing did before (lk-107)."""
        return self._once(kind, lambda: list(self._events(kind)))

    def _events(self, kind: str) -> Iterator[Act]:
        opened: set[int] = set()
        for act in self.acts:
            if act.mail is None or act.mail.is_test:
                continue
            if kind == "open" and act.kind == "click" and act.mail.number not in opened:
                yield Act("open", act.at, act.mail)
            if act.kind in ("open", "click"):
                opened.add(act.mail.number)
            if act.kind == kind:
                yield act

    def bounces(self) -> dict[int, Act]:
        """Mail that came back → the bounce."""
        return self._once("bounces", lambda: {act.mail.number: act for act in self.events("bounce") if act.mail})

    def first_opens(self) -> dict[int, datetime]:
        def found() -> dict[int, datetime]:
            opens = [act for act in self.events("open") if act.mail]
            return {act.mail.number: act.at for act in reversed(opens) if act.mail}

        return self._once("opens", found)

    def leavers(self, message: int, group: int, span: tuple[datetime | None, datetime | None]) -> list[Act]:
        """The first leaving of each person within a range."""
        mailed = {
            (act.mail.person, act.mail.group)
            for act in self.events("sent")
            if act.mail and act.mail.message == message and not self._refused(act)
        }
        found: dict[int, Act] = {}
        for act in self.acts:
            there = act.group == group or (not act.group and (act.person, group) in mailed)
            if act.kind == "left" and act.message == message and (not group or there) and _within(act.at, span):
                found.setdefault(act.person, act)
        return list(found.values())

    def recipient(self, person: int) -> dict[str, Any]:
        """A person as a row tells of it: with an address and a first name, and all else empty (mm-71, mm-76)."""
        email, name = self.people[person]
        gone = any(act.kind == "left" and act.person == person and not act.group for act in self.acts)
        flags: dict[str, Any] = dict.fromkeys(
            ("fax_send_suppress", "email_send_suppress", "text_only", "suppressed"), False
        )
        if since := self.suppressed().get(person):
            flags |= {"email_send_suppress": True, "suppressed": True}
        custom = [f"custom{number}" for number in range(1, 31)]
        empty = ("last_name", "fax", "Custom_Id", "phone", "address", "address_2", "city", "state", "zip", "company")
        known = {"id": str(person), "email": email, "first_name": name, "unsubscribed": gone, "email_confirm": True}
        date = since and told(since, utc=False)
        return {**known, **flags, **dict.fromkeys((*empty, *custom), ""), "suppressed_date": date}

    def suppressed(self) -> dict[int, datetime]:
        """Person → since when no mail is sent to the address: two mails in a row came back for want of it (mm-123).

        Only mails of which something is known count, in the order of their numbers; an opened one arrived.
        """
        return self._once("suppressed", self._suppressed)

    def _suppressed(self) -> dict[int, datetime]:
        known: dict[int, dict[int, bool]] = defaultdict(dict)
        found: dict[int, datetime] = {}
        for act in self.acts:
            if act.mail is None or act.mail.is_test or act.kind not in ("bounce", "open", "click"):
                continue
            mails = known[act.mail.person]
            if act.kind != "bounce":
                mails[act.mail.number] = False
                continue
            nowhere = act.what in ("user", "domain")
            mails[act.mail.number] = nowhere and mails.get(act.mail.number, True)
            latest = [mails[number] for number in sorted(mails)[-2:]]
            if nowhere and latest == [True, True]:
                found.setdefault(act.mail.person, act.at)
        return found

    def recipients(self) -> dict[int, dict[str, Any]]:
        """All people so."""
        return self._once("people", lambda: {person: self.recipient(person) for person in self.people})

    def totals(self, message: int, group: int) -> dict[str, int]:
        def count(kind: str) -> int:
            return len(list(self._of(kind, message, group, (None, None))))

        sent, bounced = count("sent"), count("bounce")
        return {
            "EmailSent": sent,
            "EmailDelivered": sent - bounced,
            "EmailOpened": count("open"),
            "EmailBounced": bounced,
            "EmailLinksClicked": count("click"),
            "WebLinksClicked": 0,
            "Unsubscribed": len(self.leavers(message, group, (None, None))),
            **dict.fromkeys(("FaxSent", "FaxDelivered", "FaxFailed", "FTFNewEmails", "FTF", "FTFSubscribers"), 0),
        }

    def details(
        self, report: str, message: int, group: int, span: tuple[datetime | None, datetime | None], *, utc: bool
    ) -> list[Row]:
        """All rows of a report, in order."""
        bounces, opens = self.bounces(), self.first_opens()
        if report == "unsubscribed":
            return [self._leaver(act, message, group, utc) for act in self.leavers(message, group, span)]
        rows = []
        for act in self._of(EVENT_OF[report], message, group, span) if report in EVENT_OF else ():
            assert act.mail is not None
            bounce, first = bounces.get(act.mail.number), opens.get(act.mail.number)
            if report == "email_delivered" and bounce is not None:
                continue
            words = bounce.words if bounce else ""
            rows.append(
                Row(
                    person=act.mail.person,
                    date=told(act.at, utc),
                    remarks=act.what if report == "links" else words,
                    status=STATUS[bounce.what][0] if bounce else "Delivered",
                    opened=told(act.at if report == "email_opened" else first, utc),
                    mail=act.mail.number,
                )
            )
        return rows

    def account(
        self, kind: str, span: tuple[datetime | None, datetime | None], message: int = 0, url: str = ""
    ) -> list[dict[str, Any]]:
        """All rows of GetMessageSentTracking, GetMessageOpenTracking or GetMessageLinkTracking."""
        bounces = self.bounces()
        rows = []
        for act in self.events(kind):
            assert act.mail is not None
            if not _within(act.at, span) or (message and act.mail.message != message) or (url and act.what != url):
                continue
            row: dict[str, Any] = {"UserId": "ACME", "MessageId": act.mail.message, "RecipientId": act.mail.person}
            row["Date"] = told(act.at, False)
            if kind == "click":
                row |= {"Url": act.what, "LinkLabel": f"label {act.place}", "LinkText": f"text {act.place}"}
            else:
                row["Type"] = {"sent": "Sent", "open": "Opened"}[kind]
            if kind == "sent":
                bounce = bounces.get(act.mail.number)
                row["Status"] = STATUS[bounce.what][1] if bounce else "Delivered"
            rows.append(row)
        return rows

    def groups(self, message: int, group: int) -> list[tuple[int, datetime]]:
        """Group and begin of each send to a group."""
        return [
            (to, told(at, False))
            for about, to, at in self.begins
            if about == message and to and (not group or to == group)
        ]

    def clicks(self, message: int, group: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for act in self._of("click", message, group, (None, None)):
            found[act.what] = found.get(act.what, 0) + 1
        return found

    def history(self, person: int) -> list[tuple[int, datetime, str, list[str]]]:
        """Message, first open, status and clicked URLs of each mail to a person."""
        bounces, opens = self.bounces(), self.first_opens()
        rows = []
        for act in sorted(self.events("sent"), key=lambda act: act.mail.number if act.mail else 0):
            assert act.mail is not None
            if act.mail.person != person:
                continue
            bounce = bounces.get(act.mail.number)
            urls = dict.fromkeys(each.what for each in self.events("click") if each.mail == act.mail)
            status = STATUS[bounce.what][1] if bounce else "Delivered"
            rows.append((act.mail.message, told(opens.get(act.mail.number), False), status, list(urls)))
        return rows

    def _once(self, name: str, count: Callable[[], T]) -> T:
        """Count only once as long as nothing more happens."""
        key = (name, len(self.acts))
        if key not in self._known:
            self._known[key] = count()
        known: T = self._known[key]
        return known

    def _of(self, kind: str, message: int, group: int, span: tuple[datetime | None, datetime | None]) -> Iterator[Act]:
        for act in self.events(kind):
            assert act.mail is not None
            if act.mail.message == message and group in (0, act.mail.group) and _within(act.at, span):
                yield act

    def _refused(self, sent: Act) -> bool:
        """Whether the server refused a mail during the send: it never had one."""
        bounce = self.bounces().get(sent.mail.number) if sent.mail else None
        return bounce is not None and bounce.at == sent.at

    def _leaver(self, act: Act, message: int, group: int, utc: bool) -> Row:
        mails = [
            each.mail
            for each in self.events("sent")
            if each.mail
            and each.mail.person == act.person
            and each.mail.message == message
            and group in (0, each.mail.group)
            and not self._refused(each)
        ]
        mail = max(mails, key=lambda mail: mail.number, default=None)
        bounce = self.bounces().get(mail.number) if mail else None
        status = "Inprogress" if mail is None else STATUS[bounce.what][0] if bounce else "Delivered"
        return Row(
            person=act.person,
            date=told(act.at, utc),
            remarks=bounce.words if bounce else "",
            status=status,
            opened=told(self.first_opens().get(mail.number) if mail else None, utc),
            mail=mail.number if mail else 0,
        )


def told(moment: datetime | None, utc: bool) -> datetime:
    """A date as the contract writes it (mm-30, mm-32)."""
    if moment is None:
        return YEAR_1
    whole = moment.replace(microsecond=0)
    return whole if utc else whole.astimezone(ZONE).replace(tzinfo=None, fold=0)


def meant(given: datetime | None, *, utc: bool, is_end: bool) -> datetime | None:
    """The moment that a date of a request means (mm-31, mm-33)."""
    if given is None or given.year in (1, 9999):
        return None
    if given.tzinfo is not None or utc:
        return given.replace(tzinfo=given.tzinfo or UTC).astimezone(UTC)
    days = [(given + timedelta(days=day)).replace(tzinfo=ZONE) for day in (-1, 1)]
    tries = sorted(given.replace(tzinfo=UTC) - (day.utcoffset() or timedelta()) for day in days)
    fitting = [each for each in tries if each.astimezone(ZONE).replace(tzinfo=None) == given]
    # A time that does not exist moves forward.
    return (fitting[-1] if is_end else fitting[0]) if fitting else tries[-1]


def _within(at: datetime, span: tuple[datetime | None, datetime | None]) -> bool:
    """Both ends belong to a range, at whole seconds (mm-34)."""
    start, end = span
    second = at.replace(microsecond=0)
    return (start is None or second >= start.replace(microsecond=0)) and (
        end is None or second <= end.replace(microsecond=0)
    )
