"""Recording of mail events with all that follows: figures, and what each recipient did so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from soapstone.store.bulk import select_by_key, upsert_rows
from soapstone.store.tables import bounces, deliveries, delivery_activities, mail_events, sends
from soapstone.store.timestamps import EPOCH
from soapstone.tracking import consequences
from soapstone.tracking.bounce_classes import Bounce
from soapstone.tracking.event_log import NewEvent, append
from soapstone.tracking.figures import FigureChanges
from soapstone.vocabulary.tracking import MailEventKind

# Delivery ids in one query.
BATCH = 500


class _Delivery(NamedTuple):
    """What events need of a mail."""

    id: int
    account_id: int
    message_id: int
    job_id: int
    contact_id: int | None
    is_test: bool


_DELIVERY = [deliveries.c[name] for name in _Delivery._fields]
# The kinds of which a recipient's first event counts: each one proves those before it. The figures that count mails
# with such an event, and the columns that remember them.
_PERSONAL = (MailEventKind.OPEN, MailEventKind.READ, MailEventKind.CLICK)
_PLACES = {kind: place for place, kind in enumerate(_PERSONAL)}
_OPEN, _CLICK = _PLACES[MailEventKind.OPEN], _PLACES[MailEventKind.CLICK]
_PEOPLE = ("openers", "readers", "clickers")
_DATES = ("opened_at", "last_opened_at", "read_at", "last_read_at", "clicked_at", "last_clicked_at")
_ACTIVITY = ("delivery_id", "account_id", *_DATES, "opens", "clicks")
# The figures that count every event of a kind.
_GROSS_FIGURES = {
    MailEventKind.OPEN: "opens",
    MailEventKind.CLICK: "clicks",
    MailEventKind.MACHINE_OPEN: "machine_opens",
    MailEventKind.MACHINE_CLICK: "machine_clicks",
}

# The figures of mails.
_MAIL_FIGURES = {MailEventKind.SENT: "sent", MailEventKind.BOUNCE: "bounced"}


class Act(NamedTuple):
    """An act of a mail's recipient, or of a program: an open, a read or a click, with the link of a click."""

    kind: MailEventKind
    delivery_id: int
    link_id: int | None = None


class AnonymousAct(NamedTuple):
    """An open or a click of a mail that is tracked without persons."""

    kind: MailEventKind
    account_id: int
    message_id: int
    job_id: int
    is_test: bool
    link_id: int | None = None


class PastEvent(NamedTuple):
    """An event of a mail that another service has sent, with its date in microseconds since 1970."""

    kind: MailEventKind
    delivery_id: int
    at: int
    link_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalResult:
    """The final result of sending a mail: it was accepted, or refused for good (`refusal`)."""

    delivery_id: int
    refusal: Bounce | None = None


def record_results(connection: Connection, results: Sequence[FinalResult]) -> None:
    """Record mails as sent; those that the server refused for good have bounced at once (lk-108, mm-112).

    What follows from bounces for their recipients is part of it.
    """
    refusals = [result.delivery_id for result in results if result.refusal is not None and result.refusal.is_hard]
    _hold_accounts(connection, refusals)
    rows = _deliveries(connection, [result.delivery_id for result in results])
    changes, events = FigureChanges(), []
    refused: list[tuple[_Delivery, Bounce]] = []
    for result in results:
        row = rows[result.delivery_id]
        events.append(_event(MailEventKind.SENT, row))
        changes.of_send(row.account_id, row.job_id, sent=1)
        if result.refusal is not None:
            refused.append((row, result.refusal))
            events.append(_event(MailEventKind.BOUNCE, row))
            changes.of_send(row.account_id, row.job_id, bounced=1)
    at = append(connection, events)
    _store_bounces(connection, refused, at)
    changes.store(connection)
    _follow_up(connection, refusals)


