"""Accounts and their logins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select, update

from soapstone.accounts.audit import COMMAND_LINE, Actor, AuditAction, record
from soapstone.accounts.passwords import hash_password
from soapstone.clock import now
from soapstone.errors import InvalidError, NameTakenError, NotFoundError
from soapstone.store.repository import Repository
from soapstone.store.tables import (
    accounts,
    allowed_addresses,
    api_tokens,
    contacts,
    granted_lists,
    idempotent_answers,
    login_addresses,
    logins,
    sessions,
)
from soapstone.store.unique import looks_again
from soapstone.vocabulary.contacts import Identifier, UnsubscribeType
from soapstone.vocabulary.tracking import TrackingMode

# Purpose of a session → the right that its login needs.
SESSION_RIGHTS = {"magnetmail": "may_call_api", "console": "may_use_console"}
# The rights of a login, besides its granted lists.
RIGHTS = ("may_call_api", "may_see_analytics", "may_use_console", "may_choose_numbers")
# Those of a new login unless others are given.
DEFAULT_RIGHTS: Mapping[str, bool] = dict.fromkeys(RIGHTS, True) | {"may_choose_numbers": False}


@dataclass(frozen=True, kw_only=True)
class Account:
    """A customer. `identifier` is one of Identifier (mm-53), `unsubscribe_type` one of UnsubscribeType (mm-120),
    `tracking` one of TrackingMode.

    `field_labels` are the account's own names of contact fields, by column.
    """

    id: int
    name: str
    parent_id: int | None
    parent_name: str | None
    identifier: str
    time_zone: str
    unsubscribe_type: str
    tracking: str
    field_labels: Mapping[str, str]

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the account's wall-clock times."""
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, kw_only=True)
class Login:
    """Credentials of a person or program for an account. Without `all_lists` it sees only its granted lists.

    A disabled login may do nothing. `address` is the network address of the current call, empty when unknown.
    """

    id: int
    account_id: int
    name: str
    may_call_api: bool
    may_see_analytics: bool
    may_use_console: bool
    may_choose_numbers: bool
    all_lists: bool
    disabled: bool
    address: str = ""

    @property
    def actor(self) -> Actor:
        """The login in the audit trail."""
        return Actor(self.id, self.name, self.address)

    @classmethod
    def of(cls, row: Row[Any], address: str | None = None) -> Login:
        """Build the login from a row of the table and the address of the call."""
        return cls(
            **{name: getattr(row, name) for name in ("id", "account_id", "name", "all_lists", *RIGHTS)},
            disabled=row.disabled_at is not None,
            address=address or "",
        )


