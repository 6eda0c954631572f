"""The log of mail events: gives each event its numbers and its date, and stores it.

Numbers ascend without gaps within a message and kind, so that a page of a report is one range of keys. The counters'
rows are locked until the commit, and the date is read under these locks: so dates ascend with the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, count
from typing import Any, NamedTuple

from sqlalchemy import Connection

from soapstone.clock import now
from soapstone.store.bulk import Values, copy_lines, insert_rows, run
from soapstone.store.tables import mail_events
from soapstone.store.timestamps import EPOCH, microseconds
from soapstone.vocabulary.tracking import MailEventKind

# Dates lie ahead by this much, so that the commit comes before the date: a report up to now, whose reader continues
# from there next time, misses no event that is being stored.
AHEAD = timedelta(milliseconds=500)

# The date of an earlier event in the same transaction, unless this has another number.
NOW = -1

# A counter: scope, number of the message, account or link, and kind.
_Key = tuple[str, int, str]
# What gives the numbers of a group's events, in the order of EventGroup.counters; None for those without.
_Numbers = tuple[Iterator[int] | None, ...]
# Columns of all events of a group, of each one, and those with numbers.
_OF_GROUP = ("account_id", "message_id", "job_id", "is_test", "kind", "link_id")
_OF_EVENT = ("at", "delivery_id", "previous_at")
_NUMBERS = ("number", "account_number", "first_number", "link_number")
_COLUMNS = (*_OF_GROUP, *_OF_EVENT, *_NUMBERS)
# Counters in one statement.
_BATCH = 200
# Events from which on COPY is faster.
_MANY = 500
# What truth values are for the driver; SQLite's looks up how to store one of Python's, each time.
_TRUTH = {"sqlite": int, "postgresql": bool}


class Origin(NamedTuple):
    """Where events come from. `has_contact` is False for addresses that are no contacts."""

    account_id: int
    message_id: int
    job_id: int
    is_test: bool
    has_contact: bool


# An event's group, mail, what it has as `previous_at`, and its date if it is of the past.
_Event = tuple["EventGroup", int | None, int | None, int | None]


@dataclass(eq=False, slots=True)
class EventGroup:
    """Events whose numbers come from the same counters, and how many these are.

    `is_first`: the first ones of their kind of their mails.
    """

    kind: MailEventKind
    origin: Origin
    link_id: int | None
    is_first: bool
    # The events of all groups of its kind, in their order.
    of_kind: list[_Event]
    size: int = 0

    @property
    def counters(self) -> tuple[_Key | None, ...]:
        """The counters that give `number`, `account_number`, `first_number` and `link_number`; None for no number."""
        account_id, message_id, _, is_test, has_contact = self.origin
        scope = "test" if is_test else "message"
        link_scope = "test link" if is_test else "link"
        return (
            (scope, message_id, self.kind),
            ("account", account_id, self.kind) if has_contact and not is_test else None,
            (scope, message_id, f"first {self.kind}") if self.is_first else None,
            None if self.link_id is None else (link_scope, self.link_id, self.kind),
        )


class NewEvents:
    """Events of one transaction, in their order, without their numbers and date.

    The negative number `now` stands for their date until this is known. `moments` has the dates that negative numbers
    stand for, in microseconds since 1970: it gets theirs, and may have those of earlier transactions.
    """

    def __init__(self, now: int = NOW, moments: dict[int, int] | None = None) -> None:
        self.now = now
        self.moments: dict[int, int] = {} if moments is None else moments
        self._groups: dict[tuple[MailEventKind, Origin, int | None, bool], EventGroup] = {}
        self._of_kinds: dict[MailEventKind, list[_Event]] = {}
        # The dates of events of the past, which ascend, in microseconds since 1970.
        self.dates: list[int] = []

    def add(
        self,
        kind: MailEventKind,
        origin: Origin,
        delivery_id: int | None,
        link_id: int | None = None,
        previous_at: int | None = None,
        is_first: bool = False,
        at: int | None = None,
    ) -> None:
        """Add an event. `delivery_id` is None for mails tracked without persons. Either all or none have a date `at`.

        An event that repeats an earlier one has its date as `previous_at`, in microseconds since 1970 or as the number
        that stands for it.
        """
        key = (kind, origin, link_id, is_first)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = EventGroup(*key, self._of_kinds.setdefault(kind, []))
        group.size += 1
        group.of_kind.append((group, delivery_id, previous_at, at))
        if at is not None:
            self.dates.append(at)

    def add_each(self, kind: MailEventKind, mails: Iterable[tuple[Origin, int]]) -> None:
        """Add an event of this kind for each of these mails: where it comes from, and its `delivery_id`."""
        of_kind = self._of_kinds.setdefault(kind, [])
        group, last = None, None
        for origin, number in mails:
            if group is None or origin is not last:
                key, last = (kind, origin, None, False), origin
                group = self._groups.get(key)
                if group is None:
                    group = self._groups[key] = EventGroup(*key, of_kind)
            group.size += 1
            of_kind.append((group, number, None, None))

    @property
    def events(self) -> Iterator[_Event]:
        """The events, kind by kind: events of one kind are neighbours in all indexes but one."""
        return chain.from_iterable(self._of_kinds.values())

    @property
    def size(self) -> int:
        """The number of the events."""
        return sum(map(len, self._of_kinds.values()))

    @property
    def groups(self) -> Collection[EventGroup]:
        """The groups of the events."""
        return self._groups.values()

    def dated(self, dates: Sequence[int | None]) -> list[int | None]:
        """Return dates with those that negative numbers stand for."""
        get: Any = self.moments.get
        return [get(date, date) for date in dates]


def append(connection: Connection, new: NewEvents) -> datetime:
    """Store events, numbered in their order, and return their date; the caller's transaction should end soon then.

    Where the account has a later event of their kind already, events of the past get no number within the account.
    """
    if not new.groups:
        return now()
    late = _late(connection, new)
    counters: dict[EventGroup, tuple[_Key | None, ...]] = {}
    wanted: Counter[_Key] = Counter()
    for group in new.groups:
        of_message, of_account, *others = group.counters
        counters[group] = (of_message, None if of_account in late else of_account, *others)
        for key in counters[group]:
            if key is not None:
                wanted[key] += group.size
    reached, at = _advance(connection, wanted, new.dates[-1] if new.dates else None)
    moment = new.moments[new.now] = microseconds(at)
    numbers = {key: count(last + 1) for key, last in reached.items()}
    given = {group: tuple([None if key is None else numbers[key] for key in keys]) for group, keys in counters.items()}
    if connection.dialect.name == "postgresql" and new.size >= _MANY:
        copy_lines(connection, mail_events, _COLUMNS, _lines_of(new, given, moment))
    else:
        for names, rows in _rows_of(new, given, moment, _TRUTH[connection.dialect.name]).items():
            insert_rows(connection, mail_events, names, _by_mail(names, rows))
    return at


def _rows_of(
    new: NewEvents, given: Mapping[EventGroup, _Numbers], moment: int, truth: type[int]
) -> dict[tuple[str, ...], list[Values]]:
    """Return the rows of events by their columns: SQLite's driver takes longer for None than for five numbers."""
    rows: dict[tuple[str, ...], list[Values]] = {}
    forms: dict[EventGroup, tuple[Values, Iterator[Values], Callable[[Values], None]]] = {}
    for group, each in given.items():
        same: Values = (*group.origin[:3], truth(group.origin.is_test), group.kind.value)
        same = same if group.link_id is None else (*same, group.link_id)
        numbered = [name for name, one in zip(_NUMBERS, each, strict=True) if one is not None]
        names = (*_OF_GROUP[: len(same)], *(_OF_EVENT[:-1] if group.is_first else _OF_EVENT), *numbered)
        forms[group] = same, zip(*filter(None, each), strict=True), rows.setdefault(names, []).append
    dated = new.moments.get
    for group, delivery_id, previous_at, past in new.events:
        same, numbers, append = forms[group]
        at = moment if past is None else past
        if group.is_first:
            append((*same, at, delivery_id, *next(numbers)))
        else:
            before = previous_at if previous_at is None else dated(previous_at, previous_at)
            append((*same, at, delivery_id, before, *next(numbers)))
    return rows


