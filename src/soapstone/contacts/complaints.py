"""Complaints of recipients (spam reports), reported by mailbox providers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from soapstone.contacts.changes import Cause, Change
from soapstone.contacts.contacts import suppress
from soapstone.store.ranges import behind, within
from soapstone.store.repository import Repository
from soapstone.store.tables import campaigns, contact_events, contacts, lists, memberships, messages
from soapstone.vocabulary.contacts import MembershipState


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """A complaint about a message of a campaign, if any; `number` is the contact's number on the list, 0 for none."""

    id: int
    at: datetime
    list_id: int
    list_name: str
    message_id: int
    subject: str
    campaign_id: int
    campaign_name: str
    number: int
    email: str
    provider: str


def complain(change: Change, contact_id: int, list_id: int | None, *, cause: Cause, provider: str) -> None:
    """Record a complaint: it ends the subscription to the list and suppresses the address (mm-123, lk-119)."""
    row = change.contact(contact_id)
    if row is None:
        return
    change.log("complained", contact_id, list_id, cause=cause, detail={"provider": provider})
    if list_id is not None:
        change.move(list_id, contact_id, MembershipState.UNSUBSCRIBED, cause=cause)
    if row["email_key"]:
        suppress(change, row["email"])


class Complaints(Repository):
    """Reads complaints."""

    def page(
        self,
        account_id: int,
        list_ids: Collection[int],
        *,
        at_from: datetime | None = None,
        at_before: datetime | None = None,
        after: tuple[datetime, int] | None = None,
        offset: int = 0,
        limit: int = 2000,
    ) -> list[Complaint]:
        """Return complaints of these lists by date, then number, after the pair `after`."""
        event, member = contact_events.c, memberships.c
        query = (
            select(
                event.id,
                event.at,
                lists.c.id.label("list_id"),
                lists.c.name.label("list_name"),
                func.coalesce(event.message_id, 0).label("message_id"),
                func.coalesce(messages.c.subject, "").label("subject"),
                func.coalesce(campaigns.c.id, 0).label("campaign_id"),
                func.coalesce(campaigns.c.name, "").label("campaign_name"),
                func.coalesce(member.number, 0).label("number"),
                contacts.c.email,
                func.coalesce(event.detail["provider"].as_string(), "").label("provider"),
            )
            .join(lists, lists.c.id == event.list_id)
            .join(contacts, contacts.c.id == event.contact_id)
            .join(
                memberships, (member.list_id == event.list_id) & (member.contact_id == event.contact_id), isouter=True
            )
            .join(
                messages,
                # A caller may give any number as the cause, even of another account's message.
                (messages.c.id == event.message_id) & (messages.c.account_id == event.account_id),
                isouter=True,
            )
            .join(campaigns, campaigns.c.id == messages.c.campaign_id, isouter=True)
            .where(event.account_id == account_id, event.kind == "complained", event.list_id.in_(list_ids))
            .where(*within(event.at, at_from, at_before), *behind(event.at, event.id, after))
            .order_by(event.at, event.id)
            .offset(offset)
            .limit(limit)
        )
        return self._database.records(Complaint, query)
