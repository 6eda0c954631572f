"""Logon: name and password against the records, with lock-out and allowed addresses."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Network, ip_address, ip_network
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Row, select

from soapstone.accounts.account import Account, Accounts, Login
from soapstone.accounts.audit import Audit, AuditAction
from soapstone.accounts.failed_logons import Count, CountReached, FailedLogons
from soapstone.accounts.known_addresses import KnownAddresses
from soapstone.accounts.passwords import PasswordCheck
from soapstone.accounts.secrets import Secrets
from soapstone.errors import SoapstoneError, UnavailableError
from soapstone.store.database import Database
from soapstone.store.tables import allowed_addresses, logins
from soapstone.store.transient_errors import RecordsUnavailable

log = logging.getLogger(__name__)

# A longer name is not looked up, nor is one with a character that a database cannot store.
LONGEST_NAME = 1000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# The failures that lock a name, times this, lock an address for all names.
ADDRESS_FACTOR = 10

MOST_WAITING = 8
"""Most concurrent password checks for callers from unknown addresses, whose threads serve others as well."""

RETRY_SECONDS = 2
"""Seconds after which a caller may try again when the queue was full."""


class LogonError(SoapstoneError):
    """The logon is refused."""


class InvalidLogonError(LogonError):
    """The name or the password is wrong."""

    def __init__(self) -> None:
        super().__init__("The user name or password is not valid.")


class LoginLockedError(LogonError):
    """Too many failures; the login is locked for a while."""

    def __init__(self) -> None:
        super().__init__("Too many failed logon attempts. The user is locked for a while.")


class AddressProhibitedError(LogonError):
    """The account does not allow calls from the caller's address."""

    def __init__(self) -> None:
        super().__init__("Calls from this IP address are not allowed.")


class LogonsBusyError(LogonError, UnavailableError):
    """Too many password checks are waiting."""

    retry_seconds = RETRY_SECONDS

    def __init__(self) -> None:
        super().__init__("The server is checking too many passwords at the moment. Try again in a few seconds.")


def log_refusal(peer: str | None, reason: str, login: Login | Row[Any] | None = None) -> None:
    """Write a failed logon to the log: address, reason, and the login if it exists.

    The line begins in a fixed form, for programs that read it. It omits unknown names: a password in the field of the
    name is common.
    """
    log.warning("failed logon", extra={"address": peer or "-", "reason": reason, **_named(login)})


def _named(login: Login | Row[Any] | None) -> dict[str, Any]:
    return {} if login is None else {"login": login.name, "account": login.account_id}


def permits(networks: Sequence[str], peer: str) -> bool:
    """Return whether the networks contain the peer; no networks allow every peer."""
    return not networks or _is_within(networks, peer)


def _is_within(networks: Sequence[str], peer: str) -> bool:
    address = _parsed(peer)
    return address is not None and any(address in ip_network(network, strict=False) for network in networks)


def _parsed(peer: str) -> Any:
    """Return the address; None for any other text."""
    try:
        address = ip_address(peer)
    except ValueError:
        return None
    # An IPv4 caller of a dual-stack socket.
    return getattr(address, "ipv4_mapped", None) or address


@dataclass(frozen=True)
class Identity:
    """The account and login of a caller."""

    account: Account
    login: Login


@dataclass(frozen=True)
class _Caller:
    """A caller before the password check."""

    row: Row[Any] | None
    # The address to remember for the login; empty for none.
    address_key: str
    known: bool
    # The counts of a failure.
    counts: tuple[Count, ...]