def record_bounces(connection: Connection, found: Mapping[int, Bounce]) -> list[int]:
    """Record bounces by delivery; return the deliveries that had none before, the others stay as they were.

    A mail that was accepted before is `bounced` from now on. What follows for the recipients is part of it.
    """
    _hold_accounts(connection, found)
    rows = _deliveries(connection, found)
    known = _bounced(connection, rows)
    new = [(row, found[number]) for number, row in rows.items() if number not in known]
    changes = FigureChanges()
    for row, _ in new:
        changes.of_send(row.account_id, row.job_id, bounced=1)
    at = append(connection, [_event(MailEventKind.BOUNCE, row) for row, _ in new])
    _store_bounces(connection, new, at)
    these = deliveries.c.id.in_([row.id for row, _ in new])
    connection.execute(update(deliveries).where(these, deliveries.c.state == "handed").values(state="bounced"))
    changes.store(connection)
    _follow_up(connection, [row.id for row, bounce in new if bounce.is_hard])
    return [row.id for row, _ in new]


def record_acts(connection: Connection, acts: Sequence[Act | AnonymousAct]) -> datetime:
    """Record what recipients and programs did, in this order; return the date of the events.

    A click proves that the mail was opened and read: it writes these events, too, where they are missing (lk-107). So
    does a read for an open. Acts on mails that do not exist any more are left out.
    """
    mails = _mails(connection, {act.delivery_id for act in acts if isinstance(act, Act)})
    batch = _Batch(mails, _clicked_links(connection, acts))
    for act in acts:
        if isinstance(act, AnonymousAct):
            batch.add_anonymous(act)
        elif act.delivery_id in mails:
            batch.add(act)
    return batch.store(connection)


def record_past(connection: Connection, found: Sequence[PastEvent]) -> None:
    """Record events of the past, which come in the order of their dates.

    They prove no others, and nothing follows from them: the other service has told all that there was.
    """
    mails = _mails(connection, {each.delivery_id for each in found})
    acts = [Act(each.kind, each.delivery_id) for each in found]
    batch = _Batch(mails, _clicked_links(connection, acts))
    for each in found:
        batch.add_past(each)
    batch.store(connection)


class _Mail:
    """A mail, and what its recipient did so far: dates in microseconds since 1970."""

    __slots__ = (
        "account_id",
        "clicks",
        "first",
        "id",
        "is_test",
        "job_id",
        "known",
        "last",
        "message_id",
        "new",
        "opens",
    )

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.id, self.account_id, self.message_id, self.job_id, contact_id, self.is_test = values
        self.known = contact_id is not None
        # By the places of _PERSONAL: dates of the first and the last event, and events of this batch.
        self.first: list[int | None] = [None, None, None]
        self.last: list[int | None] = [None, None, None]
        self.new = [0, 0, 0]
        self.opens = self.clicks = 0

    def restore(self, values: tuple[Any, ...]) -> None:
        """Take over what is stored."""
        _, *dates, self.opens, self.clicks = values
        self.first, self.last = dates[::2], dates[1::2]

    def has(self, place: int) -> bool:
        """Whether there was an event of the kind at this place."""
        return self.first[place] is not None or self.new[place] > 0

    def row(self, at: int) -> tuple[Any, ...]:
        """Return the row of what its recipient did, with the events of this batch, whose date is `at`."""
        dates: list[int | None] = []
        for place, new in enumerate(self.new):
            first, last = self.first[place], self.last[place]
            dates += (at if first is None else first, at) if new else (first, last)
        return (self.id, self.account_id, *dates, self.opens + self.new[_OPEN], self.clicks + self.new[_CLICK])


