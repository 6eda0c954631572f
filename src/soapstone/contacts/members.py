"""The members of a list, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, case, exists, literal, or_, select

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_visible_person
from soapstone.contacts.suppressions import WHOLE_ACCOUNT
from soapstone.store.ranges import behind, within
from soapstone.store.repository import Repository
from soapstone.store.tables import (
    PERSON_FIELDS,
    contact_events,
    contacts,
    lists,
    memberships,
    opt_outs,
    suppressions,
)
from soapstone.vocabulary.contacts import ContactEventKind


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


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A contact that is unsubscribed from a list, and the way that happened (lk-110).

    `number` is 0, and `added_at` is None, for a contact that is not on the list any more.
    """

    contact_id: int
    number: int
    email: str
    added_at: datetime | None
    removed_at: datetime
    removed_by: str


@dataclass(frozen=True, kw_only=True)
class KnownMember(Member):
    """A member with the contact's columns that are not empty, and its profile: attribute number (as text) → value.

    It may hold values of deleted attributes for a while. `suppression` is "suppressed" or "banned" for an address that
    gets no mail of the account, "suppressed on the list" for one that gets no mail of this list, else empty.
    `unsubscribed_at` is None unless the contact is unsubscribed.
    """

    suppression: str
    unsubscribed_at: datetime | None
    fields: Mapping[str, str]
    profile: Mapping[str, str]


class Members(Repository):
    """Reads the members of lists."""

    def page(
        self,
        list_id: int,
        *,
        state: str | None = None,
        added_from: datetime | None = None,
        added_before: datetime | None = None,
        after: int | None = None,
        offset: int = 0,
        limit: int = 2000,
    ) -> list[Member]:
        """Return members by contact, ascending, after `after`; filter by `state` and the range of joining."""
        member = memberships.c
        query = _members(list_id).where(*within(member.added_at, added_from, added_before))
        query = query.order_by(member.contact_id).offset(offset).limit(limit)
        if state is not None:
            query = query.where(member.state == state)
        if after is not None:
            query = query.where(member.contact_id > after)
        return self._database.records(Member, query)

    def get(self, list_id: int, contact_id: int) -> KnownMember | None:
        """Return a member in any state with its fields and profile; None if it is not on the list."""
        found = self.known(list_id, after=contact_id - 1, through=contact_id, limit=1)
        return found[0] if found else None

    def known(
        self, list_id: int, *, state: str | None = None, after: int = 0, through: int | None = None, limit: int = 2000
    ) -> list[KnownMember]:
        """Return members with their fields and profiles, by contact, after `after`."""
        member = memberships.c
        fields = [contacts.c[name].label(f"field_{name}") for name in PERSON_FIELDS]
        query = _members(list_id).add_columns(member.profile, *fields).where(member.contact_id > after)
        query = query.add_columns(_suppression(list_id), member.removed_at)
        query = query.order_by(member.contact_id).limit(limit)
        if state is not None:
            query = query.where(member.state == state)
        if through is not None:
            query = query.where(member.contact_id <= through)
        with self._database.read() as connection:
            return [_known(row) for row in connection.execute(query).mappings()]

    def removed(
        self,
        list_id: int,
        *,
        removed_from: datetime | None = None,
        removed_before: datetime | None = None,
        after: tuple[datetime, int] | None = None,
        offset: int = 0,
        limit: int = 2000,
        login: Login | None = None,
    ) -> list[Removed]:
        """Return who is unsubscribed from the list by time, then by contact, after the pair `after` (lk-34, lk-112).

        Besides members these are contacts that opted out of the list and are not on it: `editRecipientGroups` takes
        them off (mm-80). Of these a login gets those that it sees.
        """
        member, event = memberships.c, contact_events.c
        stayed = _unsubscribed(list_id).where(*within(member.removed_at, removed_from, removed_before))
        gone = _departed(list_id).where(*within(event.at, removed_from, removed_before))
        gone = gone.where(*of_visible_person(login, event.contact_id))
        stayed = stayed.where(*behind(member.removed_at, member.contact_id, after))
        gone = gone.where(*behind(event.at, event.contact_id, after))
        # Of the rows before a page, as many as have gone may be missing among the members before it.
        others = self._database.records(Removed, gone.limit(offset + limit)) if offset else []
        start = max(offset - len(others), 0)
        members = self._database.records(Removed, stayed.offset(start).limit(offset - start + limit))
        if not offset:
            if len(members) == limit:
                # No further than the members of the page: events are found by their date.
                gone = gone.where(event.at <= members[-1].removed_at)
            others = self._database.records(Removed, gone.limit(limit))
        known = {row.contact_id for row in members}
        rows = members + [row for row in others if row.contact_id not in known]
        rows.sort(key=lambda row: (row.removed_at, row.contact_id))
        return rows[offset - start :][:limit]