class Logons:
    """Checks names and passwords, in the order: address, lock, name and password (lk-12).

    `failures` within the time of `lock` lock a name, for as long, for all addresses unknown for the login; each known
    address has a count of its own. Ten times as many lock an address for all names (lk-13). `proxies` are addresses or
    networks of trusted proxies, which do not count as callers.
    """

    def __init__(
        self,
        database: Database,
        *,
        failures: int = 10,
        lock: timedelta = timedelta(minutes=15),
        proxies: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._accounts = Accounts(database)
        self._passwords = PasswordCheck()
        self._failures = FailedLogons(database, lock)
        self._addresses = KnownAddresses(database)
        self._audit = Audit(database)
        self._limit = failures
        self._proxies = proxies
        self._may_be_published = True
        self._stored_key: bytes | None = None
        self._own_key = secrets.token_bytes(32)
        # Checks under way, by counts and pair, and how many callers from unknown addresses wait for one.
        self._checks: dict[tuple[object, bytes], Future[bool]] = {}
        self._waiting = 0
        self._lock = Lock()

    def identify(self, name: str, password: str, peer: str | None) -> Identity:
        """Return the caller's identity. `peer` is its network address, None for local use. A disabled login is unknown.

        Raises AddressProhibitedError, LoginLockedError (lk-13), InvalidLogonError or LogonsBusyError.
        """
        return self._accepted(self._check(name, password, peer), peer)

    def refuse_published(self) -> None:
        """Refuse logins with a published password from now on: this process serves other machines."""
        self._may_be_published = False

    def check_address(self, login: Login, peer: str) -> None:
        """Raise AddressProhibitedError when the login's account does not allow calls from the peer (lk-9)."""
        with self._database.read() as connection:
            self._check_address(connection, login, peer)

    def sweep(self) -> None:
        """Delete expired failures and known addresses."""
        self._failures.sweep()
        self._addresses.sweep()

    def _check(self, name: str, password: str, peer: str | None) -> _Caller:
        caller = self._look_up(name, peer)
        stored = caller.row.password_hash if caller.row else None
        if not self._passwords.remembers(self._passwords.digest(stored, password)):
            try:
                self._check_password(caller, stored, password)
            except InvalidLogonError:
                log_refusal(peer, "password", caller.row)
                self._note_lock(caller, peer)
                raise
            except LoginLockedError:
                log_refusal(peer, "locked", caller.row)
                raise
        return caller

    def _look_up(self, name: str, peer: str | None) -> _Caller:
        """Find the login of a name, and count the attempt. Raises AddressProhibitedError or LoginLockedError."""
        key, address = name.casefold(), self._address(peer)
        count_key = self._digest("name", key)
        with self._database.read(autocommit=True) as connection:
            row = None
            if len(name) <= LONGEST_NAME and not _UNSTORABLE.search(name):
                query = select(logins).where(logins.c.name_key == key, logins.c.disabled_at.is_(None))
                row = connection.execute(query).one_or_none()
                if row is not None and row.is_demo and not self._may_be_published:
                    row = None
            if row is not None and peer is not None:
                self._check_address(connection, row, peer)
            address_key, known = "", False
            if row is not None and address:
                address_key = self._digest("login", str(row.id), address)
                known = self._addresses.has(connection, row.id, address_key)
            counts = [Count(address_key if known else count_key, self._limit)]
            if address:
                counts.append(Count(self._digest("address", address), ADDRESS_FACTOR * self._limit))
            if self._failures.reached(connection, counts):
                log_refusal(peer, "locked", row)
                raise LoginLockedError
        return _Caller(row, address_key, known, tuple(counts))

    def _check_password(self, caller: _Caller, stored: str | None, password: str) -> None:
        """Check the password. Raises InvalidLogonError, LoginLockedError or LogonsBusyError.

        A failure is counted before the hash is computed, and taken back when the password is right. Callers from one
        address with the same pair wait for one check: a client that begins with many connections counts once.
        """
        digest = self._passwords.digest(stored, password)
        key = (caller.counts, digest)
        mine: Future[bool] = Future()
        with self._lock:
            # A check of the same pair may have ended since the caller looked.
            if self._passwords.remembers(digest):
                return
            check = self._checks.get(key)
            # One pair under check keeps few threads waiting for long. Known addresses wait without limit: they have few
            # failures.
            if not caller.known and self._waiting >= MOST_WAITING and (check is None or len(self._checks) > 1):
                raise LogonsBusyError
            self._waiting += not caller.known
            if check is None:
                self._checks[key] = mine
        try:
            if check is not None:
                right = check.result()
                if not right:
                    self._begin(caller)
            else:
                right = self._lead_check(caller, stored, password, mine)
        finally:
            with self._lock:
                self._waiting -= not caller.known
                if check is None:
                    del self._checks[key]
        if not right:
            raise InvalidLogonError

    def _lead_check(self, caller: _Caller, stored: str | None, password: str, check: Future[bool]) -> bool:
        try:
            attempt = self._begin(caller)
            right = self._passwords.verify(stored, password)
            if right:
                self._failures.take_back(attempt)
        except BaseException as error:
            check.set_exception(error)
            raise
        check.set_result(right)
        return right

    def _note_lock(self, caller: _Caller, peer: str | None) -> None:
        """Log the lock, and add it to the audit trail of a known login."""
        with self._database.read() as connection:
            locked = [self._failures.reached(connection, [count]) for count in caller.counts]
        address = {"address": peer or "-"}
        if locked[1:] == [True]:
            log.warning("locked address", extra=address)
        if locked[0]:
            log.warning("locked login", extra=address | _named(caller.row))
        if caller.row is not None and any(locked):
            actor = Login.of(caller.row, peer).actor
            self._audit.add(caller.row.account_id, actor, AuditAction.LOCK, "too many failed logons")

    def _begin(self, caller: _Caller) -> Any:
        try:
            return self._failures.begin(caller.counts)
        except CountReached:
            raise LoginLockedError from None

    def _accepted(self, caller: _Caller, peer: str | None) -> Identity:
        row = caller.row
        assert row is not None  # noqa: S101 - an unknown login never verifies
        if caller.address_key:
            self._addresses.add(row.id, caller.address_key)
        account = self._accounts.get(row.account_id)
        assert account is not None  # noqa: S101 - guarded by the foreign key
        return Identity(account, Login.of(row, peer))

    def _address(self, peer: str | None) -> str:
        """Return the address that failures count for: of IPv6 the first 64 bits; empty for local use and a proxy."""
        address = None if peer is None or _is_within(self._proxies, peer) else _parsed(peer)
        if address is None:
            return ""
        return str(address) if address.version == 4 else str(IPv6Network((int(address) >> 64 << 64, 64)))

    def _digest(self, *parts: str) -> str:
        """Return a keyed digest, which hides what was typed: a password in the field of the name is common."""
        message = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key(), message, hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        if self._stored_key is None:
            try:
                self._stored_key = Secrets(self._database).get("logons").encode()
            except RecordsUnavailable:
                # It cannot be stored on a full disk: counts and addresses stay in this process for now.
                return self._own_key
        return self._stored_key

    def _check_address(self, connection: Connection, login: Login | Row[Any], peer: str) -> None:
        query = select(allowed_addresses.c.network).where(allowed_addresses.c.account_id == login.account_id)
        if not permits(connection.execute(query).scalars().all(), peer):
            log_refusal(peer, "address", login)
            raise AddressProhibitedError
