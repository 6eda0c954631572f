"""Recipients: single contacts of an account, with their lists and suppressions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.visibility import is_restricted, of_granted_list, of_visible_person, require_all_lists
from soapstone.addresses import address_key, is_address
from soapstone.contacts.changes import Cause, Change, Changes
from soapstone.errors import ConflictError, InvalidError
from soapstone.store.repository import Repository
from soapstone.store.tables import PERSON_FIELDS, contacts, lists, memberships, suppressions
from soapstone.store.unique import insert_unless_there
from soapstone.vocabulary.contacts import MembershipState, OptOutKind

# The fields that a caller may set.
FIELDS = ("email", "custom_id", *PERSON_FIELDS, "text_only")
# Most numbers in one query.
BATCH = 500


class RecipientExistsError(ConflictError):
    """Another contact has this address or custom id; `contact_id` is 0 if the login does not see it."""

    def __init__(self, contact_id: int) -> None:
        super().__init__(f"Contact {contact_id} has this address or custom id.")
        self.contact_id = contact_id


class NoIdentifierError(InvalidError):
    """The identifier is missing; `field` is "email" or "custom_id"."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is missing: it tells contacts apart here.")
        self.field = field


class UnknownListError(InvalidError):
    """The list does not exist."""

    def __init__(self, list_id: int) -> None:
        super().__init__(f"There is no list {list_id}.")
        self.list_id = list_id


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A contact. `fields` has the columns of FIELDS; `waiting` means unconfirmed on any list (mm-76).

    `channels_shut` holds the shut ones of email, fax and sms; email also if the address is suppressed or banned in the
    whole account. `suppressed_at` is the time of that.
    """

    id: int
    fields: Mapping[str, Any]
    unsubscribed: bool
    waiting: bool
    channels_shut: frozenset[str]
    suppressed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Contacts(Repository):
    """All contacts of one installation. Calls of a `login` do not find contacts that it does not see (`visibility`)."""

    def get(self, account_id: int, contact_id: int, *, login: Login | None = None) -> Contact | None:
        """Return the account's contact with this number."""
        found = self.many(account_id, [contact_id], login=login)
        return found[0] if found else None

    def many(self, account_id: int, contact_ids: Sequence[int], *, login: Login | None = None) -> list[Contact]:
        """Return the contacts with these numbers, in this order; unknown numbers are left out."""
        found: dict[int, Contact] = {}
        with self._database.read() as connection:
            for start in range(0, len(contact_ids), BATCH):
                some = contact_ids[start : start + BATCH]
                found |= {each.id: each for each in _some(connection, account_id, some, login)}
        return [found[number] for number in contact_ids if number in found]

    def find(self, account: Account, *, email: str = "", custom_id: str = "", login: Login | None = None) -> int | None:
        """Return the number of the contact with this address, or else with this custom id; of several the oldest."""
        with self._database.read() as connection:
            look = Change(connection, account, "", 0)
            if email.strip():
                found = look.with_address(email.strip())
                return next((number for number in found if _is_visible(look, number, login)), None)
            return look.find_custom(custom_id.strip(), *of_visible_person(login))

    def add(
        self,
        account: Account,
        fields: Mapping[str, Any],
        groups: Collection[int] = (),
        *,
        by: str = "API",
        login: Login | None = None,
    ) -> int:
        """Create a contact, put it onto lists of the account, and return its number (mm-72, mm-73).

        Raises NoIdentifierError, InvalidError for an invalid address, RecipientExistsError, UnknownListError, and
        ForbiddenError for a restricted login that gives no list; then nothing is stored.
        """
        values = _values(fields)
        if not groups:
            require_all_lists(login)
        with Changes(self._database).begin(account, by=by) as change:
            return self._add(change, values, groups, login)

    def create(self, account: Account, fields: Mapping[str, Any], groups: Collection[int] = ()) -> Contact:
        """Create a contact as `add` does, and return it as it is stored."""
        values = _values(fields)
        with Changes(self._database).begin(account) as change:
            number = self._add(change, values, groups, None)
            (made,) = _some(change.connection, account.id, [number], None)
            return made

    def _add(self, change: Change, values: Mapping[str, Any], groups: Collection[int], login: Login | None) -> int:
        self._check(change, values, None, login)
        _check_lists(change, groups, login)
        contact_id = change.add(**values)
        for list_id in sorted(set(groups)):
            change.join(list_id, contact_id)
        return contact_id

    def edit(
        self,
        account: Account,
        contact_id: int,
        fields: Mapping[str, Any],
        *,
        login: Login | None = None,
    ) -> bool:
        """Replace all fields of a contact; omitted fields are cleared (mm-74, mm-75). False for an unknown contact.

        Raises NoIdentifierError, InvalidError or RecipientExistsError.
        """
        values = {**dict.fromkeys(FIELDS, ""), "text_only": False, **_values(fields)}
        return self.change(account, contact_id, values, login=login)

    def change(
        self,
        account: Account,
        contact_id: int,
        fields: Mapping[str, Any],
        *,
        by: str = "API",
        login: Login | None = None,
    ) -> bool:
        """Change some fields of a contact. False for an unknown contact. Raises as `edit`."""
        with Changes(self._database).begin(account, by=by) as change:
            row = change.contact(contact_id)
            if row is None or not _is_visible(change, contact_id, login):
                return False
            values = _values(fields)
            self._check(change, {name: row[name] for name in FIELDS} | values, contact_id, login)
            change.edit(contact_id, values)
            if "email" in row["channels_shut"].split() and values.get("email"):
                # Nothing is sent to the contact, whatever its address.
                suppress(change, values["email"])
            return True

    def change_groups(
        self,
        account: Account,
        contact_id: int,
        joined: Collection[int],
        left: Collection[int],
        *,
        cause: Cause,
        login: Login | None = None,
    ) -> bool:
        """Put a contact onto lists and take it off others (mm-80, mm-81). False, without a change, if the contact or a
        list is unknown.

        A contact that left a list comes back to it; one that unsubscribed from everything, or from the list's category,
        stays unsubscribed.
        """
        with Changes(self._database).begin(account) as change:
            if change.contact(contact_id) is None or not _is_visible(change, contact_id, login):
                return False
            try:
                _check_lists(change, {*joined, *left}, login)
            except UnknownListError:
                return False
            for list_id in sorted(set(left)):
                if change.leave(list_id, contact_id):
                    change.opt_out(contact_id, OptOutKind.LIST, list_id)
                    change.log("unsubscribed", contact_id, list_id, cause=cause)
            for list_id in sorted(set(joined) - set(left)):
                change.opt_in(contact_id, OptOutKind.LIST, list_id)
                state = MembershipState.SUBSCRIBED
                if change.opted_out(contact_id, list_id):
                    state = MembershipState.UNSUBSCRIBED
                else:
                    change.let_others_in(contact_id, list_id)
                if change.membership(list_id, contact_id) is None:
                    change.join(list_id, contact_id, state=state)
                elif state == "subscribed":
                    change.move(list_id, contact_id, state)
            return True

    def lists_of(self, account_id: int, contact_id: int) -> list[int]:
        """Return the numbers of the lists that a contact is on and has not left, ascending."""
        member = memberships.c
        query = (
            select(member.list_id)
            .join(lists, lists.c.id == member.list_id)
            .join(contacts, contacts.c.id == member.contact_id)
            .where(member.contact_id == contact_id, member.account_id == account_id, lists.c.deleted_at.is_(None))
            .where((member.state != "unsubscribed") | contacts.c.unsubscribed_at.is_not(None))
            .order_by(member.list_id)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    @staticmethod
    def _check(change: Change, values: Mapping[str, Any], contact_id: int | None, login: Login | None) -> None:
        """Raise unless a contact may have these values; `contact_id` is the contact to change, None for a new one."""
        identifier, email = change.account.identifier, str(values.get("email") or "")
        if identifier == "email" and not email:
            raise NoIdentifierError("email")
        if identifier == "custom_id" and not values.get("custom_id"):
            raise NoIdentifierError("custom_id")
        if email and not is_address(email):
            raise InvalidError("The address is no e-mail address.")
        other = change.find(email) if identifier == "email" else change.find_custom(str(values["custom_id"]))
        if other is not None and contact_id not in change.sharing(other):
            raise RecipientExistsError(other if _is_visible(change, other, login) else 0)


def _some(connection: Connection, account_id: int, these: Sequence[int], login: Login | None) -> list[Contact]:
    query = select(contacts).where(contacts.c.account_id == account_id, contacts.c.id.in_(these))
    rows = connection.execute(query.where(*of_visible_person(login))).mappings().all()
    return complete(connection, account_id, rows, login=login)


def complete(
    connection: Connection, account_id: int, rows: Sequence[RowMapping], *, login: Login | None = None
) -> list[Contact]:
    """Build the contacts of some rows, with suppressions of their addresses and the lists that the login sees."""
    keys = {row["email_key"] for row in rows if row["email_key"]}
    blocked: dict[str, datetime] = {}
    suppressed = (
        select(suppressions.c.email_key, func.min(suppressions.c.created_at))
        .where(
            suppressions.c.account_id == account_id,
            suppressions.c.email_key.in_(keys),
            suppressions.c.list_id == 0,
        )
        .group_by(suppressions.c.email_key)
    )
    if keys:
        blocked = {row[0]: row[1] for row in connection.execute(suppressed)}
    member = memberships.c
    ids = [row["id"] for row in rows]
    waits = select(member.contact_id).where(member.contact_id.in_(ids), member.state == "waiting")
    waits = waits.where(*of_granted_list(login, member.list_id))
    waiting = set(connection.execute(waits).scalars()) if ids else set()
    people = []
    for row in rows:
        shut, since = set(row["channels_shut"].split()), [row["suppressed_at"]]
        if row["email_key"] in blocked:
            shut.add("email")
            since.append(blocked[row["email_key"]])
        moments = [moment for moment in since if moment is not None]
        people.append(
            Contact(
                id=row["id"],
                fields={name: row[name] for name in FIELDS},
                unsubscribed=row["unsubscribed_at"] is not None,
                waiting=row["id"] in waiting,
                channels_shut=frozenset(shut),
                suppressed_at=min(moments) if moments else None,
                created_at=row["created_at"],
                updated_at=row["updated_at"],
            )
        )
    return people


def suppress(change: Change, address: str) -> bool:
    """Suppress an address in the whole account; False if it is already."""
    # Concurrent suppressions do not wait for changes of contacts, so reading first would not be enough.
    return insert_unless_there(change.connection, suppressions, **_held(change, address), created_at=change.moment)


def release(change: Change, address: str) -> None:
    """Lift the suppression of an address in the whole account, if it has one; a ban stays."""
    change.connection.execute(delete(suppressions).filter_by(**_held(change, address)))


def _held(change: Change, address: str) -> dict[str, Any]:
    return {"account_id": change.account.id, "list_id": 0, "kind": "suppressed", "email_key": address_key(address)}


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns with their values, with addresses and custom ids stripped of white space."""
    values = {name: fields[name] for name in FIELDS if name in fields}
    for name in ("email", "custom_id"):
        if name in values:
            values[name] = str(values[name] or "").strip()
    return values


def _is_visible(change: Change, contact_id: int, login: Login | None) -> bool:
    """Return whether the login sees this contact of the account."""
    if not is_restricted(login):
        return True
    query = select(contacts.c.id).where(contacts.c.id == contact_id, *of_visible_person(login))
    return change.connection.execute(query).first() is not None


def _check_lists(change: Change, groups: Iterable[int], login: Login | None) -> None:
    wanted = set(groups)
    query = select(lists.c.id).where(
        lists.c.account_id == change.account.id, lists.c.id.in_(wanted), lists.c.deleted_at.is_(None)
    )
    query = query.where(*of_granted_list(login, lists.c.id))
    known = set(change.connection.execute(query).scalars()) if wanted else set()
    if wanted - known:
        raise UnknownListError(min(wanted - known))
