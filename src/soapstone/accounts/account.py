"""Accounts and their logins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, delete, insert, select, update

from soapstone.accounts.passwords import hash_password
from soapstone.store.database import Database
from soapstone.store.instants import now
from soapstone.store.tables import accounts, allowed_addresses, api_tokens, contacts, granted_lists, logins, sessions
from soapstone.store.unique import looks_again

# What an unsubscribe can be about (mm-120).
UNSUBSCRIBE_TYPES = ("all", "lists", "message_categories", "list_categories")


class NameTaken(Exception):
    """An account or login of that name exists."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A customer. `identifier` says what makes a contact unique: "email" or "custom_id" (mm-53).

    `unsubscribe_type` says what an unsubscribe is about: "all", "lists", "message_categories" or "list_categories"
    (mm-120). `field_labels` are the account's own names of contact fields, by column.
    """

    id: int
    name: str
    parent_id: int | None
    parent_name: str | None
    identifier: str
    time_zone: str
    unsubscribe_type: str
    field_labels: Mapping[str, str]

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the account's wall-clock times."""
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, kw_only=True)
class Login:
    """A person or program that works for an account. Without `all_lists` it sees only the lists it was granted."""

    id: int
    account_id: int
    name: str
    may_call_api: bool
    may_see_analytics: bool
    all_lists: bool

    @classmethod
    def of(cls, row: Row[Any]) -> Login:
        """The login in a row of the table."""
        return cls(
            id=row.id,
            account_id=row.account_id,
            name=row.name,
            may_call_api=row.may_call_api,
            may_see_analytics=row.may_see_analytics,
            all_lists=row.all_lists,
        )


