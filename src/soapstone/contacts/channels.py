"""Channels (e-mail, fax, SMS) that are shut for contacts (mm-123 to mm-126)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, literal_column, or_, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.visibility import of_granted_list, of_visible_person, require_all_lists
from soapstone.addresses import is_address
from soapstone.contacts.changes import Change, Changes
from soapstone.contacts.contacts import FIELDS, Contact, complete, release, suppress
from soapstone.store.ranges import within
from soapstone.store.repository import Repository
from soapstone.store.tables import contacts, memberships, suppressions
from soapstone.vocabulary.contacts import Channel, ContactEventKind

Identity = Literal["custom_id", "email", "fax"]


@dataclass(frozen=True)
class Shut:
    """How many contacts were created, and how many known ones were changed."""

    added: int
    updated: int


class Channels(Repository):
    """Shuts and opens channels, and reads the contacts for which they are shut."""

    def shut(
        self,
        account: Account,
        people: Sequence[Mapping[str, Any]],
        identity: Identity,
        channels: Collection[str],
        *,
        login: Login | None = None,
    ) -> Shut:
        """Shut channels for contacts, each given by one identifier; opens no channel (mm-125).

        Unknown contacts are created with the given fields. Entries without an identifier, or with an invalid address,
        are skipped. Raises ForbiddenError for a restricted login: this concerns the whole account.
        """
        require_all_lists(login)
        added = updated = 0
        with Changes(self._database).begin(account) as change:
            for person in people:
                key = str(person.get(identity) or "").strip()
                if not key or (identity == "email" and not is_address(key)):
                    continue
                found = _find(change, identity, key)
                if not found:
                    contact_id = _new(change, person)
                    if contact_id is None:
                        continue
                    _close(change, contact_id, channels)
                    added += 1
                updated += sum(_close(change, contact_id, channels) for contact_id in found)
        return Shut(added, updated)

    def open(self, account: Account, who: int | str, channel: Channel) -> int:
        """Open a channel for a contact and all of its mailbox, or for all contacts with an address.

        Return for how many it was shut.

        Opening that of e-mail lifts the suppression of the address in the whole account, which came with it. Bans,
        suppressions on a list and unsubscribes stay.
        """
        with Changes(self._database).begin(account) as change:
            people = change.with_address(who.strip()) if isinstance(who, str) else change.sharing(who)
            rows = [row for each in people if (row := change.contact(each)) and channel in row["channels_shut"].split()]
            for row in rows:
                left = " ".join(each for each in row["channels_shut"].split() if each != channel)
                change.edit(row["id"], {"channels_shut": left, "suppressed_at": row["suppressed_at"] if left else None})
                change.log(ContactEventKind.RELEASED, row["id"], detail={"channels": [channel]})
                if channel is Channel.EMAIL:
                    release(change, row["email"])
        return len(rows)

    def suppressed(
        self,
        account_id: int,
        *,
        list_id: int = 0,
        since_from: datetime | None = None,
        since_before: datetime | None = None,
        login: Login | None = None,
    ) -> list[Contact]:
        """Return contacts with a shut channel, by number: of a list, or for 0 all that the login sees."""
        blocked = (
            select(func.min(suppressions.c.created_at))
            .where(
                suppressions.c.account_id == account_id,
                suppressions.c.email_key == contacts.c.email_key,
                suppressions.c.list_id == 0,
            )
            .scalar_subquery()
        )
        keys = select(suppressions.c.email_key).where(
            suppressions.c.account_id == account_id, suppressions.c.list_id == 0
        )
        query = select(contacts).where(contacts.c.account_id == account_id, *of_visible_person(login))
        query = query.where(or_(contacts.c.channels_shut != "", contacts.c.email_key.in_(keys)))
        query = query.where(*within(func.coalesce(contacts.c.suppressed_at, blocked), since_from, since_before))
        if list_id:
            here = select(memberships.c.contact_id).where(memberships.c.list_id == list_id)
            query = query.where(contacts.c.id.in_(here))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(contacts.c.id)).mappings().all()
            return [
                recipient
                for start in range(0, len(rows), 500)
                for recipient in complete(connection, account_id, rows[start : start + 500], login=login)
            ]

    def profiles(self, contact_ids: Sequence[int], *, login: Login | None = None) -> dict[int, dict[str, str]]:
        """Return profile values by contact, of all lists that the login sees: attribute number → value."""
        found: dict[int, dict[str, str]] = {}
        with self._database.read() as connection:
            for start in range(0, len(contact_ids), 500):
                some = contact_ids[start : start + 500]
                query = select(memberships.c.contact_id, memberships.c.profile)
                query = query.where(*of_granted_list(login, memberships.c.list_id))
                for row in connection.execute(query.where(memberships.c.contact_id.in_(some))):
                    found.setdefault(row.contact_id, {}).update(row.profile)
        return found


def _find(change: Change, identity: Identity, key: str) -> list[int]:
    mine = contacts.c.account_id == change.account.id
    if identity == "email":
        return list(change.with_address(key))
    if identity == "custom_id":
        query = select(contacts.c.id).where(
            mine, contacts.c.custom_id == key, contacts.c.custom_id != literal_column("''")
        )
    else:
        query = select(contacts.c.id).where(mine, contacts.c.fax == key)
    return list(change.connection.execute(query.order_by(contacts.c.id)).scalars())


def _new(change: Change, person: Mapping[str, Any]) -> int | None:
    """Create an unknown contact; None for an invalid address or one of another contact."""
    values = {name: person[name] for name in FIELDS if person.get(name)}
    email = str(values.get("email", "")).strip()
    if email and (not is_address(email) or (change.account.identifier == "email" and change.find(email))):
        return None
    if email:
        values["email"] = email
    return change.add(**values)


def _close(change: Change, contact_id: int, channels: Collection[str]) -> bool:
    """Shut channels for a contact; False if they are shut already."""
    row = change.contact(contact_id)
    assert row is not None  # noqa: S101 - it was just found
    before = set(row["channels_shut"].split())
    after = before | set(channels)
    changed = bool("email" in channels and row["email"] and suppress(change, row["email"]))
    if after != before:
        shut = " ".join(channel for channel in Channel if channel in after)
        change.edit(contact_id, {"channels_shut": shut, "suppressed_at": row["suppressed_at"] or change.moment})
        changed = True
    if changed:
        change.log("suppressed", contact_id, detail={"channels": sorted(channels)})
    return changed
