"""Recent changes of lists' contacts, and the mail that a contact was sent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_no_hidden_list
from soapstone.store.ranges import within
from soapstone.store.repository import Repository
from soapstone.store.tables import contact_events, contacts, deliveries, memberships, messages, sends


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A contact that joined lists or was changed, the latest time of that, and the lists concerned."""

    contact_id: int
    at: datetime
    list_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Mailing:
    """A mail to a contact: number of the delivery, number and name of the message, time of sending, delivery state, and
    the mail server's last reply, if any."""

    delivery_id: int
    message_id: int
    name: str
    at: datetime | None
    state: str
    reply: str


class History(Repository):
    """Reads contact history."""

    def arrivals(
        self, list_ids: Collection[int], at_from: datetime | None, at_before: datetime | None
    ) -> list[Arrival]:
        """Return the subscribed contacts that were added to these lists within the range, by contact (mm-85)."""
        member = memberships.c
        query = select(member.contact_id, member.list_id, member.added_at).where(
            member.list_id.in_(list_ids), member.state == "subscribed"
        )
        return self._gathered(query.where(*within(member.added_at, at_from, at_before)))

    def changes(self, list_ids: Collection[int], at_from: datetime | None, at_before: datetime | None) -> list[Arrival]:
        """Return subscribers of these lists whose fields or profile changed within the range, by contact (mm-85)."""
        member, event = memberships.c, contact_events.c
        on_lists = (member.list_id.in_(list_ids)) & (member.state == "subscribed")
        records = (
            select(member.contact_id, member.list_id, contacts.c.updated_at)
            .join(contacts, contacts.c.id == member.contact_id)
            .where(on_lists, contacts.c.updated_at > contacts.c.created_at)
        )
        profiles = (
            select(member.contact_id, member.list_id, func.max(event.at).label("at"))
            .join(
                contact_events,
                (event.contact_id == member.contact_id) & (event.list_id == member.list_id) & (event.kind == "profile"),
            )
            .where(on_lists)
            .group_by(member.contact_id, member.list_id)
        )
        one = self._gathered(records.where(*within(contacts.c.updated_at, at_from, at_before)))
        other = self._gathered(profiles.where(*within(event.at, at_from, at_before)))
        return together(one, other)

    def mailings(self, account_id: int, contact_id: int, *, login: Login | None = None) -> list[Mailing]:
        """Return the deliveries to a contact, sent or pending, by number: of lists that the login sees, or of no list.
        Test mails are left out (mm-108)."""
        name = func.coalesce(func.nullif(messages.c.name, ""), messages.c.subject)
        query = (
            select(
                deliveries.c.id.label("delivery_id"),
                messages.c.id.label("message_id"),
                name.label("name"),
                deliveries.c.handed_at.label("at"),
                deliveries.c.state,
                deliveries.c.reply,
            )
            .join(messages, messages.c.id == deliveries.c.message_id)
            .where(
                deliveries.c.contact_id == contact_id,
                deliveries.c.account_id == account_id,
                deliveries.c.state != "skipped",
                ~deliveries.c.is_test,
            )
            .order_by(deliveries.c.id)
        )
        if seen := of_no_hidden_list(login, sends.c.list_id):
            query = query.join(sends, sends.c.job_id == deliveries.c.job_id).where(*seen)
        return self._database.records(Mailing, query)

    def _gathered(self, query: Any) -> list[Arrival]:
        found: dict[int, tuple[datetime, list[int]]] = {}
        with self._database.read() as connection:
            for contact_id, list_id, at in connection.execute(query):
                known = found.setdefault(contact_id, (at, []))
                known[1].append(list_id)
                found[contact_id] = (max(known[0], at), known[1])
        return [
            Arrival(contact_id=number, at=at, list_ids=tuple(sorted(ids)))
            for number, (at, ids) in sorted(found.items())
        ]


def together(*several: list[Arrival]) -> list[Arrival]:
    """Return one entry for each contact: the latest time, all lists."""
    found: dict[int, Arrival] = {}
    for each in (arrival for arrivals in several for arrival in arrivals):
        known = found.get(each.contact_id, each)
        ids = tuple(sorted({*known.list_ids, *each.list_ids}))
        found[each.contact_id] = Arrival(contact_id=each.contact_id, at=max(known.at, each.at), list_ids=ids)
    return [found[number] for number in sorted(found)]
