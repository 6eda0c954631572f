"""Categories of lists and of messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, literal, select, update

from soapstone.clock import now
from soapstone.lists.names import checked_name
from soapstone.store.database import Database
from soapstone.store.numbers import add_row
from soapstone.store.tables import list_categories, lists, message_categories, messages, opt_outs
from soapstone.store.unique import insert_into
from soapstone.vocabulary.contacts import OptOutKind

# Kind of a category's opt-outs → the table of the categories, and that of what is in them.
_TABLES = {
    OptOutKind.LIST_CATEGORY: (list_categories, lists),
    OptOutKind.MESSAGE_CATEGORY: (message_categories, messages),
}


@dataclass(frozen=True, kw_only=True)
class Category:
    """A category. One of lists may be inactive: out of use (mm-94)."""

    id: int
    account_id: int
    name: str
    login_id: int | None
    created_at: datetime
    active: bool = True


class Categories:
    """All categories of lists, or all of messages, of one installation; `kind` is that of their opt-outs."""

    def __init__(self, database: Database, kind: OptOutKind) -> None:
        self._database = database
        self._kind = kind
        self._table, self._members = _TABLES[kind]

    def add(self, account_id: int, name: str, *, login_id: int | None = None, number: int | None = None) -> Category:
        """Create a category; `number` as for add_row. Raises InvalidError and ConflictError."""
        name = checked_name(name, "category")
        values = {"account_id": account_id, "name": name, "login_id": login_id, "created_at": now()}
        with self._database.write() as connection:
            return Category(**add_row(connection, self._table, values, number))

    def all(self, account_id: int) -> list[Category]:
        """Return the account's categories by number."""
        table = self._table
        query = select(table).where(table.c.account_id == account_id).order_by(table.c.id)
        return self._database.records(Category, query)

    def get(self, account_id: int, category_id: int) -> Category | None:
        """Return the account's category with this number."""
        return next((each for each in self.all(account_id) if each.id == category_id), None)

    def change(self, account_id: int, category_id: int, *, name: str | None = None, active: bool | None = None) -> bool:
        """Rename a category, or make one of lists active or inactive; False for an unknown one. Raises InvalidError."""
        values: dict[str, object] = {} if name is None else {"name": checked_name(name, "category")}
        if active is not None:
            values["active"] = active
        query = update(self._table).where(self._here(account_id, category_id))
        with self._database.write() as connection:
            return bool(values) and connection.execute(query.values(**values)).rowcount == 1

    def delete(self, account_id: int, category_id: int) -> bool:
        """Delete a category; its lists or messages then have none. False for an unknown one.

        Who opted out of a category of lists has opted out of each of its lists then.
        """
        table = self._members
        with self._database.write() as connection:
            if connection.execute(delete(self._table).where(self._here(account_id, category_id))).rowcount != 1:
                return False
            gone = (opt_outs.c.kind == self._kind) & (opt_outs.c.target_id == category_id)
            if self._kind is OptOutKind.LIST_CATEGORY:
                about = (opt_outs.c.contact_id, literal(OptOutKind.LIST), lists.c.id)
                kept = (
                    select(*about, opt_outs.c.account_id, opt_outs.c.created_at)
                    .join(lists, lists.c.category_id == opt_outs.c.target_id)
                    .where(gone, lists.c.deleted_at.is_(None))
                )
                names = ["contact_id", "kind", "target_id", "account_id", "created_at"]
                query = insert_into(opt_outs, connection.dialect.name).from_select(names, kept)
                connection.execute(query.on_conflict_do_nothing())
            connection.execute(update(table).where(table.c.category_id == category_id).values(category_id=None))
            connection.execute(delete(opt_outs).where(gone))
            return True

    def _here(self, account_id: int, category_id: int) -> ColumnElement[bool]:
        return (self._table.c.account_id == account_id) & (self._table.c.id == category_id)