class _Batch:
    """Acts that are recorded together: their events, figures, and the activities of the mails."""

    def __init__(self, mails: Mapping[int, _Mail], clicked: set[tuple[int, int]]) -> None:
        self._mails = mails
        # Pairs of delivery and link that were clicked already.
        self._clicked = clicked
        self._events: list[NewEvent] = []
        # Those of events of the past.
        self._dates: list[int] = []
        # Additions to figures of sends by account, job and name; and to those of links, whose number is the third.
        self._sends: Counter[tuple[int, int, str]] = Counter()
        self._links: Counter[tuple[int, int, int, str]] = Counter()

    def add(self, act: Act) -> None:
        """Add an act of a known mail, and the events that it proves."""
        mail, kind, link_id = self._mails[act.delivery_id], act.kind, act.link_id
        place = _PLACES.get(kind)
        if place is None:
            self._count(mail, _GROSS_FIGURES[kind])
            self._events.append(self._event(kind, mail, link_id))
        else:
            for proved in range(place):
                if not mail.has(proved):
                    self._add_personal(proved, mail, None)
            self._add_personal(place, mail, link_id)
        self._add_to_link(mail, kind, link_id)

    def add_past(self, event: PastEvent) -> None:
        """Add an event of the past of a known mail."""
        mail, kind, at = self._mails[event.delivery_id], event.kind, event.at
        place, previous = _PLACES.get(kind), None
        if place is None:
            self._count(mail, _MAIL_FIGURES[kind])
        else:
            previous = mail.last[place]
            mail.first[place], mail.last[place] = mail.first[place] or at, at
            if previous is None:
                self._count(mail, _PEOPLE[place])
            if place == _OPEN:
                mail.opens += 1
                self._count(mail, "opens")
            elif place == _CLICK:
                mail.clicks += 1
                self._count(mail, "clicks")
                if mail.clicks == 2:
                    self._count(mail, "repeat_clickers")
        self._events.append(self._event(kind, mail, event.link_id, previous, previous is None))
        self._dates.append(at)
        self._add_to_link(mail, kind, event.link_id)

    def _add_to_link(self, mail: _Mail, kind: MailEventKind, link_id: int | None) -> None:
        """Add a click to the figures of its link, if there is one."""
        if link_id is None:
            return
        link = (mail.account_id, mail.job_id, link_id)
        if kind is not MailEventKind.CLICK:
            self._links[*link, "machine_clicks"] += 1
            return
        self._links[*link, "clicks"] += 1
        if (mail.id, link_id) not in self._clicked:
            self._clicked.add((mail.id, link_id))
            self._links[*link, "clickers"] += 1

    def add_anonymous(self, act: AnonymousAct) -> None:
        """Add an act without a person; reads are not counted then."""
        name = _GROSS_FIGURES.get(act.kind)
        if name is None:
            return
        self._sends[act.account_id, act.job_id, name] += 1
        if act.link_id is not None:
            self._links[act.account_id, act.job_id, act.link_id, name] += 1
        event = NewEvent(
            act.kind,
            act.account_id,
            act.message_id,
            act.job_id,
            act.is_test,
            None,
            has_contact=False,
            link_id=act.link_id,
        )
        self._events.append(event)

    def store(self, connection: Connection) -> datetime:
        """Store the batch; return the date of its events."""
        at = append(connection, self._events, self._dates or None)
        moment = (at - EPOCH) // timedelta(microseconds=1)
        changed = [mail.row(moment) for _, mail in sorted(self._mails.items()) if any(mail.new) or any(mail.first)]
        upsert_rows(connection, delivery_activities, _ACTIVITY, changed)
        changes = FigureChanges()
        for (account_id, job_id, name), count in self._sends.items():
            changes.of_send(account_id, job_id, **{name: count})
        for (account_id, job_id, link_id, name), count in self._links.items():
            changes.of_link(account_id, job_id, link_id, **{name: count})
        changes.store(connection)
        return at

    def _add_personal(self, place: int, mail: _Mail, link_id: int | None) -> None:
        previous, new = mail.last[place], mail.new[place]
        first = previous is None and not new
        if first:
            self._count(mail, _PEOPLE[place])
        if place == _OPEN:
            self._count(mail, "opens")
        elif place == _CLICK:
            self._count(mail, "clicks")
            if mail.clicks + new == 1:
                self._count(mail, "repeat_clickers")
        mail.new[place] = new + 1
        # The last event of this batch has its date, which is not known yet.
        event = self._event(_PERSONAL[place], mail, link_id, None if new else previous, first)
        self._events.append(event)

    def _count(self, mail: _Mail, name: str) -> None:
        self._sends[mail.account_id, mail.job_id, name] += 1

    def _event(
        self, kind: MailEventKind, mail: _Mail, link_id: int | None, previous_at: int | None = None, first: bool = True
    ) -> NewEvent:
        personal = kind in _PLACES
        return NewEvent(
            kind,
            mail.account_id,
            mail.message_id,
            mail.job_id,
            mail.is_test,
            mail.id,
            mail.known,
            link_id,
            previous_at,
            personal and first,
            personal and not first,
        )


