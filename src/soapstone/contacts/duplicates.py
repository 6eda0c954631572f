"""Merging duplicates: an operator merges the contacts of one mailbox into one (lk-64)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import RowMapping, delete, exists, func, insert, or_, select, update

from soapstone.accounts.account import Account
from soapstone.contacts.changes import Change, Changes
from soapstone.errors import ConflictError
from soapstone.store.repository import Repository
from soapstone.store.tables import (
    PERSON_FIELDS,
    accounts,
    contact_events,
    contacts,
    deliveries,
    jobs,
    memberships,
    opt_outs,
    sends,
)
from soapstone.vocabulary.contacts import Channel, MembershipState

# Of two states on one list, the stronger one stays.
STRONGER = {"unsubscribed": 3, "waiting": 2, "subscribed": 1}


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """A mailbox with several contacts: the number and address of the oldest, and those of the others."""

    contact_id: int
    email: str
    others: Mapping[int, str]


class Duplicates(Repository):
    """The duplicates of all accounts."""

    def counts(self) -> dict[str, int]:
        """Return the number of duplicates by account name; accounts without are left out."""
        query = (
            select(accounts.c.name, func.count().label("doubles"))
            .join(contacts, contacts.c.account_id == accounts.c.id)
            .where(contacts.c.double_of.is_not(None))
            .group_by(accounts.c.name)
            .order_by(accounts.c.name)
        )
        with self._database.read() as connection:
            return {row.name: row.doubles for row in connection.execute(query)}

    def merge(self, account: Account) -> Iterator[Mailbox]:
        """Merge the duplicates of an account into the oldest contacts of their mailboxes; yield each merged mailbox.

        Each mailbox is one transaction. Of two states on one list the stronger stays: unsubscribed before waiting
        before subscribed. Values of the oldest stay, missing ones come from the others; opt-outs and shut channels are
        united. Events and ledger rows of the others go to the oldest. Raises ConflictError while a job may hold contact
        numbers.
        """
        while True:
            with Changes(self._database).begin(account, by="Admin") as change:
                found = _next(change)
                if found is None:
                    return
                _require_rest(change)
                _merge(change, found)
            first, *others = found
            yield Mailbox(
                contact_id=first["id"], email=first["email"], others={row["id"]: row["email"] for row in others}
            )


def _next(change: Change) -> list[RowMapping] | None:
    """Return the contacts of the first mailbox with several, the oldest first; None if none is left."""
    mine = contacts.c.account_id == change.account.id
    query = select(func.min(contacts.c.double_of)).where(mine, contacts.c.double_of.is_not(None))
    oldest = change.connection.execute(query).scalar_one()
    if oldest is None:
        return None
    others = mine & contacts.c.double_of.is_not(None) & (contacts.c.double_of == oldest)
    query = select(contacts).where(or_(mine & (contacts.c.id == oldest), others))
    # Ordered by the database, or with the account beside both, SQLite would read the whole account.
    return sorted(change.connection.execute(query).mappings(), key=itemgetter("id"))


def _require_rest(change: Change) -> None:
    """Raise ConflictError while jobs use contact numbers: imports, sends that queue recipients or go to single
    contacts."""
    is_send = exists(select(sends.c.job_id).where(sends.c.job_id == jobs.c.id))
    to_people = jobs.c.request[("audience", "kind")].as_string() == "people"
    query = (
        select(jobs.c.id)
        .where(
            jobs.c.account_id == change.account.id,
            jobs.c.finished_at.is_(None),
            or_(~is_send, jobs.c.step == 0),
            or_(jobs.c.started_at.is_not(None), to_people),
        )
        .order_by(jobs.c.id)
        .limit(5)
    )
    if found := change.connection.execute(query).scalars().all():
        numbers = ", ".join(map(str, found))
        raise ConflictError(
            f"Jobs of this account still use contact numbers: {numbers}. Wait for their end, or cancel them."
        )


def _merge(change: Change, rows: Sequence[RowMapping]) -> None:
    connection, (first, *others) = change.connection, rows
    for row in others:
        _merge_memberships(change, first["id"], row["id"])
        _merge_opt_outs(change, first["id"], row["id"])
        for table in (contact_events, deliveries):
            connection.execute(update(table).where(table.c.contact_id == row["id"]).values(contact_id=first["id"]))
    connection.execute(delete(contacts).where(contacts.c.id.in_([row["id"] for row in others])))
    change.edit(first["id"], _united(rows))
    for member in change.memberships(first["id"]):
        # The contact that opted out may be another one than the subscribed one.
        if member["state"] != "unsubscribed" and change.opted_out(first["id"], member["list_id"]):
            change.move(member["list_id"], first["id"], MembershipState.UNSUBSCRIBED)
    change.log("changed", first["id"], detail={"merged": {str(row["id"]): row["email"] for row in others}})


def _united(rows: Sequence[RowMapping]) -> dict[str, Any]:
    """Return the columns of the merged contact."""
    values: dict[str, Any] = {
        name: next((row[name] for row in rows if row[name]), "") for name in ("custom_id", *PERSON_FIELDS)
    }
    for name in ("unsubscribed_at", "suppressed_at"):
        values[name] = min((row[name] for row in rows if row[name] is not None), default=None)
    shut = {channel for row in rows for channel in row["channels_shut"].split()}
    return values | {"channels_shut": " ".join(channel for channel in Channel if channel in shut)}


def _merge_memberships(change: Change, contact_id: int, other_id: int) -> None:
    connection, table = change.connection, memberships.c
    theirs = connection.execute(select(memberships).where(table.contact_id == other_id)).mappings().all()
    for member in theirs:
        list_id = member["list_id"]
        here = update(memberships).where(table.list_id == list_id)
        own = change.membership(list_id, contact_id)
        if own is None:
            connection.execute(here.where(table.contact_id == other_id).values(contact_id=contact_id))
            continue
        profile = {**member["profile"], **own["profile"]}
        written = {**(member["form_values"] or {}), **(own["form_values"] or {})}
        marks = {name: value for name, value in written.items() if profile.get(name) == value}
        change.set_profile(list_id, contact_id, profile, form_values=marks)
        if STRONGER[member["state"]] > STRONGER[own["state"]]:
            change.move(list_id, contact_id, member["state"])
            since = {name: member[name] for name in ("removed_at", "removed_by")}
            connection.execute(here.where(table.contact_id == contact_id).values(**since))
        connection.execute(delete(memberships).where(table.list_id == list_id, table.contact_id == other_id))
        change.count(list_id, members=-1, subscribed=-int(member["state"] == "subscribed"))


def _merge_opt_outs(change: Change, contact_id: int, other_id: int) -> None:
    connection, table = change.connection, opt_outs.c
    for row in connection.execute(select(opt_outs).where(table.contact_id == other_id)).mappings().all():
        same = select(table.kind).filter_by(contact_id=contact_id, kind=row["kind"], target_id=row["target_id"])
        if connection.execute(same).first() is None:
            connection.execute(insert(opt_outs).values({**row, "contact_id": contact_id}))
    connection.execute(delete(opt_outs).where(table.contact_id == other_id))