_MEMBER = ("contact_id", "number", "email", "custom_id", "state", "added_at", "added_by")


def _members(list_id: int) -> Select[Any]:
    member = memberships.c
    columns = [contacts.c[name] if name in ("email", "custom_id") else member[name] for name in _MEMBER]
    query = select(*columns).join_from(memberships, contacts, contacts.c.id == member.contact_id)
    return query.where(member.list_id == list_id)


def _unsubscribed(list_id: int) -> Select[Any]:
    """Return the query for `Removed` members, in their order."""
    member = memberships.c
    return (
        select(
            member.contact_id, member.number, contacts.c.email, member.added_at, member.removed_at, member.removed_by
        )
        .join(contacts, contacts.c.id == member.contact_id)
        .where(member.list_id == list_id, member.removed_at.is_not(None), member.state == "unsubscribed")
        .order_by(member.removed_at, member.contact_id)
    )


def _departed(list_id: int) -> Select[Any]:
    """Return the query for `Removed` contacts that are not on the list, in their order: when they last left it."""
    event, member, later = contact_events.c, memberships.c, contact_events.alias().c
    again = exists().where(
        later.contact_id == event.contact_id,
        later.id > event.id,
        later.list_id == list_id,
        later.kind == ContactEventKind.UNSUBSCRIBED,
    )
    opted_out = exists().where(
        opt_outs.c.contact_id == event.contact_id, opt_outs.c.kind == "list", opt_outs.c.target_id == list_id
    )
    return (
        select(
            event.contact_id,
            literal(0).label("number"),
            contacts.c.email,
            literal(None).label("added_at"),
            event.at.label("removed_at"),
            event.by.label("removed_by"),
        )
        .join(contacts, contacts.c.id == event.contact_id)
        .where(event.account_id == select(lists.c.account_id).where(lists.c.id == list_id).scalar_subquery())
        .where(event.kind == ContactEventKind.UNSUBSCRIBED, event.list_id == list_id, opted_out, ~again)
        .where(~exists().where(member.list_id == list_id, member.contact_id == event.contact_id))
        .order_by(event.at, event.contact_id)
    )


def _suppression(list_id: int) -> ColumnElement[str]:
    """Return the suppression that keeps a member from mail of the list, the wider one first."""
    held = suppressions.c

    def blocked(kind: str, where: int) -> ColumnElement[bool]:
        return exists().where(
            held.account_id == contacts.c.account_id,
            held.email_key == contacts.c.email_key,
            held.kind == kind,
            held.list_id == where,
        )

    # Members that opted out of a category before the list came into it still have their old state.
    category = select(lists.c.category_id).where(lists.c.id == list_id).scalar_subquery()
    opted_out = exists().where(
        opt_outs.c.contact_id == contacts.c.id, opt_outs.c.kind == "list_category", opt_outs.c.target_id == category
    )
    here = or_(blocked("banned", list_id), blocked("suppressed", list_id), opted_out)
    return case(
        (contacts.c.email_key == "", ""),
        (blocked("banned", WHOLE_ACCOUNT), "banned"),
        (blocked("suppressed", WHOLE_ACCOUNT), "suppressed"),
        (here, "suppressed on the list"),
        else_="",
    ).label("suppression")


def _known(row: RowMapping) -> KnownMember:
    fields = {name: row[f"field_{name}"] for name in PERSON_FIELDS}
    return KnownMember(
        **{name: row[name] for name in _MEMBER},
        suppression=row["suppression"],
        unsubscribed_at=row["removed_at"],
        fields={name: value for name, value in fields.items() if value},
        profile=row["profile"],
    )