class Accounts(Repository):
    """All accounts and logins of one installation."""

    @looks_again
    def create(
        self,
        name: str,
        *,
        time_zone: str,
        identifier: str = "email",
        parent: str | None = None,
        by: Actor = COMMAND_LINE,
    ) -> Account:
        """Create an account; its name is kept in upper case (mm-10).

        Raises NameTakenError, NotFoundError for the parent, InvalidError for the time zone.
        """
        _check_zone(time_zone)
        with self._database.write() as connection:
            if connection.execute(select(accounts.c.id).where(accounts.c.name == name.upper())).first():
                raise NameTakenError(f"There is an account {name.upper()} already.")
            parent_id = None
            if parent is not None:
                parent_id = connection.execute(
                    select(accounts.c.id).where(accounts.c.name == parent.upper())
                ).scalar_one_or_none()
                if parent_id is None:
                    raise NotFoundError(f"There is no account {parent.upper()}.")
            number = _insert_account(connection, name, time_zone, identifier=identifier, parent_id=parent_id, by=by)
            return account_of(connection.execute(_query().where(accounts.c.id == number)).one())

    @looks_again
    def create_first(self, name: str, login: str, password: str, *, time_zone: str) -> bool:
        """Create an account with a login, both or nothing, unless an account exists. Return whether it was created.

        Raises InvalidError for the time zone.
        """
        if self.all():
            return False
        _check_zone(time_zone)
        hashed = hash_password(password)
        with self._database.write() as connection:
            if connection.execute(select(accounts.c.id).limit(1)).first():
                return False
            number = _insert_account(connection, name, time_zone)
            _insert_login(connection, number, login, hashed, DEFAULT_RIGHTS)
        return True

    def named(self, name: str) -> Account | None:
        """Return the account with this name, ignoring letter case."""
        return self._one(accounts.c.name == name.upper())

    def get(self, account_id: int) -> Account | None:
        """Return the account with this number."""
        return self._database.recall(("account", account_id), lambda: self._one(accounts.c.id == account_id))

    def all(self) -> list[Account]:
        """Return all accounts by name."""
        with self._database.read() as connection:
            rows = connection.execute(_query().order_by(accounts.c.name)).all()
        return [account_of(row) for row in rows]

    def reached(self, account_id: int, name: str) -> Account | None:
        """Return the account of that name that a login of this account may name: its own or a child (mm-15)."""
        key = name.upper()
        mine = (accounts.c.id == account_id) | (accounts.c.parent_id == account_id)
        return self._database.recall(("reached", account_id, key), lambda: self._one(mine & (accounts.c.name == key)))

    def has_children(self, account_id: int) -> bool:
        """Return whether other accounts name this one as their parent."""
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
        lists: Sequence[int] | None = None,
        is_demo: bool = False,
        by: Actor = COMMAND_LINE,
        **rights: bool,
    ) -> Login:
        """Create a login with these of RIGHTS; `lists` restricts it to those lists. With `is_demo` its password is
        published.

        Raises NameTakenError.
        """
        _check_rights(rights)
        hashed = hash_password(password)
        with self._database.write() as connection:
            if connection.execute(select(logins.c.id).where(logins.c.name_key == name.casefold())).first():
                raise NameTakenError(f"There is a login {name} already.")
            rights = {**DEFAULT_RIGHTS, **rights}
            return _insert_login(connection, account.id, name, hashed, rights, lists=lists, is_demo=is_demo, by=by)

    def logins(self, account: Account) -> list[tuple[Login, list[int]]]:
        """Return the account's logins by number, each with its granted lists."""
        mine = (logins.c.account_id == account.id) & logins.c.deleted_at.is_(None)
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
        lists: Sequence[int] | None = None,
        all_lists: bool = False,
        disabled: bool | None = None,
        by: Actor = COMMAND_LINE,
        **rights: bool | None,
    ) -> bool:
        """Change RIGHTS of a login; `lists` replace its granted lists (lk-9). None leaves a right as it is.

        Losing a right ends the sessions that need it, for good. False when the account has no such login.
        """
        _check_rights(rights)
        values: dict[str, Any] = {key: value for key, value in rights.items() if value is not None}
        told = dict(values)
        if disabled is not None:
            values["disabled_at"] = now() if disabled else None
            told["disabled"] = disabled
        if all_lists or lists is not None:
            values["all_lists"] = all_lists
            # Last, because the trail cuts long texts.
            told["lists"] = "all" if all_lists else sorted(set(lists or ()))
        with self._database.write() as connection:
            login_id = _find(connection, account, name)
            if login_id is None:
                return False
            if values:
                connection.execute(update(logins).where(logins.c.id == login_id).values(**values))
                record(connection, account.id, by, AuditAction.RIGHTS, f"login {name} is changed: {_told(told)}")
            if all_lists or lists is not None:
                connection.execute(delete(granted_lists).where(granted_lists.c.login_id == login_id))
                for list_id in () if all_lists else sorted(set(lists or ())):
                    connection.execute(insert(granted_lists).values(login_id=login_id, list_id=list_id))
            over = [purpose for purpose, right in SESSION_RIGHTS.items() if disabled or values.get(right) is False]
            if over:
                ended = (sessions.c.login_id == login_id) & sessions.c.purpose.in_(over)
                connection.execute(delete(sessions).where(ended))
            return True

    def delete_login(self, account: Account, name: str, *, by: Actor = COMMAND_LINE) -> bool:
        """Delete a login of the account, with its sessions, tokens and granted lists. Its name is free again.

        The row stays without password and rights, because other rows refer to it. False when the account has no such
        login.
        """
        with self._database.write() as connection:
            login_id = _find(connection, account, name)
            if login_id is None:
                return False
            for table in (sessions, api_tokens, granted_lists, idempotent_answers, login_addresses):
                connection.execute(delete(table).where(table.c.login_id == login_id))
            moment = now()
            values = {
                # Keys are casefolded: no name has a key with capital letters.
                "name_key": f"DELETED {login_id}",
                "password_hash": "",
                "all_lists": False,
                "is_demo": False,
                "disabled_at": moment,
                "deleted_at": moment,
                **dict.fromkeys(RIGHTS, False),
            }
            connection.execute(update(logins).where(logins.c.id == login_id).values(**values))
            record(connection, account.id, by, AuditAction.RIGHTS, f"login {name} is deleted")
            return True

    def demo_login(self) -> tuple[Account, Login] | None:
        """Return the login whose password is published, with its account, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(logins).where(logins.c.is_demo).limit(1)).first()
        account = None if row is None else self.get(row.account_id)
        return None if row is None or account is None else (account, Login.of(row))

    def has_login(self, name: str) -> bool:
        """Return whether any account has a login with this name."""
        with self._database.read() as connection:
            return (
                connection.execute(select(logins.c.id).where(logins.c.name_key == name.casefold())).first() is not None
            )

    def set_password(self, name: str, password: str) -> bool:
        """Change a login's password, end its sessions and revoke its tokens; False for an unknown login."""
        hashed = hash_password(password)
        with self._database.write() as connection:
            mine = logins.c.name_key == name.casefold()
            # The demo's published password is its login's name: setting it again changes nothing.
            is_demo = logins.c.is_demo if password.casefold() == name.casefold() else False
            query = update(logins).where(mine).values(password_hash=hashed, is_demo=is_demo)
            row = connection.execute(query.returning(logins.c.id, logins.c.account_id)).one_or_none()
            if row is None:
                return False
            connection.execute(delete(sessions).where(sessions.c.login_id == row.id))
            connection.execute(delete(api_tokens).where(api_tokens.c.login_id == row.id))
            record(connection, row.account_id, COMMAND_LINE, AuditAction.RIGHTS, f"login {name} has a new password")
            return True

    def allow_addresses(self, account: Account, networks: Sequence[str], *, by: Actor = COMMAND_LINE) -> None:
        """Restrict the account's logins to these networks (`192.0.2.0/24`); none lifts the restriction (lk-9)."""
        checked = canonical(networks)
        with self._database.write() as connection:
            connection.execute(allowed_addresses.delete().where(allowed_addresses.c.account_id == account.id))
            for network in checked:
                connection.execute(insert(allowed_addresses).values(account_id=account.id, network=network))
            told = ", ".join(checked) or "anywhere"
            record(connection, account.id, by, AuditAction.RIGHTS, f"logins may come from {told}")

    def networks(self, account: Account) -> list[str]:
        """Return the networks from which the account may be called; none means from anywhere (lk-9)."""
        with self._database.read() as connection:
            return networks_of(connection, account.id)

    def change(self, account: Account, **values: Any) -> Account:
        """Change settings of an account: `time_zone`, `unsubscribe_type`, `tracking`, `field_labels`, and `identifier`
        while it has no contacts. Raises InvalidError for invalid values."""
        if unknown := values.keys() - {"time_zone", "unsubscribe_type", "tracking", "field_labels", "identifier"}:
            raise TypeError(f"no settings of an account: {sorted(unknown)}")
        if "time_zone" in values:
            _check_zone(values["time_zone"])
        if values.get("unsubscribe_type", "all") not in tuple(UnsubscribeType):
            raise InvalidError(f"An unsubscribe is about one of {', '.join(UnsubscribeType)}.")
        if values.get("tracking", "full") not in tuple(TrackingMode):
            raise InvalidError(f"Mails are tracked in one of these ways: {', '.join(TrackingMode)}.")
        if values.get("identifier", "email") not in tuple(Identifier):
            raise InvalidError("Contacts are identified by email or custom_id.")
        with self._database.write() as connection:
            mine = accounts.c.id == account.id
            held = connection.execute(select(accounts.c.identifier).where(mine).with_for_update()).scalar_one()
            if values.get("identifier", held) != held:
                people = select(contacts.c.id).where(contacts.c.account_id == account.id)
                if connection.execute(people.limit(1)).first() is not None:
                    raise InvalidError("The identifier cannot be changed any more: the account has contacts.")
            if values:
                connection.execute(update(accounts).where(mine).values(**values))
            return account_of(connection.execute(_query().where(mine)).one())

    def _one(self, condition: ColumnElement[bool]) -> Account | None:
        with self._database.read(autocommit=True) as connection:
            row = connection.execute(_query().where(condition)).one_or_none()
        return None if row is None else account_of(row)