class Accounts:
    """All accounts and logins of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @looks_again
    def create(self, name: str, *, time_zone: str, identifier: str = "email", parent: str | None = None) -> Account:
        """Create an account; its name is kept in upper case (mm-10). Raises NameTaken, LookupError for the parent."""
        ZoneInfo(time_zone)
        with self._database.write() as connection:
            if connection.execute(select(accounts.c.id).where(accounts.c.name == name.upper())).first():
                raise NameTaken(f"there is an account {name.upper()} already")
            parent_id = None
            if parent is not None:
                parent_id = connection.execute(
                    select(accounts.c.id).where(accounts.c.name == parent.upper())
                ).scalar_one_or_none()
                if parent_id is None:
                    raise LookupError(f"there is no account {parent.upper()}")
            values = {
                "name": name.upper(),
                "time_zone": time_zone,
                "identifier": identifier,
                "parent_id": parent_id,
                "created_at": now(),
            }
            connection.execute(insert(accounts).values(**values))
        created = self.named(name)
        assert created is not None  # noqa: S101 - it was just committed
        return created

    def named(self, name: str) -> Account | None:
        """The account of that name, letter case aside."""
        return self._one(accounts.c.name == name.upper())

    def get(self, account_id: int) -> Account | None:
        """The account of that number."""
        return self._database.recall(("account", account_id), lambda: self._one(accounts.c.id == account_id))

    def all(self) -> list[Account]:
        """All accounts by name."""
        with self._database.read() as connection:
            rows = connection.execute(_query().order_by(accounts.c.name)).all()
        return [_account(row) for row in rows]

    def reach(self, account_id: int) -> dict[str, int]:
        """The accounts that a login of this account may name: its own and its children, name → number (mm-15)."""
        return dict(self._database.recall(("reach", account_id), lambda: self._reach(account_id)))

    def has_children(self, account_id: int) -> bool:
        """Whether other accounts name this one as their parent."""
        with self._database.read() as connection:
            return (
                connection.execute(select(accounts.c.id).where(accounts.c.parent_id == account_id)).first() is not None
            )

    @looks_again
    def add_login(
        self,
        account: Account,
        name: str,
        password: str,
        *,
        may_call_api: bool = True,
        may_see_analytics: bool = True,
        lists: Sequence[int] | None = None,
    ) -> Login:
        """Create a login; `lists` restricts it to those lists. Raises NameTaken."""
        hashed = hash_password(password)
        with self._database.write() as connection:
            if connection.execute(select(logins.c.id).where(logins.c.name_key == name.casefold())).first():
                raise NameTaken(f"there is a login {name} already")
            values = {
                "account_id": account.id,
                "name": name,
                "name_key": name.casefold(),
                "password_hash": hashed,
                "may_call_api": may_call_api,
                "may_see_analytics": may_see_analytics,
                "all_lists": lists is None,
                "created_at": now(),
            }
            row = connection.execute(insert(logins).values(**values).returning(logins)).one()
            for list_id in lists or ():
                connection.execute(insert(granted_lists).values(login_id=row.id, list_id=list_id))
        return Login.of(row)

    def logins(self, account: Account) -> list[tuple[Login, list[int]]]:
        """The account's logins by number, each with the lists that it was granted."""
        mine = logins.c.account_id == account.id
        with self._database.read() as connection:
            found = [Login.of(row) for row in connection.execute(select(logins).where(mine).order_by(logins.c.id))]
            query = select(granted_lists).join(logins, logins.c.id == granted_lists.c.login_id).where(mine)
            granted = connection.execute(query.order_by(granted_lists.c.list_id)).all()
        return [(each, [row.list_id for row in granted if row.login_id == each.id]) for each in found]

    def permit(
        self,
        account: Account,
        name: str,
        *,
        may_call_api: bool | None = None,
        may_see_analytics: bool | None = None,
        lists: Sequence[int] | None = None,
        all_lists: bool = False,
    ) -> bool:
        """Change what a login of the account may do; `lists` are all that it sees (lk-9). None leaves as is.

        False when the account has no such login.
        """
        given = {"may_call_api": may_call_api, "may_see_analytics": may_see_analytics}
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if all_lists or lists is not None:
            values["all_lists"] = all_lists
        mine = (logins.c.account_id == account.id) & (logins.c.name_key == name.casefold())
        with self._database.write() as connection:
            login_id = connection.execute(select(logins.c.id).where(mine).with_for_update()).scalar_one_or_none()
            if login_id is None:
                return False
            if values:
                connection.execute(update(logins).where(mine).values(**values))
            if all_lists or lists is not None:
                connection.execute(delete(granted_lists).where(granted_lists.c.login_id == login_id))
                for list_id in () if all_lists else sorted(set(lists or ())):
                    connection.execute(insert(granted_lists).values(login_id=login_id, list_id=list_id))
            return True

    def has_login(self, name: str) -> bool:
        """Whether there is a login of that name, in any account."""
        with self._database.read() as connection:
            return (
                connection.execute(select(logins.c.id).where(logins.c.name_key == name.casefold())).first() is not None
            )

    def set_password(self, name: str, password: str) -> bool:
        """Change a login's password, end its sessions and revoke its tokens; False when there is no such login."""
        hashed = hash_password(password)
        with self._database.write() as connection:
            query = update(logins).where(logins.c.name_key == name.casefold()).values(password_hash=hashed)
            login_id = connection.execute(query.returning(logins.c.id)).scalar_one_or_none()
            connection.execute(delete(sessions).where(sessions.c.login_id == login_id))
            connection.execute(delete(api_tokens).where(api_tokens.c.login_id == login_id))
            return login_id is not None

    def allow_addresses(self, account: Account, networks: Sequence[str]) -> None:
        """Restrict the account's API calls to these networks (`192.0.2.0/24`); none means no restriction (lk-9)."""
        checked = canonical(networks)
        with self._database.write() as connection:
            connection.execute(allowed_addresses.delete().where(allowed_addresses.c.account_id == account.id))
            for network in checked:
                connection.execute(insert(allowed_addresses).values(account_id=account.id, network=network))

    def networks(self, account: Account) -> list[str]:
        """The networks from which the account may be called; none means from anywhere (lk-9)."""
        query = select(allowed_addresses.c.network).where(allowed_addresses.c.account_id == account.id)
        with self._database.read() as connection:
            return sorted(connection.execute(query).scalars())

    def change(self, account: Account, **values: Any) -> Account:
        """Change settings of an account: `time_zone`, `unsubscribe_type`, `field_labels`, and `identifier` while it
        has no contacts. Raises ValueError with a sentence for values that cannot be."""
        if unknown := values.keys() - {"time_zone", "unsubscribe_type", "field_labels", "identifier"}:
            raise TypeError(f"no settings of an account: {sorted(unknown)}")
        if "time_zone" in values:
            try:
                ZoneInfo(values["time_zone"])
            except (KeyError, ValueError, OSError):
                raise ValueError(f"There is no time zone {values['time_zone']}") from None
        if values.get("unsubscribe_type", UNSUBSCRIBE_TYPES[0]) not in UNSUBSCRIBE_TYPES:
            raise ValueError(f"An unsubscribe is about one of {', '.join(UNSUBSCRIBE_TYPES)}")
        if values.get("identifier", "email") not in ("email", "custom_id"):
            raise ValueError("Contacts are identified by email or custom_id")
        with self._database.write() as connection:
            mine = accounts.c.id == account.id
            held = connection.execute(select(accounts.c.identifier).where(mine).with_for_update()).scalar_one()
            if values.get("identifier", held) != held:
                people = select(contacts.c.id).where(contacts.c.account_id == account.id)
                if connection.execute(people.limit(1)).first() is not None:
                    raise ValueError("The identifier cannot be changed any more: the account has contacts")
            if values:
                connection.execute(update(accounts).where(mine).values(**values))
        changed = self._one(accounts.c.id == account.id)
        assert changed is not None  # noqa: S101 - it was just there
        return changed

    def _reach(self, account_id: int) -> dict[str, int]:
        mine = (accounts.c.id == account_id) | (accounts.c.parent_id == account_id)
        with self._database.read() as connection:
            rows = connection.execute(select(accounts.c.name, accounts.c.id).where(mine)).all()
        return {row.name: row.id for row in rows}

    def _one(self, condition: ColumnElement[bool]) -> Account | None:
        with self._database.read() as connection:
            row = connection.execute(_query().where(condition)).one_or_none()
        return None if row is None else _account(row)


def canonical(networks: Sequence[str]) -> list[str]:
    """Networks as they are stored, each once. Raises ValueError for one that is none."""
    return list(dict.fromkeys(str(ip_network(network)) for network in networks))


_parents = accounts.alias("parent")


def _query() -> Select[Any]:
    return select(accounts, _parents.c.name.label("parent_name")).join(
        _parents, _parents.c.id == accounts.c.parent_id, isouter=True
    )


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        parent_id=row.parent_id,
        parent_name=row.parent_name,
        identifier=row.identifier,
        time_zone=row.time_zone,
        unsubscribe_type=row.unsubscribe_type,
        field_labels=row.field_labels,
    )
