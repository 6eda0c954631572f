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

from sqlalchemy import Connection, Executable, tuple_, update

from soapstone.clock import now
from soapstone.store.bulk import insert_rows
from soapstone.store.tables import event_counters, mail_events
from soapstone.store.timestamps import EPOCH
from soapstone.store.unique import insert_into
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
_KEY = tuple_(event_counters.c.scope, event_counters.c.scope_id, event_counters.c.kind)


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


def append(connection: Connection, events: Sequence[NewEvent]) -> datetime:
    """Store events in their order and return their date; the caller's transaction should end soon afterwards."""
    if not events:
        return now()
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
    reached, at = _advance(connection, wanted)
    numbers: dict[_Key | None, Iterator[int | None]] = {key: count(last + 1) for key, last in reached.items()}
    numbers[None] = repeat(None)
    given = {group: tuple(numbers[key] for key in keys) for group, keys in counters.items()}
    moment = (at - EPOCH) // timedelta(microseconds=1)
    names = {kind: kind.value for kind in MailEventKind}
    rows = []
    for group, event in zip(groups, events, strict=True):
        kind, account_id, message_id, job_id, is_test, delivery_id, _, link_id, previous_at, _, repeats = event
        if repeats and previous_at is None:
            previous_at = moment
        plain = (account_id, message_id, is_test, names[kind], moment, job_id, delivery_id, previous_at, link_id)
        rows.append((*plain, *map(next, given[group])))
    insert_rows(connection, mail_events, _COLUMNS, rows)
    return at


def _advance(connection: Connection, wanted: Counter[_Key]) -> tuple[dict[_Key, int], datetime]:
    """Lock the counters and move them on; return where each one stood, and the date of the events."""
    # All transactions lock counters in the same order.
    ordered = sorted(wanted)
    query = _advancing(connection.dialect.name)
    moment = now()
    reached: dict[_Key, int] = {}
    latest = moment
    for scope, scope_id, kind in ordered:
        values = {"scope": scope, "scope_id": scope_id, "kind": kind, "last_at": moment}
        row = connection.execute(query, values | {"last": wanted[scope, scope_id, kind]}).one()
        reached[scope, scope_id, kind] = row.last - wanted[scope, scope_id, kind]
        latest = max(latest, row.last_at)
    # The clock may have been set back since the last event.
    at = max(now() + AHEAD, latest)
    connection.execute(update(event_counters).where(_KEY.in_(ordered)).values(last_at=at))
    return reached, at


@cache
def _advancing(kind: str) -> Executable:
    """Return the statement that moves one counter on and returns its row, for a kind of database."""
    adding = insert_into(event_counters, kind)
    return adding.on_conflict_do_update(
        index_elements=[event_counters.c.scope, event_counters.c.scope_id, event_counters.c.kind],
        set_={"last": event_counters.c.last + adding.excluded.last},
    ).returning(*event_counters.c)
