"""Review groups: addresses that get copies of a list's messages before a send (lk-97)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.store.repository import Repository
from soapstone.store.tables import review_addresses
from soapstone.store.unique import looks_again


class ReviewGroups(Repository):
    """The review groups of all lists."""

    @looks_again
    def add(self, account_id: int, list_id: int, address: str) -> list[str]:
        """Add an address to a list's review group, unless it is in it; return the whole group as `all` does."""
        key = address_key(address)
        here = (review_addresses.c.list_id == list_id) & (review_addresses.c.email_key == key)
        with self._database.write() as connection:
            if not connection.execute(select(review_addresses.c.id).where(here)).first():
                values = {"account_id": account_id, "list_id": list_id, "email": address, "email_key": key}
                connection.execute(insert(review_addresses).values(**values, created_at=now()))
            return _all(connection, list_id)

    def all(self, list_id: int) -> list[str]:
        """Return the addresses of a list's review group, in the order of adding."""
        with self._database.read() as connection:
            return _all(connection, list_id)

    def remove(self, list_id: int, address: str) -> bool:
        """Remove an address from a list's review group; False if it is not in it."""
        here = (review_addresses.c.list_id == list_id) & (review_addresses.c.email_key == address_key(address))
        with self._database.write() as connection:
            return connection.execute(delete(review_addresses).where(here)).rowcount == 1


def _all(connection: Connection, list_id: int) -> list[str]:
    query = select(review_addresses.c.email).where(review_addresses.c.list_id == list_id)
    return list(connection.execute(query.order_by(review_addresses.c.id)).scalars())
