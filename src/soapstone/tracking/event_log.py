"""The log of mail events: gives each event its numbers and its date, and stores it.

Numbers ascend without gaps within a message and kind, so that a page of a report is one range of keys. The counters'
rows are locked until the commit, and the date is read under these locks: so dates ascend with the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import count, repeat
from typing import NamedTuple

from sqlalchemy import Connection

from soapstone.clock import now
from soapstone.store.bulk import insert_rows, run
from soapstone.store.tables import mail_events
from soapstone.store.timestamps import EPOCH
from soapstone.vocabulary.tracking import MailEventKind

# Dates lie ahead by this much, so that the commit comes before the date: a report up to now, whose reader continues
# from there next time, misses no event that is being stored.
AHEAD = timedelta(milliseconds=500)

# A counter: scope, number of the message, account or link, and kind.
_Key = tuple[str, int, str]
_COLUMNS = (
    "account_id",
    "message_id",
    "is_test",
    "kind",
    "at",
    "job_id",
    "delivery_id",
    "previous_at",
    "link_id",
    "number",
    "account_number",
    "first_number",
    "link_number",
)
# Counters in one statement.
_BATCH = 200


class NewEvent(NamedTuple):
    """An event without its numbers and date.

    `delivery_id` is None for mails tracked without persons. `has_contact` is False for addresses that are no contacts.
    `is_first` marks the first event of its kind of a mail. An event that `repeats` an earlier one has its date as
    `previous_at`, in microseconds since 1970, or None if that one is in the same batch. These matter for opens, reads
    and clicks only.
    """

    kind: MailEventKind
    account_id: int
    message_id: int
    job_id: int
    is_test: bool
    delivery_id: int | None
    has_contact: bool
    link_id: int | None = None
    previous_at: int | None = None
    is_first: bool = False
    repeats: bool = False

    @property
    def counters(self) -> tuple[_Key | None, ...]:
        """The counters that give `number`, `account_number`, `first_number` and `link_number`; None for no number."""
        scope = "test" if self.is_test else "message"
        counted = self.has_contact and not self.is_test
        link_scope = "test link" if self.is_test else "link"
        return (
            (scope, self.message_id, self.kind),
            ("account", self.account_id, self.kind) if counted else None,
            (scope, self.message_id, f"first {self.kind}") if self.is_first else None,
            None if self.link_id is None else (link_scope, self.link_id, self.kind),
        )


def append(connection: Connection, events: Sequence[NewEvent], dates: Sequence[int] | None = None) -> datetime:
    """Store events in their order and return their date; the caller's transaction should end soon afterwards.

    `dates` are those of events of the past, which ascend, in microseconds since 1970. Where the account has a later
    event of their kind already, they get no number within the account.
    """
    if not events:
        return now()
    if dates:
        events = _outside_the_account(connection, events, dates[0])
    # Many events have the same counters.
    groups = [(event.kind, event[1], event[2], event[4], event[6], event[7], event[9]) for event in events]
    sizes = Counter(groups)
    counters: dict[tuple[object, ...], tuple[_Key | None, ...]] = {}
    for group, event in zip(groups, events, strict=True):
        if group not in counters:
            counters[group] = event.counters
    wanted: Counter[_Key] = Counter()
    for group, size in sizes.items():
        for key in counters[group]:
            if key is not None:
                wanted[key] += size
    reached, at = _advance(connection, wanted, dates[-1] if dates else None)
    numbers: dict[_Key | None, Iterator[int | None]] = {key: count(last + 1) for key, last in reached.items()}
    numbers[None] = repeat(None)
    given = {group: tuple(numbers[key] for key in keys) for group, keys in counters.items()}
    moment = _microseconds(at)
    names = {kind: kind.value for kind in MailEventKind}
    rows = []
    for group, event, date in zip(groups, events, dates or repeat(moment, len(events)), strict=True):
        kind, account_id, message_id, job_id, is_test, delivery_id, _, link_id, previous_at, _, repeats = event
        if repeats and previous_at is None:
            previous_at = moment
        plain = (account_id, message_id, is_test, names[kind], date, job_id, delivery_id, previous_at, link_id)
        rows.append((*plain, *map(next, given[group])))
    insert_rows(connection, mail_events, _COLUMNS, rows)
    return at


def _outside_the_account(connection: Connection, events: Sequence[NewEvent], first: int) -> list[NewEvent]:
    """Return the events, those without a contact that would come behind later ones of their account."""
    keys = sorted({("account", each.account_id, each.kind.value) for each in events if each.has_contact})
    late: set[tuple[int, str]] = set()
    if keys:
        given = tuple(value for key in keys for value in (*key, 0, 0))
        rows = run(connection, _advancing(len(keys), connection.dialect.name), given)
        late = {(account_id, kind) for _, account_id, kind, _, last_at in rows if last_at > first}
    return [
        each._replace(has_contact=False) if late and (each.account_id, each.kind.value) in late else each
        for each in events
    ]


def _advance(connection: Connection, wanted: Counter[_Key], past: int | None) -> tuple[dict[_Key, int], datetime]:
    """Lock the counters and move them on; return where each one stood, and the date of the events.

    `past` is the date of the last one, if they are of the past.
    """
    # All transactions lock counters in the same order.
    ordered = sorted(wanted)
    pieces = [ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]
    moment = _microseconds(now()) if past is None else past
    reached: dict[_Key, int] = {}
    latest = moment
    for keys in pieces:
        given = tuple(value for key in keys for value in (*key, wanted[key], moment))
        rows = run(connection, _advancing(len(keys), connection.dialect.name), given)
        for scope, scope_id, kind, last, last_at in rows:
            reached[scope, scope_id, kind] = last - wanted[scope, scope_id, kind]
            latest = max(latest, last_at)
    # The clock may have been set back since the last event.
    at = max(_microseconds(now() + AHEAD) if past is None else past, latest)
    for keys in pieces:
        given = (at, *(part for key in keys for part in key))
        run(connection, _dating(len(keys), connection.dialect.name), given)
    return reached, EPOCH + timedelta(microseconds=at)


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


# Statements of the driver: those of SQLAlchemy take several times as long, and each group of events needs them.
@cache
def _advancing(counters: int, kind: str) -> str:
    """Return the statement that moves counters on and returns them."""
    return f"""
        INSERT INTO event_counter (scope, scope_id, kind, last, last_at) VALUES {_rows(counters, 5, kind)}
        ON CONFLICT (scope, scope_id, kind) DO UPDATE SET last = event_counter.last + excluded.last
        RETURNING scope, scope_id, kind, last, last_at
    """  # noqa: S608 - placeholders


@cache
def _dating(counters: int, kind: str) -> str:
    """Return the statement that dates counters."""
    among = _rows(counters, 3, kind)
    return f"""
        UPDATE event_counter SET last_at = {_PLACEHOLDERS[kind]} WHERE (scope, scope_id, kind) IN (VALUES {among})
    """  # noqa: S608 - placeholders


_PLACEHOLDERS = {"sqlite": "?", "postgresql": "%s"}


def _rows(count: int, columns: int, kind: str) -> str:
    row = f"({', '.join([_PLACEHOLDERS[kind]] * columns)})"
    return ", ".join([row] * count)
