"""Review groups: addresses that get copies of a list's messages before a send (lk-97)."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.store.repository import Repository
from soapstone.store.tables import review_addresses
from soapstone.store.unique import looks_again


class ReviewGroups(Repository):
    """The review groups of all lists."""

    @looks_again
    def add(self, account_id: int, list_id: int, address: str) -> bool:
        """Add an address to a list's review group; False if it is in it already."""
        key = address_key(address)
        here = (review_addresses.c.list_id == list_id) & (review_addresses.c.email_key == key)
        with self._database.write() as connection:
            if connection.execute(select(review_addresses.c.id).where(here)).first():
                return False
            values = {"account_id": account_id, "list_id": list_id, "email": address, "email_key": key}
            connection.execute(insert(review_addresses).values(**values, created_at=now()))
            return True

    def all(self, list_id: int) -> list[str]:
        """Return the addresses of a list's review group, in the order of adding."""
        query = select(review_addresses.c.email).where(review_addresses.c.list_id == list_id)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(review_addresses.c.id)).scalars())

    def remove(self, list_id: int, address: str) -> bool:
        """Remove an address from a list's review group; False if it is not in it."""
        here = (review_addresses.c.list_id == list_id) & (review_addresses.c.email_key == address_key(address))
        with self._database.write() as connection:
            return connection.execute(delete(review_addresses).where(here)).rowcount == 1
