"""Mappings from objects of other systems to objects of the account (mm-129)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_granted_list
from soapstone.clock import now
from soapstone.store.repository import Repository
from soapstone.store.tables import object_mappings


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A foreign object (`object_type`, `identifier`) and our own (`own_type`, `own_id`, `own_name`)."""

    id: int
    account_id: int
    object_type: str
    identifier: str
    own_type: str
    own_id: int
    own_name: str
    login_id: int | None
    created_at: datetime


class Mappings(Repository):
    """All mappings of one installation."""

    def add(
        self,
        account_id: int,
        *,
        object_type: str,
        identifier: str,
        own_type: str,
        own_id: int,
        own_name: str = "",
        login_id: int | None = None,
    ) -> Mapping:
        """Store a mapping."""
        values = {"object_type": object_type, "identifier": identifier, "own_type": own_type, "own_id": own_id}
        values |= {"account_id": account_id, "own_name": own_name, "login_id": login_id, "created_at": now()}
        query = insert(object_mappings).values(**values).returning(object_mappings)
        with self._database.write() as connection:
            return Mapping(**connection.execute(query).mappings().one())

    def find(
        self,
        account_id: int,
        *,
        object_type: str = "",
        identifier: str = "",
        after: int = 0,
        limit: int | None = None,
        login: Login | None = None,
    ) -> list[Mapping]:
        """Return the account's mappings above a number; arguments that are not empty must match.

        The login sees mappings of a group only for lists that it sees.
        """
        table = object_mappings.c
        query = select(object_mappings).where(table.account_id == account_id, table.id > after).order_by(table.id)
        if object_type:
            query = query.where(table.object_type == object_type)
        if identifier:
            query = query.where(table.identifier == identifier)
        for seen in of_granted_list(login, table.own_id):
            query = query.where(or_(func.lower(table.own_type) != "group", seen))
        return self._database.records(Mapping, query.limit(limit))

    def delete(self, account_id: int, mapping_id: int) -> bool:
        """Delete a mapping; False for an unknown number."""
        here = (object_mappings.c.account_id == account_id) & (object_mappings.c.id == mapping_id)
        with self._database.write() as connection:
            return connection.execute(delete(object_mappings).where(here)).rowcount == 1