def _by_mail(names: tuple[str, ...], rows: list[Values]) -> list[Values]:
    """Return rows mail by mail: those of mails that are neighbours change the same pages of the index of deliveries.

    In all other indexes new events are neighbours anyway.
    """
    place = names.index("delivery_id")
    return sorted(rows, key=lambda row: row[place] or 0)


def _lines_of(new: NewEvents, given: Mapping[EventGroup, _Numbers], moment: int) -> Iterator[str]:
    """Yield the same rows as COPY takes them: whole numbers, truth values and plain words need no quotes."""
    dated = new.moments.get
    forms: dict[EventGroup, tuple[str, Iterator[Values]]] = {}
    for group, each in given.items():
        same = "\t".join([*map(str, group.origin[:4]), group.kind.value, str(group.link_id)])
        numbered = "\t".join("None" if one is None else "%d" for one in each)
        forms[group] = f"{same}\t%d\t%s\t%s\t{numbered}\n", zip(*filter(None, each), strict=True)
    for group, delivery_id, previous_at, past in new.events:
        form, numbers = forms[group]
        before = previous_at if previous_at is None else dated(previous_at, previous_at)
        yield form % (moment if past is None else past, delivery_id, before, *next(numbers))


def _late(connection: Connection, new: NewEvents) -> set[_Key]:
    """Lock the counters of the accounts of events of the past; return those that have a later event."""
    if not new.dates:
        return set()
    keys = sorted({key for group in new.groups if (key := group.counters[1]) is not None})
    if not keys:
        return set()
    given = tuple(value for key in keys for value in (*key, 0, 0))
    rows = run(connection, _advancing(len(keys), connection.dialect.name), given)
    return {(scope, scope_id, kind) for scope, scope_id, kind, _, last_at in rows if last_at > new.dates[0]}


