"""Suppressed and banned addresses, of a whole account or one list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, literal, select, tuple_

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.contacts.erased_addresses import erased_among, forget
from soapstone.store.repository import Repository
from soapstone.store.tables import accounts, suppressions
from soapstone.store.unique import looks_again

# The list number of suppressions for the whole account.
WHOLE_ACCOUNT = 0


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """An address that gets no mail, in its comparable form (`address_key`).

    `kind` is "suppressed" or "banned".
    """

    email: str
    kind: str
    created_at: datetime


class Suppressions(Repository):
    """Adds, looks up and removes suppressions."""

    @looks_again
    def add(self, account_id: int, address: str, *, kind: str = "suppressed", list_id: int = WHOLE_ACCOUNT) -> bool:
        """Suppress ("suppressed") or ban ("banned") an address; False if it is already."""
        values = {"account_id": account_id, "list_id": list_id, "kind": kind, "email_key": address_key(address)}
        with self._database.write() as connection:
            # Changes of contacts lock this row first as well, so that the two never deadlock.
            connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())
            known = select(suppressions.c.id).filter_by(**values)
            if connection.execute(known).first():
                return False
            connection.execute(insert(suppressions).values(**values, created_at=now()))
            return True

    def page(
        self, account_id: int, address: str | None = None, *, after: tuple[str, str] = ("", ""), limit: int = 2000
    ) -> list[Suppression]:
        """Return suppressions of the whole account by address, then kind, after the pair `after`; or of one address."""
        table = suppressions.c
        query = (
            select(table.email_key.label("email"), table.kind, table.created_at)
            .where(table.account_id == account_id, table.list_id == WHOLE_ACCOUNT)
            .where(tuple_(table.email_key, table.kind) > tuple_(literal(after[0]), literal(after[1])))
            .order_by(table.email_key, table.kind)
            .limit(limit)
        )
        if address is not None:
            query = query.where(table.email_key == address_key(address))
        with self._database.read() as connection:
            found = [Suppression(**row) for row in connection.execute(query).mappings()]
            if address is None or found or after != ("", ""):
                return found
            # A deleted contact's address is not stored, but its hash matches.
            erased = erased_among(connection, account_id, [address_key(address)])
            return [Suppression(email=key, kind="suppressed", created_at=since) for key, since in erased.items()]

    def remove(self, account_id: int, address: str, *, kind: str | None = None) -> bool:
        """Remove suppressions of an address in the whole account, of one kind or both; False if there were none.

        The suppression of a deleted contact's address is of kind "suppressed", for the whole account.
        """
        here = {"account_id": account_id, "list_id": WHOLE_ACCOUNT, "email_key": address_key(address)}
        query = delete(suppressions).filter_by(**here | ({} if kind is None else {"kind": kind}))
        with self._database.write() as connection:
            found = connection.execute(query).rowcount > 0
            if kind in (None, "suppressed"):
                found |= forget(connection, account_id, address)
            return found

    def blocked(self, account_id: int, list_id: int, address: str) -> bool:
        """Return whether an address is suppressed or banned on the list or in the whole account."""
        held = suppressions.c
        query = select(held.id).where(
            held.account_id == account_id,
            held.email_key == address_key(address),
            held.list_id.in_((WHOLE_ACCOUNT, list_id)),
        )
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is not None:
                return True
            return bool(erased_among(connection, account_id, [address_key(address)]))
