"""The audit trail: logons, locks, changed rights, exports and sends, each with its login, address and time."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select

from soapstone.accounts.failed_logons import PATIENCE
from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import audit_entries
from soapstone.store.transient_errors import RecordsUnavailable

log = logging.getLogger(__name__)

KEPT = timedelta(days=365)
# Most rows of one login and action a day: from one address, so that others still show, and from all. Further entries go
# to the log alone: a program that logs on all the time must not fill the disk.
MOST_FROM_ONE_ADDRESS = 100
MOST = 1000
# Longest stored text, in characters.
LONGEST_NAME, LONGEST_ADDRESS, LONGEST_DETAIL = 255, 64, 500
# Logons of today that are known to be in the table.
REMEMBERED = 4096


class AuditAction(StrEnum):
    """The subject of an entry."""

    LOGON = "logon"
    LOCK = "lock"
    RIGHTS = "rights"
    EXPORT = "export"
    SEND = "send"
    DELETE = "delete"


@dataclass(frozen=True)
class Actor:
    """The login that acts, and its network address, empty when unknown. `login_id` is None for the command line."""

    login_id: int | None
    name: str
    address: str


COMMAND_LINE = Actor(None, "", "")


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One row of the trail. `login_name` is the login's name at that time, empty for the command line."""

    id: int
    account_id: int
    login_id: int | None
    login_name: str
    action: str
    detail: str
    address: str
    at: datetime


def record(connection: Connection, account_id: int, actor: Actor, action: AuditAction, detail: str) -> None:
    """Add an entry within the caller's transaction, and a line to the log."""
    moment, detail = now(), bounded(detail, LONGEST_DETAIL)
    name, address = bounded(actor.name, LONGEST_NAME), bounded(actor.address, LONGEST_ADDRESS)
    log.info("audit", extra=_fields(account_id, actor, action, detail))
    if actor.login_id is not None:
        column = audit_entries.c
        today = (
            select(column.address)
            .where(column.login_id == actor.login_id, column.action == action, column.at >= _midnight(moment))
            .limit(MOST)
            .subquery()
        )
        here = func.count().filter(today.c.address == address)
        count, from_here = connection.execute(select(func.count(), here).select_from(today)).one()
        if count >= MOST or (from_here >= MOST_FROM_ONE_ADDRESS and action is not AuditAction.RIGHTS):
            return
    values = {"account_id": account_id, "login_id": actor.login_id, "login_name": name, "action": action.value}
    connection.execute(insert(audit_entries).values(**values, detail=detail, address=address, at=moment))


def _fields(account_id: int, actor: Actor, action: AuditAction, detail: str) -> dict[str, object]:
    """Return the fields of a line of the log; the login is empty for the command line."""
    name, address = bounded(actor.name, LONGEST_NAME), bounded(actor.address, LONGEST_ADDRESS)
    return {
        "address": address or "-",
        "action": action.value,
        "login": name,
        "account": account_id,
        "detail": detail,
    }


def bounded(text: str, longest: int) -> str:
    """Cut the text to `longest` characters and replace each unprintable one by a space."""
    return "".join(character if character.isprintable() else " " for character in text[:longest])


class Audit:
    """The audit trail of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Logons by credentials that come with each call: day, login, interface, address.
        self._known: OrderedDict[tuple[datetime, Actor, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, account_id: int, actor: Actor, action: AuditAction, detail: str) -> None:
        """Add an entry, to the log alone while the database cannot be written: reading must go on."""
        try:
            with self._database.write(patience=PATIENCE) as connection:
                record(connection, account_id, actor, action, detail)
        except RecordsUnavailable as trouble:
            fields = _fields(account_id, actor, action, bounded(detail, LONGEST_DETAIL))
            log.warning("audit entry is not stored", extra={**fields, "reason": trouble})

    def call(self, account_id: int, actor: Actor, interface: str) -> None:
        """Add a logon of a client that sends its credentials with each call: one a day by interface and address."""
        key = (_midnight(now()), actor, interface)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return
            self._known[key] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        # Tried once: while another process locks the database for long, later calls must not wait again.
        if not self._has(key):
            self.add(account_id, actor, AuditAction.LOGON, interface)

    def page(self, account_id: int, after: int, limit: int) -> list[AuditEntry]:
        """Return entries of an account with numbers above `after`, oldest first."""
        query = select(audit_entries).where(audit_entries.c.account_id == account_id, audit_entries.c.id > after)
        return self._database.records(AuditEntry, query.order_by(audit_entries.c.id).limit(limit))

    def last(self, account_id: int, limit: int) -> list[AuditEntry]:
        """Return the last entries of an account, oldest first."""
        query = select(audit_entries).where(audit_entries.c.account_id == account_id)
        return self._database.records(AuditEntry, query.order_by(audit_entries.c.id.desc()).limit(limit))[::-1]

    def sweep(self) -> None:
        """Delete expired entries."""
        with self._database.write() as connection:
            connection.execute(delete(audit_entries).where(audit_entries.c.at < now() - KEPT))

    def _has(self, key: tuple[datetime, Actor, str]) -> bool:
        day, actor, interface = key
        column = audit_entries.c
        query = select(column.id).where(
            column.login_id == actor.login_id,
            column.action == AuditAction.LOGON.value,
            column.at >= day,
            column.detail == interface,
            column.address == bounded(actor.address, LONGEST_ADDRESS),
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
