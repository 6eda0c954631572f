"""Saved searches: named examples (mm-83, mm-84)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from soapstone.clock import now
from soapstone.contacts.search import SEARCHABLE, Example
from soapstone.errors import InvalidError
from soapstone.store.numbers import add_row
from soapstone.store.repository import Repository
from soapstone.store.tables import saved_searches
from soapstone.store.unique import looks_again

LONGEST_NAME = 255


@dataclass(frozen=True, kw_only=True)
class SavedSearch:
    """A search; `criteria` holds example values by column."""

    id: int
    account_id: int
    name: str
    login_id: int | None
    criteria: Mapping[str, str]
    created_at: datetime

    @property
    def example(self) -> Example:
        return Example(values=self.criteria)


class SavedSearches(Repository):
    """All saved searches of one installation."""

    @looks_again
    def add(
        self,
        account_id: int,
        name: str,
        criteria: Mapping[str, str],
        *,
        login_id: int | None = None,
        number: int | None = None,
    ) -> SavedSearch:
        """Save a search; `number` as for add_row.

        Raises InvalidError for a bad or taken name and for unknown columns, and ConflictError.
        """
        name = name.strip()
        if not name or len(name) > LONGEST_NAME:
            raise InvalidError(f"A search needs a name of at most {LONGEST_NAME} characters.")
        if unknown := sorted(criteria.keys() - set(SEARCHABLE)):
            raise InvalidError(f"People cannot be searched by {unknown[0]}.")
        values = {"account_id": account_id, "name": name, "login_id": login_id, "criteria": dict(criteria)}
        with self._database.write() as connection:
            taken = (saved_searches.c.account_id == account_id) & (saved_searches.c.name == name)
            if connection.execute(select(saved_searches.c.id).where(taken)).first():
                raise InvalidError(f"There is a search named {name} already.")
            return SavedSearch(**add_row(connection, saved_searches, values | {"created_at": now()}, number))

    def all(self, account_id: int) -> list[SavedSearch]:
        """Return the account's searches by number."""
        query = select(saved_searches).where(saved_searches.c.account_id == account_id).order_by(saved_searches.c.id)
        return self._database.records(SavedSearch, query)

    def named(self, account_id: int, name: str) -> SavedSearch | None:
        """Return the account's search with this name."""
        here = (saved_searches.c.account_id == account_id) & (saved_searches.c.name == name.strip())
        return self._database.record(SavedSearch, select(saved_searches).where(here))

    def delete(self, account_id: int, name: str) -> bool:
        """Delete a search; False for an unknown name."""
        here = (saved_searches.c.account_id == account_id) & (saved_searches.c.name == name.strip())
        with self._database.write() as connection:
            return connection.execute(delete(saved_searches).where(here)).rowcount == 1
