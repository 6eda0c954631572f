"""Addresses that get no mail: suppressed or banned, in a whole account or on one list."""

from __future__ import annotations

from sqlalchemy import insert, select

from soapstone.lists.addresses import address_key
from soapstone.store.database import Database
from soapstone.store.instants import now
from soapstone.store.tables import suppressions

# The list number of a suppression that holds for the whole account.
WHOLE_ACCOUNT = 0


class Suppressions:
    """Adds and looks up suppressions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, account_id: int, address: str, *, kind: str = "suppressed", list_id: int = WHOLE_ACCOUNT) -> bool:
        """Suppress ("suppressed") or ban ("banned") an address; False when that was so already."""
        values = {"account_id": account_id, "list_id": list_id, "kind": kind, "email_key": address_key(address)}
        with self._database.write() as connection:
            known = select(suppressions.c.id).filter_by(**values)
            if connection.execute(known).first():
                return False
            connection.execute(insert(suppressions).values(**values, created_at=now()))
            return True
