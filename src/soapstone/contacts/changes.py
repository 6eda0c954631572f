"""Changes of contacts: one transaction on one account stores the changes together with their events.

Every change of single contacts or memberships goes through this module, from any interface. So the stored counts stay
right, and a contact's events are numbered in the order in which they happened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from soapstone.accounts.account import Account
from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.contacts.erased_addresses import erased_among
from soapstone.contacts.mailboxes import sharing, with_address
from soapstone.store.numbers import LARGEST
from soapstone.store.repository import Repository
from soapstone.store.tables import accounts, contact_events, contacts, lists, memberships, opt_outs, suppressions
from soapstone.store.unique import insert_unless_there
from soapstone.vocabulary.contacts import MembershipState, OptOutKind


class NumbersExhaustedError(Exception):
    """The account has given out all its 32-bit contact numbers."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """The reported cause of an unsubscribe: a message, a category of messages or of lists."""

    message_id: int | None = None
    message_category_id: int | None = None
    list_category_id: int | None = None


UNTOLD = Cause()


class Change:
    """One transaction on an account; see Changes.begin. Numbers of contacts and lists are those of this account.

    `by` says how the change came about (lk-110): `API`, `Import`, `Subscribe Form`, `Admin`, `Unsubscribe Link` …
    """

    def __init__(self, connection: Connection, account: Account, by: str, last_number: int) -> None:
        self.connection = connection
        self.account = account
        self.by = by
        self.moment: datetime = now()
        self._last_number = last_number

    # --- looking up -------------------------------------------------------------------------------------------------

    def find(self, address: str, list_id: int | None = None) -> int | None:
        """Return the contact with this address; of several, the oldest, members of the list first."""
        found = self.with_address(address)
        if list_id is not None and len(found) > 1:
            here = (memberships.c.list_id == list_id) & memberships.c.contact_id.in_(found)
            member = self.connection.execute(select(func.min(memberships.c.contact_id)).where(here)).scalar_one()
            return found[0] if member is None else int(member)
        return found[0] if found else None

    def with_address(self, address: str) -> Sequence[int]:
        """Return all contacts with this address, the oldest first, or none if it is empty."""
        if not address:
            return []
        query = with_address(self.account.identifier, self.connection.dialect.name)
        given = {"account_id": self.account.id, "key": address_key(address)}
        return sorted(self.connection.execute(query, given).scalars())

    def sharing(self, contact_id: int) -> list[int]:
        """Return all contacts of this one's mailbox, itself included, the oldest first (lk-64)."""
        if self.account.identifier != "email":
            return [contact_id]
        return sharing(self.connection, self.account.id, [contact_id]).get(contact_id, [contact_id])

    def find_custom(self, custom_id: str, *conditions: ColumnElement[bool]) -> int | None:
        """Return the oldest contact with this custom id that meets the conditions; None for a blank id."""
        if not custom_id:
            return None
        mine = (contacts.c.account_id == self.account.id) & (contacts.c.custom_id == custom_id)
        known = contacts.c.custom_id != literal_column("''")
        query = select(func.min(contacts.c.id)).where(mine, known, *conditions)
        found: int | None = self.connection.execute(query).scalar_one()
        return found

    def contact(self, contact_id: int) -> RowMapping | None:
        """Return the contact's row; None if the account does not have the contact."""
        mine = (contacts.c.account_id == self.account.id) & (contacts.c.id == contact_id)
        return self.connection.execute(select(contacts).where(mine)).mappings().one_or_none()

    def membership(self, list_id: int, contact_id: int) -> RowMapping | None:
        """Return the contact's membership of the list, in any state; None for no member."""
        here = (memberships.c.list_id == list_id) & (memberships.c.contact_id == contact_id)
        return self.connection.execute(select(memberships).where(here)).mappings().one_or_none()

    def memberships(self, contact_id: int) -> list[RowMapping]:
        """Return the contact's memberships of all lists that are not deleted, by list."""
        query = (
            select(memberships)
            .join(lists, lists.c.id == memberships.c.list_id)
            .where(memberships.c.contact_id == contact_id, lists.c.deleted_at.is_(None))
            .order_by(memberships.c.list_id)
        )
        return list(self.connection.execute(query).mappings())

    def blocked(self, address: str, list_id: int = 0) -> Literal["banned", "suppressed"] | None:
        """Return the suppression of the address, on this list or in the whole account; banned goes first (lk-54)."""
        query = select(suppressions.c.kind).where(
            suppressions.c.account_id == self.account.id,
            suppressions.c.email_key == address_key(address),
            suppressions.c.list_id.in_((0, list_id)),
        )
        kinds = set(self.connection.execute(query).scalars())
        if not kinds and erased_among(self.connection, self.account.id, [address_key(address)]):
            return "suppressed"
        return "banned" if "banned" in kinds else "suppressed" if "suppressed" in kinds else None

    def opted_out(self, contact_id: int, list_id: int) -> bool:
        """Return whether the contact has opted out of this list, of its category, or of everything (mm-120).

        An opt-out is independent of a membership: it also holds for contacts that are not on the list. The opt-out of
        one contact holds for all of its mailbox (lk-64).
        """
        people = self.sharing(contact_id)
        left = select(contacts.c.id).where(contacts.c.id.in_(people), contacts.c.unsubscribed_at.is_not(None))
        against = select(opt_outs.c.kind).where(self._against(people, list_id))
        return any(self.connection.execute(query.limit(1)).first() is not None for query in (left, against))

    def left_as_other(self, contact_id: int, list_id: int) -> bool:
        """Return whether another contact of the same mailbox is unsubscribed from the list (lk-64)."""
        others = [other for other in self.sharing(contact_id) if other != contact_id]
        here = (memberships.c.list_id == list_id) & memberships.c.contact_id.in_(others)
        query = select(memberships.c.state).where(here, memberships.c.state == "unsubscribed")
        return bool(others) and self.connection.execute(query).first() is not None

    # --- changing ---------------------------------------------------------------------------------------------------

    def add(self, **values: Any) -> int:
        """Add a contact with these columns and return its number. The caller has checked that it is new."""
        moment = self.moment
        values |= {"account_id": self.account.id, "created_at": moment, "updated_at": moment}
        values |= self._keys(str(values.get("email", "")))
        made = self.connection.execute(insert(contacts).values(**values).returning(contacts.c.id)).scalar_one()
        self.log("added", made)
        self._keep_suppressed(values["email_key"])
        return int(made)

    def edit(self, contact_id: int, values: Mapping[str, Any]) -> bool:
        """Change columns of a contact; False, and no event, if nothing changes."""
        row = self.contact(contact_id)
        if row is None:
            raise LookupError(f"contact {contact_id} is not in account {self.account.id}")
        changed = {name: value for name, value in values.items() if row[name] != value}
        if not changed:
            return False
        stored = dict(changed)
        if "email" in changed and address_key(changed["email"]) != row["email_key"]:
            self._give_up_mailbox(row)
            stored |= self._keys(changed["email"]) | {"double_of": None}
        self.connection.execute(
            update(contacts).where(contacts.c.id == contact_id).values(**stored, updated_at=self.moment)
        )
        if "email" in changed:
            self._keep_suppressed(address_key(changed["email"]))
        old = {"old_email": row["email"]} if "email" in changed else {}
        self.log("changed", contact_id, detail={"fields": sorted(changed), **old})
        return True

    def join(
        self,
        list_id: int,
        contact_id: int,
        *,
        state: MembershipState = MembershipState.SUBSCRIBED,
        profile: Mapping[str, str] | None = None,
        form_values: Mapping[str, str] | None = None,
    ) -> int:
        """Put a contact on a list and return its number there. It must not be on the list in any state. Raises
        NumbersExhaustedError.

        `form_values` are the content blocks of the profile that the contact may have written.
        """
        if self._last_number >= LARGEST:
            raise NumbersExhaustedError
        self._last_number += 1
        number = self._last_number
        self.connection.execute(update(accounts).where(accounts.c.id == self.account.id).values(last_number=number))
        left = {"removed_at": self.moment, "removed_by": self.by} if state == "unsubscribed" else {}
        self.connection.execute(
            insert(memberships).values(
                list_id=list_id,
                contact_id=contact_id,
                account_id=self.account.id,
                number=number,
                state=state,
                added_at=self.moment,
                added_by=self.by,
                profile=_filled(profile or {}),
                form_values=dict(form_values) if form_values else null(),
                **left,
            )
        )
        self.count(list_id, members=1, subscribed=int(state == "subscribed"))
        self.log("joined", contact_id, list_id, detail={"state": state, "profile": _filled(profile or {})})
        return number

    def move(
        self,
        list_id: int,
        contact_id: int,
        state: MembershipState,
        *,
        cause: Cause = UNTOLD,
        part_of: int | None = None,
    ) -> bool:
        """Change the state of a member; False, and no event, if it has this state or is no member.

        A contact that is subscribed again counts as added now.
        """
        row = self.membership(list_id, contact_id)
        if row is None or row["state"] == state:
            return False
        values: dict[str, Any] = {"state": state}
        if state == "unsubscribed":
            values |= {"removed_at": self.moment, "removed_by": self.by}
        elif row["state"] == "unsubscribed":
            values |= {"removed_at": None, "removed_by": "", "added_at": self.moment, "added_by": self.by}
        here = (memberships.c.list_id == list_id) & (memberships.c.contact_id == contact_id)
        self.connection.execute(update(memberships).where(here).values(**values))
        self.count(list_id, subscribed=int(state == "subscribed") - int(row["state"] == "subscribed"))
        self.log(state, contact_id, list_id, cause=cause, part_of=part_of)
        return True

    def leave(self, list_id: int, contact_id: int) -> bool:
        """Delete a membership; False if the contact is not on the list."""
        row = self.membership(list_id, contact_id)
        if row is None:
            return False
        here = (memberships.c.list_id == list_id) & (memberships.c.contact_id == contact_id)
        self.connection.execute(delete(memberships).where(here))
        self.count(list_id, members=-1, subscribed=-int(row["state"] == "subscribed"))
        self.log("left", contact_id, list_id)
        return True

    def set_profile(
        self,
        list_id: int,
        contact_id: int,
        profile: Mapping[str, str],
        *,
        form_values: Mapping[str, str],
    ) -> bool:
        """Replace the profile values of a member, attribute number (as text) → value; False if none changes.

        `form_values` as for `join`.
        """
        row = self.membership(list_id, contact_id)
        if row is None:
            return False
        values, marks = _filled(profile), dict(form_values)
        here = (memberships.c.list_id == list_id) & (memberships.c.contact_id == contact_id)
        if (row["form_values"] or {}) != marks:
            self.connection.execute(update(memberships).where(here).values(form_values=marks or null()))
        if row["profile"] == values:
            return False
        self.connection.execute(update(memberships).where(here).values(profile=values))
        self.log("profile", contact_id, list_id, detail={"profile": values})
        return True

    def opt_out(self, contact_id: int, kind: OptOutKind, target_id: int, *, at: datetime | None = None) -> bool:
        """Store an opt-out of a list or category, made now or earlier; False if it is stored already."""
        values: dict[str, Any] = {"contact_id": contact_id, "kind": kind, "target_id": target_id}
        values |= {"account_id": self.account.id, "created_at": at or self.moment}
        return insert_unless_there(self.connection, opt_outs, **values)

    def copy_opt_outs(self, contact_id: int, new_id: int) -> None:
        """Give a new contact the opt-outs of another one and its mailbox."""
        query = select(opt_outs.c.kind, opt_outs.c.target_id).where(opt_outs.c.contact_id.in_(self.sharing(contact_id)))
        for kind, target_id in self.connection.execute(query).all():
            self.opt_out(new_id, kind, target_id)

    def opt_in(self, contact_id: int, kind: OptOutKind, target_id: int) -> None:
        """Delete one opt-out of all contacts of the mailbox."""
        here = opt_outs.c.contact_id.in_(self.sharing(contact_id))
        self.connection.execute(delete(opt_outs).where(here).filter_by(kind=kind, target_id=target_id))

    def clear_opt_outs(self, contact_id: int, list_id: int) -> None:
        """Delete everything that `opted_out` checks: the contact asked for this list (lk-52, lk-117). Its state stays.

        The contact did not ask for the other lists that there are: an opt-out of everything, or of a category, goes on
        as one of each of them.
        """
        people = self.sharing(contact_id)
        left = select(func.min(contacts.c.unsubscribed_at)).where(contacts.c.id.in_(people))
        against = self._against(people, list_id)
        by_category = select(func.min(opt_outs.c.created_at)).where(against, opt_outs.c.kind == "list_category")
        at, category_at = (self.connection.execute(query).scalar_one() for query in (left, by_category))
        self.connection.execute(delete(opt_outs).where(against))
        self.connection.execute(update(contacts).where(contacts.c.id.in_(people)).values(unsubscribed_at=None))
        if at is not None or category_at is not None:
            others = select(lists.c.id).where(
                lists.c.account_id == self.account.id, lists.c.id != list_id, lists.c.deleted_at.is_(None)
            )
            if at is None:
                category = select(lists.c.category_id).where(lists.c.id == list_id).scalar_subquery()
                others = others.where(lists.c.category_id == category)
            for other_id in self.connection.execute(others).scalars().all():
                self.opt_out(contact_id, OptOutKind.LIST, other_id, at=at or category_at)
        self.let_others_in(contact_id, list_id)

    def let_others_in(self, contact_id: int, list_id: int) -> None:
        """Subscribe the other contacts of the mailbox that are members, so that none blocks this one (lk-64)."""
        for other in self.sharing(contact_id):
            if other != contact_id:
                self.move(list_id, other, MembershipState.SUBSCRIBED)

    def count(self, list_id: int, *, members: int = 0, subscribed: int = 0) -> None:
        """Add to the stored counts of a list."""
        if members or subscribed:
            values = {"members": lists.c.members + members, "subscribed": lists.c.subscribed + subscribed}
            self.connection.execute(update(lists).where(lists.c.id == list_id).values(**values))

    def log(
        self,
        kind: str,
        contact_id: int,
        list_id: int | None = None,
        *,
        cause: Cause = UNTOLD,
        external_event_id: int | None = None,
        part_of: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Write an event of a contact (`ContactEventKind`) and return its number."""
        values = {
            "account_id": self.account.id,
            "contact_id": contact_id,
            "list_id": list_id,
            "kind": kind,
            "at": self.moment,
            "by": self.by,
            "message_id": cause.message_id,
            "message_category_id": cause.message_category_id,
            "list_category_id": cause.list_category_id,
            "external_event_id": external_event_id,
            "part_of": part_of,
            "detail": dict(detail or {}),
        }
        query = insert(contact_events).values(**values).returning(contact_events.c.id)
        return int(self.connection.execute(query).scalar_one())

    def _against(self, contact_ids: Collection[int], list_id: int) -> ColumnElement[bool]:
        """Return a condition for opt-outs of a mailbox, given by its contacts, that concern a list."""
        category = select(lists.c.category_id).where(lists.c.id == list_id).scalar_subquery()
        return and_(
            opt_outs.c.contact_id.in_(contact_ids),
            or_(
                and_(opt_outs.c.kind == "list", opt_outs.c.target_id == list_id),
                and_(opt_outs.c.kind == "list_category", opt_outs.c.target_id == category),
            ),
        )

    def _keys(self, address: str) -> dict[str, str | None]:
        """Return the columns with the comparable form of an address; no contact has a missing one."""
        key = address_key(address)
        return {"email_key": key, "unique_email": key or None if self.account.identifier == "email" else None}

    def _keep_suppressed(self, key: str) -> None:
        """Suppress the address of a deleted contact that is added again: it gets no mail until that is undone."""
        if erased_among(self.connection, self.account.id, [key]):
            values = {"account_id": self.account.id, "list_id": 0, "kind": "suppressed", "email_key": key}
            insert_unless_there(self.connection, suppressions, **values, created_at=self.moment)

    def _give_up_mailbox(self, row: RowMapping) -> None:
        """Hand the mailbox, which the contact leaves, to the next oldest contact of it, if any."""
        others = [other for other in self.sharing(row["id"]) if other != row["id"]]
        if not others or row["double_of"] is not None:
            return
        own = update(contacts).where(contacts.c.id == row["id"])
        self.connection.execute(own.values(unique_email=None))
        heir = update(contacts).where(contacts.c.id == others[0])
        self.connection.execute(heir.values(unique_email=row["email_key"], double_of=None))
        rest = update(contacts).where(contacts.c.id.in_(others[1:]))
        self.connection.execute(rest.values(double_of=others[0]))


class Changes(Repository):
    """Opens change transactions."""

    @contextmanager
    def begin(self, account: Account, *, by: str = "API", durable: bool = False) -> Iterator[Change]:
        """Yield a transaction that changes contacts of an account; commit it at the end, all or nothing.

        Other changes of contacts of this account, imports included, wait until then: what was read stays true.
        `durable` is for changes that queue a job (Database.write).
        """
        with self._database.write(durable=durable) as connection:
            yield change_within(connection, account, by=by)


def change_within(connection: Connection, account: Account, *, by: str) -> Change:
    """Return a change that is part of the caller's transaction: see Changes.begin."""
    held = select(accounts.c.last_number).where(accounts.c.id == account.id).with_for_update()
    return Change(connection, account, by, connection.execute(held).scalar_one())


def _filled(profile: Mapping[str, str]) -> dict[str, str]:
    """Return the profile without empty values."""
    return {attribute: value for attribute, value in profile.items() if value}
