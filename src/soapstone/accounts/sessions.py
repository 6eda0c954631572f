"""Sessions: a token instead of name and password, for a while."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Delete, bindparam, delete, insert, select, update

from soapstone.accounts.account import SESSION_RIGHTS, Login, account_of, with_accounts
from soapstone.accounts.audit import AuditAction, record
from soapstone.accounts.logon import Identity, permits
from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import accounts, allowed_addresses, logins, sessions

# A session's last use is written at most this often: polls do not write.
TOUCH = timedelta(minutes=1)

# Purpose → longest session, however busy: an open page of the console polls all the time.
LONGEST = {"console": timedelta(hours=12)}

# A session with its login and account, once for each network from which it may be used. Built once, because building it
# takes longer than running it.
_ONE = with_accounts(
    select(
        logins,
        sessions.c.id.label("session_id"),
        sessions.c.created_at.label("begun_at"),
        sessions.c.last_used_at,
        allowed_addresses.c.network,
    )
    .join(sessions, sessions.c.login_id == logins.c.id)
    .join(accounts, accounts.c.id == logins.c.account_id)
    .outerjoin(allowed_addresses, allowed_addresses.c.account_id == logins.c.account_id)
    .where(sessions.c.token_hash == bindparam("digest"), sessions.c.purpose == bindparam("purpose"))
    .order_by(allowed_addresses.c.network)
)


@dataclass(frozen=True)
class _Session:
    id: int
    created_at: datetime
    last_used_at: datetime
    identity: Identity
    networks: list[str]


class Sessions:
    """Sessions of one purpose ("magnetmail", "console"), each ending `lifetime` after its last use (mm-13).

    A session is valid only while its login has the right that it needs, is not disabled, and may call from the call's
    address.
    """

    def __init__(self, database: Database, purpose: str, lifetime: timedelta) -> None:
        self._database = database
        self._purpose = purpose
        self._right = SESSION_RIGHTS[purpose]
        self._lifetime = lifetime
        self._longest = LONGEST.get(purpose)

    def open(self, identity: Identity) -> str:
        """Begin a session and return its token, which looks like a GUID (mm-10); only its digest is stored."""
        token = str(uuid4())
        moment = now()
        with self._database.write() as connection:
            connection.execute(self._over(moment))
            values = {"token_hash": _digest(token), "login_id": identity.login.id, "purpose": self._purpose}
            connection.execute(insert(sessions).values(**values, created_at=moment, last_used_at=moment))
            record(connection, identity.account.id, identity.login.actor, AuditAction.LOGON, self._purpose)
        return token

    def find(self, token: str, peer: str | None) -> Identity | None:
        """Return the identity of a session; None if it is unknown, over, or not valid for a call from this address.

        `peer` is None for local use.
        """
        digest, moment = _digest(token), now()
        session = self._database.recall(("session", self._purpose, digest), lambda: self._read(digest))
        if session is None or session.last_used_at + self._lifetime < moment:
            return None
        if self._longest is not None and session.created_at + self._longest < moment:
            return None
        login = session.identity.login
        if login.disabled or not getattr(login, self._right):
            return None
        if peer is not None and not permits(session.networks, peer):
            return None
        if session.last_used_at + min(TOUCH, self._lifetime / 4) < moment:
            self._database.touch(update(sessions).where(sessions.c.id == session.id).values(last_used_at=moment))
        return replace(session.identity, login=replace(login, address=peer or ""))

    def close(self, token: str) -> None:
        """End a session."""
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.token_hash == _digest(token)))

    def sweep(self) -> None:
        """Delete sessions that are over, of any purpose: all have one lifetime."""
        with self._database.write() as connection:
            connection.execute(self._over(now()))

    def _over(self, moment: datetime) -> Delete:
        return delete(sessions).where(sessions.c.last_used_at < moment - self._lifetime - TOUCH)

    def _read(self, digest: str) -> _Session | None:
        with self._database.read(autocommit=True) as connection:
            rows = connection.execute(_ONE, {"digest": digest, "purpose": self._purpose}).all()
        if not rows:
            return None
        row = rows[0]
        networks = [each.network for each in rows if each.network is not None]
        return _Session(
            row.session_id, row.begun_at, row.last_used_at, Identity(account_of(row), Login.of(row)), networks
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
