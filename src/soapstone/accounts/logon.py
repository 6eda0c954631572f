"""Logon: name and password against the records, with lock-out and allowed addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network

from sqlalchemy import Connection, delete, insert, select

from soapstone.accounts.account import Account, Accounts, Login
from soapstone.accounts.passwords import PasswordCheck
from soapstone.store.database import Database
from soapstone.store.instants import now
from soapstone.store.tables import allowed_addresses, logins, logon_failures


class LogonRefused(Exception):
    """The caller may not come in."""


class InvalidLogon(LogonRefused):
    """The name or the password is wrong."""


class LoginLocked(LogonRefused):
    """Too many failures; the login is locked for a while."""


class AddressProhibited(LogonRefused):
    """The account does not allow calls from the caller's address."""


class PermissionMissing(LogonRefused):
    """The login lacks a permission; the message names it."""


def permits(networks: Sequence[str], peer: str) -> bool:
    """Whether an account that allows calls from these networks, or from anywhere for none, may be called from there."""
    if not networks:
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    # An IPv4 caller of a socket that speaks both families.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(network) for network in networks)


@dataclass(frozen=True)
class Identity:
    """Who is asking."""

    account: Account
    login: Login


class Logons:
    """Checks names and passwords, in the order: address, lock, name and password (lk-12)."""

    def __init__(self, database: Database, *, failures: int = 10, lock: timedelta = timedelta(minutes=15)) -> None:
        self._database = database
        self._accounts = Accounts(database)
        self._passwords = PasswordCheck()
        self._failures = failures
        self._lock = lock

    def identify(self, name: str, password: str, peer: str | None) -> Identity:
        """Who this is. `peer` is the caller's network address, None for local use.

        Raises AddressProhibited, LoginLocked (lk-13) or InvalidLogon.
        """
        key = name.casefold()
        with self._database.read() as connection:
            row = connection.execute(select(logins).where(logins.c.name_key == key)).one_or_none()
            if row is not None and peer is not None:
                self._check_address(connection, row.account_id, peer)
            if self._locked(connection, key):
                raise LoginLocked
        if not self._passwords.verify(row.password_hash if row else None, password):
            self._remember_failure(key)
            raise InvalidLogon
        assert row is not None  # noqa: S101 - an unknown login never verifies
        account = self._accounts.get(row.account_id)
        assert account is not None  # noqa: S101 - guarded by the foreign key
        return Identity(account, Login.of(row))

    def check_address(self, account_id: int, peer: str) -> None:
        """Raise AddressProhibited when the account may not be called from there (lk-9)."""
        with self._database.read() as connection:
            self._check_address(connection, account_id, peer)

    def _check_address(self, connection: Connection, account_id: int, peer: str) -> None:
        query = select(allowed_addresses.c.network).where(allowed_addresses.c.account_id == account_id)
        if not permits(connection.execute(query).scalars().all(), peer):
            raise AddressProhibited

    def _locked(self, connection: Connection, key: str) -> bool:
        moment = now()
        latest = (
            select(logon_failures.c.failed_at)
            .where(logon_failures.c.name_key == key, logon_failures.c.failed_at > moment - 2 * self._lock)
            .order_by(logon_failures.c.failed_at.desc())
            .limit(self._failures)
        )
        times = list(connection.execute(latest).scalars())
        if len(times) < self._failures:
            return False
        return bool(times[0] - times[-1] <= self._lock and moment < times[0] + self._lock)

    def _remember_failure(self, key: str) -> None:
        moment = now()
        with self._database.write() as connection:
            connection.execute(insert(logon_failures).values(name_key=key, failed_at=moment))
            connection.execute(delete(logon_failures).where(logon_failures.c.failed_at < moment - 2 * self._lock))
