"""Acts of recipients that are recorded together: the events that they make, figures, and what each recipient did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection

from soapstone.store.bulk import Values, select_by_key, upsert_rows
from soapstone.store.tables import deliveries, delivery_activities, mail_events
from soapstone.tracking.activity_changes import DATES, NOTHING, ActivityChanges
from soapstone.tracking.event_log import NOW, NewEvents, Origin, append
from soapstone.tracking.figures import FigureChanges
from soapstone.vocabulary.tracking import MailEventKind

# The kinds of which a recipient's first event counts: each one proves those before it. The figures that count mails
# with such an event, and the columns that remember them.
_PERSONAL = (MailEventKind.OPEN, MailEventKind.READ, MailEventKind.CLICK)
_PLACES = {kind: place for place, kind in enumerate(_PERSONAL)}
_OPEN, _CLICK = _PLACES[MailEventKind.OPEN], _PLACES[MailEventKind.CLICK]
_PEOPLE = dict(zip(_PERSONAL, ("openers", "readers", "clickers"), strict=True))
# Python 3.11 looks up a member of an enumeration by several calls.
_OPENED, _CLICKED = MailEventKind.OPEN, MailEventKind.CLICK
_LAST_READ = DATES.index("last_read_at")
# The figures that count every event of a kind.
_GROSS_FIGURES = {
    MailEventKind.OPEN: "opens",
    MailEventKind.CLICK: "clicks",
    MailEventKind.MACHINE_OPEN: "machine_opens",
    MailEventKind.MACHINE_CLICK: "machine_clicks",
}
# The figures of mails.
_MAIL_FIGURES = {MailEventKind.SENT: "sent", MailEventKind.BOUNCE: "bounced"}
_ORIGIN = [deliveries.c[name] for name in ("id", "account_id", "message_id", "job_id", "contact_id", "is_test")]
_STATE = [delivery_activities.c[name] for name in ("delivery_id", *DATES, "opens", "clicks")]


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


class MailState:
    """A mail, and what its recipient did so far."""

    __slots__ = ("before", "clicks", "dates", "id", "kinds", "links", "opens", "origin")

    def __init__(self, number: int, origin: Origin) -> None:
        self.id, self.origin = number, origin
        # Dates of the first and the last event of each kind, in microseconds since 1970; negative: see NewEvents.
        self.dates: list[int | None] = [None] * len(DATES)
        self.opens = self.clicks = 0
        # The links that were clicked; None if they were not looked up.
        self.links: set[int] | None = None
        # Opens, clicks and last read before the batch, 0 for none; None if the batch does not change it.
        self.before: tuple[int, int, int] | None = None
        # The kinds of its acts in the batch, as ActivityChanges takes them.
        self.kinds = 0

    def restore(self, values: Values) -> None:
        """Take over what is stored."""
        _, *self.dates, self.opens, self.clicks = values

    @property
    def known_dates(self) -> list[int | None]:
        """Its dates up to those of the last kind of act that its recipient did."""
        dates = self.dates
        # SQLite's driver takes longer for None than for five numbers.
        return dates[:2] if dates[2] is None and dates[4] is None else dates[:4] if dates[4] is None else dates[:]


class ActBatch:
    """Acts that are recorded together. `now` and `moments` are those of NewEvents."""

    def __init__(self, now: int = NOW, moments: dict[int, int] | None = None) -> None:
        self.events = NewEvents(now, moments)
        # Mails of which something changed, in the order of their first change.
        self._changed: list[MailState] = []
        # New clickers of links, and mails that were clicked for the second time.
        self._clickers: Counter[tuple[Origin, int]] = Counter()
        self._repeat_clickers: Counter[Origin] = Counter()

    def add_acts(
        self, connection: Connection, mails: Mapping[int, MailState], acts: Sequence[Act | AnonymousAct]
    ) -> None:
        """Add acts in their order, except those of mails that are not among these."""
        clicked = {act.delivery_id for act in acts if act.kind is _CLICKED and isinstance(act, Act)}
        look_up_links(connection, mails, clicked)
        for act in acts:
            if isinstance(act, AnonymousAct):
                self.add_anonymous(act)
            elif (mail := mails.get(act.delivery_id)) is not None:
                self.add(act.kind, mail, act.link_id)

    def add(self, kind: MailEventKind, mail: MailState, link_id: int | None) -> None:
        """Add an act of a mail, and the events that it proves."""
        if kind is not _OPENED:
            for place in range(_PLACES.get(kind, 0)):
                if mail.dates[2 * place] is None:
                    self.add_event(_PERSONAL[place], mail, None)
        self.add_event(kind, mail, link_id)

    def add_event(self, kind: MailEventKind, mail: MailState, link_id: int | None, at: int | None = None) -> None:
        """Add an event of a mail, which may be of the past; `at` is then its date. The links of a click are known."""
        place = _PLACES.get(kind)
        if place is None:
            self.events.add(kind, mail.origin, mail.id, link_id, None, False, at)
            return
        dates, date = mail.dates, self.events.now if at is None else at
        if mail.before is None:
            mail.before, mail.kinds = (mail.opens, mail.clicks, dates[_LAST_READ] or 0), 0
            self._changed.append(mail)
        mail.kinds |= 1 << place
        first = 2 * place
        previous = dates[first + 1]
        if previous is None:
            dates[first] = date
        dates[first + 1] = date
        if place == _OPEN:
            mail.opens += 1
        elif place == _CLICK:
            mail.clicks += 1
            if mail.clicks == 2:
                self._repeat_clickers[mail.origin] += 1
            if link_id is not None and mail.links is not None and link_id not in mail.links:
                mail.links.add(link_id)
                self._clickers[mail.origin, link_id] += 1
        self.events.add(kind, mail.origin, mail.id, link_id, previous, previous is None, at)

    def add_anonymous(self, act: AnonymousAct) -> None:
        """Add an act without a person; reads are not counted then."""
        if act.kind in _GROSS_FIGURES:
            origin = Origin(act.account_id, act.message_id, act.job_id, act.is_test, has_contact=False)
            self.events.add(act.kind, origin, None, act.link_id)

    def changes(self, kind: str) -> ActivityChanges:
        """Return what recipients did, for a kind of database; all is the past from now on. No act is of the past."""
        new: list[Values] = []
        old: list[Values] = []
        for mail in self._changed:
            before = mail.before
            if before == NOTHING:
                new.append((mail.id, mail.origin.account_id, mail.kinds, mail.opens, mail.clicks))
            elif before is not None:
                old.append((mail.id, mail.kinds, mail.opens, mail.clicks, *before))
            mail.before = None
        self._changed.clear()
        return ActivityChanges(kind, new, old)

    def store(self, connection: Connection) -> datetime:
        """Store the batch; return the date of its events."""
        at = append(connection, self.events)
        rows: dict[int, list[Values]] = {}
        for mail in sorted(self._changed, key=attrgetter("id")):
            dates = self.events.dated(mail.known_dates)
            rows.setdefault(len(dates), []).append((mail.id, mail.origin.account_id, *dates, mail.opens, mail.clicks))
        for width, these in rows.items():
            names = ("delivery_id", "account_id", *DATES[:width], "opens", "clicks")
            upsert_rows(connection, delivery_activities, names, these)
        self.figures().store(connection)
        return at

    def figures(self) -> FigureChanges:
        """Return what the batch adds to figures."""
        changes = mail_figures(self.events)
        for group in self.events.groups:
            of, size = (group.origin.account_id, group.origin.job_id), group.size
            if group.kind in _GROSS_FIGURES:
                changes.of_send(*of, **{_GROSS_FIGURES[group.kind]: size})
            if group.is_first:
                changes.of_send(*of, **{_PEOPLE[group.kind]: size})
            if group.link_id is not None:
                changes.of_link(*of, group.link_id, **{_GROSS_FIGURES[group.kind]: size})
        for (origin, link_id), size in self._clickers.items():
            changes.of_link(origin.account_id, origin.job_id, link_id, clickers=size)
        for origin, size in self._repeat_clickers.items():
            changes.of_send(origin.account_id, origin.job_id, repeat_clickers=size)
        return changes


def mail_figures(events: NewEvents, changes: FigureChanges | None = None) -> FigureChanges:
    """Return what mails that were sent or have bounced change in figures, added to `changes`."""
    changes = FigureChanges() if changes is None else changes
    for group in events.groups:
        if group.kind in _MAIL_FIGURES:
            changes.of_send(group.origin.account_id, group.origin.job_id, **{_MAIL_FIGURES[group.kind]: group.size})
    return changes


def read_states(connection: Connection, numbers: Collection[int], *, locked: bool = True) -> dict[int, MailState]:
    """Return these mails by number, with what their recipients did so far; lock them first, in one order."""
    lock = "ORDER BY id FOR UPDATE" if locked and connection.dialect.name == "postgresql" else ""
    found: dict[int, MailState] = {}
    origins: dict[Origin, Origin] = {}
    rows = select_by_key(connection, _ORIGIN, deliveries.c.id, numbers, also=lock)
    for number, account_id, message_id, job_id, contact_id, is_test in rows:
        origin = Origin(account_id, message_id, job_id, bool(is_test), contact_id is not None)
        # Events find their group faster by one and the same object.
        found[number] = MailState(number, origins.setdefault(origin, origin))
    for values in select_by_key(connection, _STATE, delivery_activities.c.delivery_id, found.keys()):
        found[values[0]].restore(values)
    return found


def look_up_links(connection: Connection, mails: Mapping[int, MailState], numbers: Collection[int]) -> None:
    """Look up which links were clicked, of those of these mails of which it is not known."""
    new = {number: mail for number in numbers if (mail := mails.get(number)) is not None and mail.links is None}
    found: dict[int, set[int]] = {number: set() for number in new}
    event, clicked = mail_events.c, [number for number, mail in new.items() if mail.clicks]
    clicks = f"AND kind = '{MailEventKind.CLICK.value}' AND link_id IS NOT NULL"
    rows = select_by_key(connection, [event.delivery_id, event.link_id], event.delivery_id, clicked, also=clicks)
    for number, link_id in rows:
        found[number].add(link_id)
    for number, mail in new.items():
        mail.links = found[number]
