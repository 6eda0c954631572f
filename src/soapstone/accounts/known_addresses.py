"""Known addresses: those from which each login has logged on within the last 30 days (lk-13)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Connection, Delete, delete, select

from soapstone.accounts.failed_logons import PATIENCE
from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import login_addresses
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.store.unique import insert_into

log = logging.getLogger(__name__)

KEPT = timedelta(days=30)
# An address is written at most this often: polls do not write.
TOUCH = timedelta(days=1)
MOST_IN_MEMORY = 10_000


class KnownAddresses:
    """The addresses of all logins, stored as keyed digests."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # When this process last wrote each one.
        self._written: OrderedDict[tuple[int, str], datetime] = OrderedDict()
        self._lock = Lock()

    def has(self, connection: Connection, login_id: int, address_key: str) -> bool:
        """Return whether the login has logged on from the address."""
        if self._is_fresh(login_id, address_key):
            return True
        row = login_addresses.c
        query = select(row.last_used_at).where(
            row.login_id == login_id, row.address_key == address_key, row.last_used_at > now() - KEPT
        )
        at = connection.execute(query).scalar_one_or_none()
        if at is not None:
            self._note(login_id, address_key, at)
        return at is not None

    def add(self, login_id: int, address_key: str) -> None:
        """Note a logon from the address. Written once a day; kept in memory alone when that fails."""
        if self._is_fresh(login_id, address_key):
            return
        moment = now()
        values = {"login_id": login_id, "address_key": address_key, "last_used_at": moment}
        query = insert_into(login_addresses, self._database.kind).values(values)
        query = query.on_conflict_do_update(
            index_elements=["login_id", "address_key"], set_={"last_used_at": query.excluded.last_used_at}
        )
        try:
            with self._database.write(patience=PATIENCE) as connection:
                connection.execute(_too_old())
                connection.execute(query)
        except RecordsUnavailable as trouble:
            log.warning("the address of a logon could not be written: %s", trouble.told)
        self._note(login_id, address_key, moment)

    def sweep(self) -> None:
        """Delete addresses from which a login has not logged on for too long."""
        with self._database.write() as connection:
            connection.execute(_too_old())

    def _is_fresh(self, login_id: int, address_key: str) -> bool:
        with self._lock:
            at = self._written.get((login_id, address_key))
        return at is not None and at > now() - TOUCH

    def _note(self, login_id: int, address_key: str, at: datetime) -> None:
        with self._lock:
            self._written[login_id, address_key] = at
            self._written.move_to_end((login_id, address_key))
            if len(self._written) > MOST_IN_MEMORY:
                self._written.popitem(last=False)


def _too_old() -> Delete:
    return delete(login_addresses).where(login_addresses.c.last_used_at < now() - KEPT)