def _advance(connection: Connection, wanted: Counter[_Key], past: int | None) -> tuple[dict[_Key, int], datetime]:
    """Lock the counters and move them on; return where each one stood, and the date of the events.

    `past` is the date of the last one, if they are of the past.
    """
    # All transactions lock counters in the same order.
    ordered = sorted(wanted)
    pieces = [ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]
    kind = connection.dialect.name
    # SQLite's transactions that write have locked all, so that this is their date unless the clock was set back.
    ahead = AHEAD if kind == "sqlite" else timedelta(0)
    at = microseconds(now() + ahead) if past is None else past
    reached: dict[_Key, int] = {}
    dates = {at}
    for keys in pieces:
        given = tuple(value for key in keys for value in (*key, wanted[key], at))
        for scope, scope_id, event_kind, last, last_at in run(connection, _advancing(len(keys), kind), given):
            reached[scope, scope_id, event_kind] = last - wanted[scope, scope_id, event_kind]
            dates.add(last_at)
    if past is None and kind != "sqlite":
        dates.add(microseconds(now() + AHEAD))
    if len(dates) > 1:
        at = max(dates)
        for keys in pieces:
            given = (at, *(part for key in keys for part in key))
            run(connection, _dating(len(keys), kind), given)
    return reached, EPOCH + timedelta(microseconds=at)


# Statements of the driver: those of SQLAlchemy take several times as long, and each group of events needs them.
@cache
def _advancing(counters: int, kind: str) -> str:
    """Return the statement that moves counters on and returns them; on SQLite it dates them, too."""
    dated = ", last_at = max(event_counter.last_at, excluded.last_at)" if kind == "sqlite" else ""
    return f"""
        INSERT INTO event_counter (scope, scope_id, kind, last, last_at) VALUES {_rows(counters, 5, kind)}
        ON CONFLICT (scope, scope_id, kind) DO UPDATE SET last = event_counter.last + excluded.last {dated}
        RETURNING scope, scope_id, kind, last, last_at
    """  # noqa: S608 - placeholders


@cache
def _dating(counters: int, kind: str) -> str:
    """Return the statement that dates counters."""
    # SQLite would look through all counters for `(scope, scope_id, kind) IN (VALUES …)`.
    return f"""
        UPDATE event_counter SET last_at = {_PLACEHOLDERS[kind]} FROM (VALUES {_rows(counters, 3, kind)}) AS given
        WHERE scope = given.column1 AND scope_id = given.column2 AND event_counter.kind = given.column3
    """  # noqa: S608 - placeholders


_PLACEHOLDERS = {"sqlite": "?", "postgresql": "%s"}


def _rows(count: int, columns: int, kind: str) -> str:
    row = f"({', '.join([_PLACEHOLDERS[kind]] * columns)})"
    return ", ".join([row] * count)