def networks_of(connection: Connection, account_id: int) -> list[str]:
    """Return the networks from which an account's logins may call; none means anywhere."""
    query = select(allowed_addresses.c.network).where(allowed_addresses.c.account_id == account_id)
    return sorted(connection.execute(query).scalars())


def canonical(networks: Sequence[str]) -> list[str]:
    """Return the networks in their stored form, each once. Raises ValueError for an invalid one."""
    return list(dict.fromkeys(str(ip_network(network)) for network in networks))


def _find(connection: Connection, account: Account, name: str) -> int | None:
    """Return the number of a login of the account and lock its row until the transaction ends."""
    mine = (logins.c.account_id == account.id) & (logins.c.name_key == name.casefold())
    return connection.execute(select(logins.c.id).where(mine).with_for_update()).scalar_one_or_none()


def _check_rights(given: Mapping[str, Any]) -> None:
    if unknown := given.keys() - set(RIGHTS):
        raise TypeError(f"no rights of a login: {sorted(unknown)}")


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


_parents = accounts.alias("parent")
_PARENT_NAME = _parents.c.name.label("parent_name")


def account_within(connection: Connection, account_id: int) -> Account | None:
    """Return an account, read within the caller's transaction."""
    row = connection.execute(_query().where(accounts.c.id == account_id)).one_or_none()
    return None if row is None else account_of(row)


