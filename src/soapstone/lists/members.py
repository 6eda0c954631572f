"""The people on a list, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships


@dataclass(frozen=True, kw_only=True)
class Member:
    """A contact on a list: its 32-bit `number` (lk-35) and its `state`, one of subscribed, unsubscribed, waiting."""

    contact_id: int
    number: int
    email: str
    custom_id: str
    state: str
    added_at: datetime
    added_by: str


class Members:
    """Reads the members of lists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, list_id: int, *, state: str | None = None, offset: int = 0, limit: int = 2000) -> list[Member]:
        """Members by contact number, ascending; `state` picks some of them."""
        query = (
            select(
                memberships.c.contact_id,
                memberships.c.number,
                contacts.c.email,
                contacts.c.custom_id,
                memberships.c.state,
                memberships.c.added_at,
                memberships.c.added_by,
            )
            .join(contacts, contacts.c.id == memberships.c.contact_id)
            .where(memberships.c.list_id == list_id)
            .order_by(memberships.c.contact_id)
            .offset(offset)
            .limit(limit)
        )
        if state is not None:
            query = query.where(memberships.c.state == state)
        with self._database.read() as connection:
            return [Member(**row) for row in connection.execute(query).mappings()]