def _event(kind: MailEventKind, row: _Delivery) -> NewEvent:
    known = row.contact_id is not None
    return NewEvent(kind, row.account_id, row.message_id, row.job_id, bool(row.is_test), row.id, known)


def _locked(connection: Connection, numbers: Collection[int]) -> list[tuple[Any, ...]]:
    """Lock the rows of these deliveries, in one order; return them with the columns of `_Delivery`."""
    lock = "ORDER BY id FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    return select_by_key(connection, _DELIVERY, deliveries.c.id, numbers, also=lock)


def _deliveries(connection: Connection, numbers: Iterable[int]) -> dict[int, _Delivery]:
    """Lock the rows of these deliveries; return them by number, which ascends."""
    rows = sorted(_locked(connection, set(numbers)))
    return {row[0]: _Delivery(*row) for row in rows}


def _hold_accounts(connection: Connection, numbers: Iterable[int]) -> None:
    """Lock the accounts of these deliveries before their rows."""
    found: set[int] = set()
    for these in _pieces(numbers):
        query = select(deliveries.c.account_id).where(deliveries.c.id.in_(these)).distinct()
        found |= set(connection.execute(query).scalars())
    if found:
        consequences.hold_accounts(connection, found)


def _follow_up(connection: Connection, numbers: Iterable[int]) -> None:
    for these in _pieces(numbers):
        consequences.of_bounces(connection, consequences.bounced_rows(connection, these))


def _mails(connection: Connection, numbers: Collection[int]) -> dict[int, _Mail]:
    """Lock these deliveries, in one order; return them by number, with what their recipients did so far."""
    found = {values[0]: _Mail(values) for values in _locked(connection, numbers)}
    columns = [delivery_activities.c[name] for name in ("delivery_id", *_DATES, "opens", "clicks")]
    for values in select_by_key(connection, columns, delivery_activities.c.delivery_id, found.keys()):
        found[values[0]].restore(values)
    return found


def _clicked_links(connection: Connection, acts: Sequence[Act | AnonymousAct]) -> set[tuple[int, int]]:
    """Return the pairs of delivery and link that were clicked before, of the deliveries with a click among the acts."""
    event = mail_events.c
    clicking = {act.delivery_id for act in acts if isinstance(act, Act) and act.kind is MailEventKind.CLICK}
    clicks = f"AND kind = '{MailEventKind.CLICK.value}' AND link_id IS NOT NULL"
    rows = select_by_key(connection, [event.delivery_id, event.link_id], event.delivery_id, clicking, also=clicks)
    return {(delivery_id, link_id) for delivery_id, link_id in rows}


def _store_bounces(connection: Connection, found: Sequence[tuple[_Delivery, Bounce]], at: datetime) -> None:
    for row, bounce in found:
        values = {
            "delivery_id": row.id,
            "account_id": row.account_id,
            "at": at,
            "class": bounce.bounce_class.value,
            "reason": bounce.reason,
            "code": bounce.code,
            "detail": bounce.detail,
            "contact_bounces": 1 + _earlier_bounces(connection, row),
        }
        connection.execute(insert(bounces).values(**values))


def _earlier_bounces(connection: Connection, row: _Delivery) -> int:
    """Return the number of bounces so far of this contact in sends to the same list."""
    if row.contact_id is None:
        return 0
    list_id = select(sends.c.list_id).where(sends.c.job_id == row.job_id).scalar_subquery()
    query = (
        select(func.count())
        .select_from(deliveries)
        .join(bounces, bounces.c.delivery_id == deliveries.c.id)
        .join(sends, sends.c.job_id == deliveries.c.job_id)
        .where(deliveries.c.contact_id == row.contact_id, ~deliveries.c.is_test, sends.c.list_id == list_id)
    )
    return int(connection.execute(query).scalar_one())


def _bounced(connection: Connection, numbers: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for these in _pieces(numbers):
        found |= set(
            connection.execute(select(bounces.c.delivery_id).where(bounces.c.delivery_id.in_(these))).scalars()
        )
    return found


def _pieces(numbers: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(numbers))
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))
