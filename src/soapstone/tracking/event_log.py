"""The log of mail events: gives each event its numbers and its date, and stores it.

Numbers ascend without gaps within a message and kind, so that a page of a report is one range of keys. The counters'
rows are locked until the commit, and the date is read under these locks: so dates ascend with the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, tuple_, update

from soapstone.clock import now
from soapstone.store.tables import event_counters, mail_events
from soapstone.store.unique import insert_into
from soapstone.vocabulary.tracking import MailEventKind

# Dates lie ahead by this much, so that the commit comes before the date: a report up to now, whose reader continues
# from there next time, misses no event that is being stored.
AHEAD = timedelta(milliseconds=500)

# A counter: scope, number of the message, account or link, and kind.
_Key = tuple[str, int, str]
_KEY = tuple_(event_counters.c.scope, event_counters.c.scope_id, event_counters.c.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event without its numbers and date.

    `delivery_id` is None for mails tracked without persons. `has_contact` is False for addresses that are no contacts.
    `is_first` marks the first event of its kind of a mail. An event that `repeats` an earlier one has its date as
    `previous_at`, or None if that one is in the same batch. These matter for opens, reads and clicks only.
    """

    kind: MailEventKind
    account_id: int
    message_id: int
    job_id: int
    is_test: bool
    delivery_id: int | None
    has_contact: bool
    link_id: int | None = None
    previous_at: datetime | None = None
    is_first: bool = False
    repeats: bool = False

    @property
    def counters(self) -> dict[str, _Key]:
        """The counters that number the event, by the column of the number."""
        scope = "test" if self.is_test else "message"
        keys: dict[str, _Key] = {"number": (scope, self.message_id, self.kind)}
        if self.has_contact and not self.is_test:
            keys["account_number"] = ("account", self.account_id, self.kind)
        if self.is_first:
            keys["first_number"] = (scope, self.message_id, f"first {self.kind}")
        if self.link_id is not None:
            keys["link_number"] = ("test link" if self.is_test else "link", self.link_id, self.kind)
        return keys


def append(connection: Connection, events: Sequence[NewEvent]) -> datetime:
    """Store events in their order and return their date; the caller's transaction should end soon afterwards."""
    if not events:
        return now()
    keys = [event.counters for event in events]
    wanted = Counter(key for each in keys for key in each.values())
    reached, at = _advance(connection, wanted)
    taken: Counter[_Key] = Counter()
    rows = []
    for event, numbered in zip(events, keys, strict=True):
        row: dict[str, Any] = {
            "account_id": event.account_id,
            "message_id": event.message_id,
            "is_test": event.is_test,
            "kind": event.kind.value,
            "at": at,
            "job_id": event.job_id,
            "delivery_id": event.delivery_id,
            "previous_at": at if event.repeats and event.previous_at is None else event.previous_at,
            "link_id": event.link_id,
            "account_number": None,
            "first_number": None,
            "link_number": None,
        }
        for column, key in numbered.items():
            taken[key] += 1
            row[column] = reached[key] + taken[key]
        rows.append(row)
    connection.execute(insert(mail_events), rows)
    return at


def _advance(connection: Connection, wanted: Counter[_Key]) -> tuple[dict[_Key, int], datetime]:
    """Lock the counters and move them on; return where each one stood, and the date of the events."""
    # All transactions lock counters in the same order.
    ordered = sorted(wanted)
    adding = insert_into(event_counters, connection.dialect.name)
    query = adding.on_conflict_do_update(
        index_elements=[event_counters.c.scope, event_counters.c.scope_id, event_counters.c.kind],
        set_={"last": event_counters.c.last + adding.excluded.last},
    ).returning(*event_counters.c)
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
