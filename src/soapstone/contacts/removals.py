"""Removals: contacts whose subscription to a list ended because of a message."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select

from soapstone.store.ranges import within
from soapstone.store.repository import Repository
from soapstone.store.tables import contact_events, contacts, memberships
from soapstone.vocabulary.contacts import ContactEventKind


@dataclass(frozen=True, kw_only=True)
class Removal:
    """A contact that left a list because of a message, and the way it left (lk-110).

    `number` is the contact's number on the list (lk-35). It is 0, and `added_at` is None, for a contact that is not on
    the list any more.
    """

    number: int
    email: str
    added_at: datetime | None
    removed_at: datetime
    removed_by: str


class Removals(Repository):
    """Reads the removals that messages caused; people are counted, not events (lk-112)."""

    def counts(self, account_id: int, list_id: int, message_ids: Collection[int]) -> dict[int, int]:
        """Return the number of contacts that left the list because of each message; those of nobody are left out."""
        event = contact_events.c
        query = (
            select(event.message_id, func.count(event.contact_id.distinct()))
            .where(
                event.message_id.in_(message_ids),
                event.kind == ContactEventKind.UNSUBSCRIBED,
                event.account_id == account_id,
                event.list_id == list_id,
            )
            .group_by(event.message_id)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def page(
        self,
        account_id: int,
        message_id: int,
        list_ids: Collection[int],
        *,
        removed_from: datetime | None = None,
        removed_before: datetime | None = None,
        offset: int = 0,
        limit: int = 2500,
    ) -> list[Removal]:
        """Return who left these lists because of a message within a range, by date, then by event.

        A contact that left several times, or several lists, is there once, with the first time within the range.
        """
        event, member = contact_events.c, memberships.c
        first = select(func.min(event.id)).where(
            event.message_id == message_id,
            event.kind == ContactEventKind.UNSUBSCRIBED,
            event.account_id == account_id,
            event.list_id.in_(list_ids),
            *within(event.at, removed_from, removed_before),
        )
        query = (
            select(
                func.coalesce(member.number, 0).label("number"),
                contacts.c.email,
                member.added_at,
                event.at.label("removed_at"),
                event.by.label("removed_by"),
            )
            .join(contacts, contacts.c.id == event.contact_id)
            .join(
                memberships,
                and_(member.list_id == event.list_id, member.contact_id == event.contact_id),
                isouter=True,
            )
            .where(event.id.in_(first.group_by(event.contact_id)))
            .order_by(event.at, event.id)
            .offset(offset)
            .limit(limit)
        )
        return self._database.records(Removal, query)
