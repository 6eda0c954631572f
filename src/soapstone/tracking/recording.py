"""Recording of mail events with all that follows: figures, and what each recipient did so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Update, update

from soapstone.store.bulk import among, insert_rows, listed, select_by_key, upsert_rows
from soapstone.store.tables import bounces, deliveries, delivery_activities, mail_events
from soapstone.store.timestamps import EPOCH, microseconds
from soapstone.tracking import consequences
from soapstone.tracking.bounce_classes import Bounce
from soapstone.tracking.event_log import NOW, NewEvents, Origin, append
from soapstone.tracking.figures import FigureChanges
from soapstone.tracking.sent_mails import SentMail, lock_accounts, lock_mails, read_mails
from soapstone.vocabulary.tracking import MailEventKind


class _Delivery(NamedTuple):
    """What events need of a mail."""

    id: int
    account_id: int
    message_id: int
    job_id: int
    contact_id: int | None
    is_test: bool

    @property
    def origin(self) -> Origin:
        """Where its events come from."""
        return Origin(self.account_id, self.message_id, self.job_id, bool(self.is_test), self.contact_id is not None)


_DELIVERY = [deliveries.c[name] for name in _Delivery._fields]
# The kinds of which a recipient's first event counts: each one proves those before it. The figures that count mails
# with such an event, and the columns that remember them.
_PERSONAL = (MailEventKind.OPEN, MailEventKind.READ, MailEventKind.CLICK)
_PLACES = {kind: place for place, kind in enumerate(_PERSONAL)}
_OPEN, _CLICK = _PLACES[MailEventKind.OPEN], _PLACES[MailEventKind.CLICK]
_PEOPLE = dict(zip(_PERSONAL, ("openers", "readers", "clickers"), strict=True))
_DATES = ("opened_at", "last_opened_at", "read_at", "last_read_at", "clicked_at", "last_clicked_at")
_ACTIVITY = ("delivery_id", "account_id", *_DATES, "opens", "clicks")
_BOUNCE = ("delivery_id", "account_id", "at", "class", "reason", "code", "detail", "contact_bounces")
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


def record_results(
    connection: Connection, results: Sequence[FinalResult], changes: FigureChanges | None = None
) -> None:
    """Record mails as sent; those that the server refused for good have bounced at once (lk-108, mm-112).

    What follows from bounces for their recipients is part of it. The figures are stored, or added to `changes`, which
    the caller stores at its end: figures of one transaction are locked in one order.
    """
    refusals = {result.delivery_id: result.refusal for result in results if result.refusal is not None}
    lock_accounts(connection, [number for number, refusal in refusals.items() if refusal.is_hard])
    rows = _deliveries(connection, [result.delivery_id for result in results])
    events = NewEvents()
    for result in results:
        row = rows[result.delivery_id]
        origin = row.origin
        events.add(MailEventKind.SENT, origin, row.id)
        if result.refusal is not None:
            events.add(MailEventKind.BOUNCE, origin, row.id)
    refused = read_mails(connection, refusals)
    at = append(connection, events)
    _store_bounces(connection, [(refused[number], refusal) for number, refusal in refusals.items()], at)
    _add_figures(connection, events, changes)


def record_bounces(connection: Connection, found: Mapping[int, Bounce]) -> list[int]:
    """Record bounces by delivery; return the deliveries that had none before, the others stay as they were.

    A mail that was accepted before is `bounced` from now on. What follows for the recipients is part of it.
    """
    lock_mails(connection, found)
    mails = read_mails(connection, found)
    return record_bounces_of(connection, [(mail, found[number]) for number, mail in mails.items()])


def record_bounces_of(
    connection: Connection, found: Sequence[tuple[SentMail, Bounce]], changes: FigureChanges | None = None
) -> list[int]:
    """Record bounces as `record_bounces` does, of mails that are locked and were read since.

    `changes` are as in `record_results`.
    """
    new = [(mail, bounce) for mail, bounce in found if mail.bounce_class is None]
    if not new:
        return []
    events = NewEvents()
    for mail, _ in new:
        origin = Origin(mail.account_id, mail.message_id, mail.job_id, mail.is_test, mail.contact_id is not None)
        events.add(MailEventKind.BOUNCE, origin, mail.id)
    at = append(connection, events)
    numbers = [mail.id for mail, _ in new]
    connection.execute(_came_back(connection.dialect.name), {"numbers": listed(connection, numbers)})
    _store_bounces(connection, new, at)
    _add_figures(connection, events, changes)
    return numbers


def record_acts(connection: Connection, acts: Sequence[Act | AnonymousAct]) -> datetime:
    """Record what recipients and programs did, in this order; return the date of the events.

    A click proves that the mail was opened and read: it writes these events, too, where they are missing (lk-107). So
    does a read for an open. Acts on mails that do not exist any more are left out.
    """
    mails = _mails(connection, {act.delivery_id for act in acts if isinstance(act, Act)})
    batch = _Batch(mails, _clicked_links(connection, acts, mails))
    for act in acts:
        if isinstance(act, AnonymousAct):
            batch.add_anonymous(act)
        elif (mail := mails.get(act.delivery_id)) is not None:
            batch.add(act.kind, mail, act.link_id)
    return batch.store(connection)


def record_past(connection: Connection, found: Sequence[PastEvent]) -> None:
    """Record events of the past, which come in the order of their dates.

    They prove no others, and nothing follows from them: the other service has told all that there was.
    """
    mails = _mails(connection, {each.delivery_id for each in found})
    acts = [Act(each.kind, each.delivery_id) for each in found]
    batch = _Batch(mails, _clicked_links(connection, acts, mails))
    for each in found:
        batch.add_event(each.kind, mails[each.delivery_id], each.link_id, each.at)
    batch.store(connection)


class _Mail:
    """A mail, and what its recipient did so far."""

    __slots__ = ("clicks", "dates", "has_changed", "id", "opens", "origin")

    def __init__(self, number: int, origin: Origin) -> None:
        self.id, self.origin = number, origin
        # Dates of the first and the last event of each kind, in microseconds since 1970; `NOW` for those of this batch.
        self.dates: list[int | None] = [None] * len(_DATES)
        self.opens = self.clicks = 0
        self.has_changed = False

    def restore(self, values: tuple[Any, ...]) -> None:
        """Take over what is stored."""
        _, *self.dates, self.opens, self.clicks = values

    def put(self, place: int, at: int) -> int | None:
        """Take an event of the kind at this place of `_PERSONAL`; return the date of the one before it."""
        dates, first = self.dates, 2 * place
        previous = dates[first + 1]
        if dates[first] is None:
            dates[first] = at
        dates[first + 1] = at
        self.has_changed = True
        if place == _OPEN:
            self.opens += 1
        elif place == _CLICK:
            self.clicks += 1
        return previous

    def row(self, moment: int) -> tuple[Any, ...]:
        """Return the row of what its recipient did; `moment` is the date of this batch."""
        dates = [moment if at == NOW else at for at in self.dates]
        return (self.id, self.origin.account_id, *dates, self.opens, self.clicks)


class _Batch:
    """Acts that are recorded together: their events, figures, and the activities of the mails."""

    def __init__(self, mails: Mapping[int, _Mail], clicked: set[tuple[int, int]]) -> None:
        self._mails = mails
        # Pairs of delivery and link that were clicked already.
        self._clicked = clicked
        self._events = NewEvents()
        # New clickers of links, and mails that were clicked for the second time.
        self._clickers: Counter[tuple[Origin, int]] = Counter()
        self._repeat_clickers: Counter[Origin] = Counter()

    def add(self, kind: MailEventKind, mail: _Mail, link_id: int | None) -> None:
        """Add an act of a mail, and the events that it proves."""
        for place in range(_PLACES.get(kind, 0)):
            if mail.dates[2 * place] is None:
                self.add_event(_PERSONAL[place], mail, None)
        self.add_event(kind, mail, link_id)

    def add_event(self, kind: MailEventKind, mail: _Mail, link_id: int | None, at: int = NOW) -> None:
        """Add an event of a mail, which may be of the past."""
        place, previous = _PLACES.get(kind), None
        if place is not None:
            previous = mail.put(place, at)
            if place == _CLICK and mail.clicks == 2:
                self._repeat_clickers[mail.origin] += 1
            if link_id is not None and (pair := (mail.id, link_id)) not in self._clicked:
                self._clicked.add(pair)
                self._clickers[mail.origin, link_id] += 1
        is_first = place is not None and previous is None
        self._events.add(kind, mail.origin, mail.id, link_id, previous, is_first, None if at == NOW else at)

    def add_anonymous(self, act: AnonymousAct) -> None:
        """Add an act without a person; reads are not counted then."""
        if act.kind in _GROSS_FIGURES:
            origin = Origin(act.account_id, act.message_id, act.job_id, act.is_test, has_contact=False)
            self._events.add(act.kind, origin, None, act.link_id)

    def store(self, connection: Connection) -> datetime:
        """Store the batch; return the date of its events."""
        at = append(connection, self._events)
        moment = (at - EPOCH) // timedelta(microseconds=1)
        changed = sorted(mail.row(moment) for mail in self._mails.values() if mail.has_changed)
        upsert_rows(connection, delivery_activities, _ACTIVITY, changed)
        self._changes().store(connection)
        return at

    def _changes(self) -> FigureChanges:
        changes = FigureChanges()
        for group, size in self._events.sizes().items():
            of = (group.origin.account_id, group.origin.job_id)
            if group.kind in _GROSS_FIGURES:
                changes.of_send(*of, **{_GROSS_FIGURES[group.kind]: size})
            if group.kind in _MAIL_FIGURES:
                changes.of_send(*of, **{_MAIL_FIGURES[group.kind]: size})
            if group.is_first:
                changes.of_send(*of, **{_PEOPLE[group.kind]: size})
            if group.link_id is not None:
                changes.of_link(*of, group.link_id, **{_GROSS_FIGURES[group.kind]: size})
        for (origin, link_id), size in self._clickers.items():
            changes.of_link(origin.account_id, origin.job_id, link_id, clickers=size)
        for origin, size in self._repeat_clickers.items():
            changes.of_send(origin.account_id, origin.job_id, repeat_clickers=size)
        return changes


def _add_figures(connection: Connection, events: NewEvents, changes: FigureChanges | None) -> None:
    """Add what mails that were sent or have bounced change in figures."""
    added = FigureChanges() if changes is None else changes
    for group, size in events.sizes().items():
        added.of_send(group.origin.account_id, group.origin.job_id, **{_MAIL_FIGURES[group.kind]: size})
    if changes is None:
        added.store(connection)


def _locked(connection: Connection, numbers: Collection[int]) -> list[tuple[Any, ...]]:
    """Lock the rows of these deliveries, in one order; return them with the columns of `_Delivery`."""
    lock = "ORDER BY id FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    return select_by_key(connection, _DELIVERY, deliveries.c.id, numbers, also=lock)


def _deliveries(connection: Connection, numbers: Iterable[int]) -> dict[int, _Delivery]:
    """Lock the rows of these deliveries; return them by number, which ascends."""
    rows = sorted(_locked(connection, set(numbers)))
    return {row[0]: _Delivery(*row) for row in rows}


def _mails(connection: Connection, numbers: Collection[int]) -> dict[int, _Mail]:
    """Lock these deliveries, in one order; return them by number, with what their recipients did so far."""
    found: dict[int, _Mail] = {}
    origins: dict[Origin, Origin] = {}
    for number, account_id, message_id, job_id, contact_id, is_test in _locked(connection, numbers):
        origin = Origin(account_id, message_id, job_id, bool(is_test), contact_id is not None)
        # Events find their group faster by one and the same object.
        found[number] = _Mail(number, origins.setdefault(origin, origin))
    columns = [delivery_activities.c[name] for name in ("delivery_id", *_DATES, "opens", "clicks")]
    for values in select_by_key(connection, columns, delivery_activities.c.delivery_id, found.keys()):
        found[values[0]].restore(values)
    return found


def _clicked_links(
    connection: Connection, acts: Sequence[Act | AnonymousAct], mails: Mapping[int, _Mail]
) -> set[tuple[int, int]]:
    """Return the pairs of delivery and link that were clicked before, of the deliveries with a click among the acts."""
    event = mail_events.c
    clicking = {act.delivery_id for act in acts if isinstance(act, Act) and act.kind is MailEventKind.CLICK}
    clicking = {number for number in clicking if number in mails and mails[number].clicks}
    clicks = f"AND kind = '{MailEventKind.CLICK.value}' AND link_id IS NOT NULL"
    rows = select_by_key(connection, [event.delivery_id, event.link_id], event.delivery_id, clicking, also=clicks)
    return {(delivery_id, link_id) for delivery_id, link_id in rows}


def _store_bounces(connection: Connection, found: Sequence[tuple[SentMail, Bounce]], at: datetime) -> None:
    """Store new bounces, with what follows from them for the recipients."""
    moment, rows = microseconds(at), []
    # Bounces by contact and list.
    new: Counter[tuple[int | None, int | None]] = Counter()
    for mail, bounce in found:
        key = mail.contact_id, mail.list_id
        words = bounce.bounce_class.value, bounce.reason, bounce.code, bounce.detail
        rows.append((mail.id, mail.account_id, moment, *words, 1 + mail.bounces_before + new[key]))
        if not mail.is_test and None not in key:
            new[key] += 1
    insert_rows(connection, bounces, _BOUNCE, rows)
    consequences.of_bounces(connection, found, at)


@cache
def _came_back(kind: str) -> Update:
    """Return the statement that changes the state of accepted mails that came back."""
    these = among(deliveries.c.id, kind, "numbers")
    return update(deliveries).where(these, deliveries.c.state == "handed").values(state="bounced")
