"""External events, which calls and imports raise for the contacts of a list (lk-120, lk-123)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from soapstone.clock import now
from soapstone.lists.names import checked_name
from soapstone.store.numbers import add_row
from soapstone.store.repository import Repository
from soapstone.store.tables import external_events


@dataclass(frozen=True, kw_only=True)
class ExternalEvent:
    """An event of a list; an inactive one cannot be raised."""

    id: int
    account_id: int
    list_id: int
    name: str
    active: bool
    created_at: datetime
    updated_at: datetime


class ExternalEvents(Repository):
    """All external events of one installation."""

    def add(self, account_id: int, list_id: int, name: str, *, number: int | None = None) -> ExternalEvent:
        """Create an event of a list; `number` as for add_row. Raises InvalidError and ConflictError."""
        moment = now()
        values = {"account_id": account_id, "list_id": list_id, "name": checked_name(name, "event")}
        values |= {"created_at": moment, "updated_at": moment}
        with self._database.write() as connection:
            return ExternalEvent(**add_row(connection, external_events, values, number))

    def get(self, account_id: int, event_id: int) -> ExternalEvent | None:
        """Return the account's event with this number."""
        table = external_events.c
        query = select(external_events).where(table.account_id == account_id, table.id == event_id)
        return self._database.record(ExternalEvent, query)

    def all(self, list_id: int) -> list[ExternalEvent]:
        """Return the events of a list by number."""
        query = select(external_events).where(external_events.c.list_id == list_id).order_by(external_events.c.id)
        return self._database.records(ExternalEvent, query)

    def change(
        self, account_id: int, event_id: int, *, name: str | None = None, active: bool | None = None
    ) -> ExternalEvent | None:
        """Rename an event, block it or make it active; None for an unknown one. Raises InvalidError."""
        values: dict[str, object] = {"updated_at": now()}
        if name is not None:
            values["name"] = checked_name(name, "event")
        if active is not None:
            values["active"] = active
        table = external_events.c
        query = update(external_events).where(table.account_id == account_id, table.id == event_id).values(**values)
        with self._database.write() as connection:
            row = connection.execute(query.returning(external_events)).mappings().one_or_none()
        return None if row is None else ExternalEvent(**row)


def active_events(connection: Connection, list_id: int, wanted: Collection[int]) -> list[int]:
    """Return the given numbers that are active events of the list, ascending (lk-51)."""
    if not wanted:
        return []
    table = external_events.c
    # A list has few; the given numbers may be too many for a statement.
    query = select(table.id).where(table.list_id == list_id, table.active).order_by(table.id)
    return [number for number in connection.execute(query).scalars() if number in wanted]


def numbers(text: str) -> frozenset[int]:
    """Return the numbers in comma-separated text; other items are ignored (lk-51)."""
    parts = (part.strip() for part in text.split(","))
    return frozenset(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= 10)