def with_accounts(query: Select[Any]) -> Select[Any]:
    """Add to a query that joins accounts what `account_of` needs."""
    return query.add_columns(accounts, _PARENT_NAME).outerjoin(_parents, _parents.c.id == accounts.c.parent_id)


def account_of(row: Row[Any]) -> Account:
    """Build the account from a row with its columns."""
    its = row._mapping
    return Account(
        parent_name=its[_PARENT_NAME],
        **{name: its[accounts.c[name]] for name in Account.__dataclass_fields__ if name != "parent_name"},
    )


def _query() -> Select[Any]:
    return with_accounts(select().select_from(accounts))


def _insert_account(
    connection: Connection,
    name: str,
    time_zone: str,
    *,
    identifier: str = "email",
    parent_id: int | None = None,
    by: Actor = COMMAND_LINE,
) -> int:
    values = {
        "name": name.upper(),
        "time_zone": time_zone,
        "identifier": identifier,
        "parent_id": parent_id,
        "created_at": now(),
    }
    number: int = connection.execute(insert(accounts).values(**values).returning(accounts.c.id)).scalar_one()
    # The logins of the parent may read this: one of them created the account.
    record(connection, parent_id or number, by, AuditAction.RIGHTS, f"account {name.upper()} is created")
    return number


def _insert_login(
    connection: Connection,
    account_id: int,
    name: str,
    hashed: str,
    rights: Mapping[str, bool],
    *,
    lists: Sequence[int] | None = None,
    is_demo: bool = False,
    by: Actor = COMMAND_LINE,
) -> Login:
    values = {
        "account_id": account_id,
        "name": name,
        "name_key": name.casefold(),
        "password_hash": hashed,
        "all_lists": lists is None,
        "is_demo": is_demo,
        "created_at": now(),
    }
    row = connection.execute(insert(logins).values(**values, **rights).returning(logins)).one()
    for list_id in lists or ():
        connection.execute(insert(granted_lists).values(login_id=row.id, list_id=list_id))
    given = {**rights, "lists": "all" if lists is None else sorted(lists)}
    record(connection, account_id, by, AuditAction.RIGHTS, f"login {name} is added: {_told(given)}")
    return Login.of(row)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidError(f"There is no time zone {name}.") from None
