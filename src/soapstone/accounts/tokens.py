"""Tokens: API keys of programs for the REST API, each acting for one login."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from soapstone.accounts.account import Account, Accounts, Login
from soapstone.accounts.audit import COMMAND_LINE, Actor, AuditAction, record
from soapstone.accounts.logon import Identity
from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.store.database import Database
from soapstone.store.tables import api_tokens, logins

# How every token begins, so that scanners recognise a leaked one.
PREFIX = "soapstone_"
TOUCH = timedelta(minutes=1)
LONGEST_NAME = 255


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as stored: without its secret."""

    id: int
    login_id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


class Tokens:
    """All tokens of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts = Accounts(database)

    def add(self, account: Account, login: Login, name: str, *, by: Actor = COMMAND_LINE) -> tuple[Token, str]:
        """Create a token and return it with its secret, which is shown only now. Raises InvalidError for a bad name."""
        name = name.strip()
        if not name or len(name) > LONGEST_NAME:
            raise InvalidError(f"A token needs a name of at most {LONGEST_NAME} characters.")
        secret = PREFIX + secrets.token_urlsafe(32)
        values = {"account_id": account.id, "login_id": login.id, "name": name, "token_hash": _digest(secret)}
        query = insert(api_tokens).values(**values, created_at=now()).returning(*_KEPT)
        with self._database.write() as connection:
            token = Token(**connection.execute(query).mappings().one())
            told = f"login {login.name} has token {token.id}, {name}"
            record(connection, account.id, by, AuditAction.RIGHTS, told)
        return token, secret

    def all(self, login_id: int) -> list[Token]:
        """Return the tokens of a login by number."""
        query = select(*_KEPT).where(api_tokens.c.login_id == login_id).order_by(api_tokens.c.id)
        return self._database.records(Token, query)

    def revoke(self, login_id: int, token_id: int, *, by: Actor = COMMAND_LINE) -> bool:
        """Revoke a token; False when the login has none with this number."""
        here = (api_tokens.c.login_id == login_id) & (api_tokens.c.id == token_id)
        with self._database.write() as connection:
            account_id = connection.execute(select(api_tokens.c.account_id).where(here)).scalar_one_or_none()
            if account_id is None or connection.execute(delete(api_tokens).where(here)).rowcount == 0:
                return False
            record(connection, account_id, by, AuditAction.RIGHTS, f"token {token_id} is revoked")
            return True

    def identify(self, secret: str, peer: str | None) -> Identity | None:
        """Return the identity of a token; None if it is unknown or its login disabled. Stores the last use to the
        minute.

        `peer` is the caller's network address, which `Logons.check_address` checks.
        """
        moment = now()
        query = (
            select(logins, api_tokens.c.id.label("token_id"), api_tokens.c.last_used_at)
            .join(api_tokens, api_tokens.c.login_id == logins.c.id)
            .where(api_tokens.c.token_hash == _digest(secret), logins.c.disabled_at.is_(None))
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.last_used_at is None or row.last_used_at + TOUCH < moment:
            self._database.touch(update(api_tokens).where(api_tokens.c.id == row.token_id).values(last_used_at=moment))
        account = self._accounts.get(row.account_id)
        assert account is not None  # noqa: S101 - guarded by the foreign key
        return Identity(account, Login.of(row, peer))


_KEPT = [api_tokens.c[name] for name in Token.__dataclass_fields__]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
