"""Categories of lists and of messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update

from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.store.database import Database
from soapstone.store.numbers import add_row
from soapstone.store.tables import list_categories, lists, message_categories, messages, opt_outs

LONGEST_NAME = 255


@dataclass(frozen=True, kw_only=True)
class ListCategory:
    """A category of lists; an inactive one is out of use (mm-94)."""

    id: int
    account_id: int
    name: str
    login_id: int | None
    active: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class MessageCategory:
    """A category of messages."""

    id: int
    account_id: int
    name: str
    login_id: int | None
    created_at: datetime


class Categories:
    """All categories of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_list_category(
        self, account_id: int, name: str, *, login_id: int | None = None, number: int | None = None
    ) -> ListCategory:
        """Create a category of lists; `number` as for add_row. Raises InvalidError and ConflictError."""
        values = {"account_id": account_id, "name": _name(name), "login_id": login_id, "created_at": now()}
        with self._database.write() as connection:
            return ListCategory(**add_row(connection, list_categories, values, number))

    def add_message_category(
        self, account_id: int, name: str, *, login_id: int | None = None, number: int | None = None
    ) -> MessageCategory:
        """Create a category of messages; `number` as for add_row. Raises InvalidError and ConflictError."""
        values = {"account_id": account_id, "name": _name(name), "login_id": login_id, "created_at": now()}
        with self._database.write() as connection:
            return MessageCategory(**add_row(connection, message_categories, values, number))

    def list_categories(self, account_id: int) -> list[ListCategory]:
        """Return the account's categories of lists by number."""
        query = select(list_categories).where(list_categories.c.account_id == account_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(list_categories.c.id)).mappings()
            return [ListCategory(**row) for row in rows]

    def message_categories(self, account_id: int) -> list[MessageCategory]:
        """Return the account's categories of messages by number."""
        query = select(message_categories).where(message_categories.c.account_id == account_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(message_categories.c.id)).mappings()
            return [MessageCategory(**row) for row in rows]

    def list_category(self, account_id: int, category_id: int) -> ListCategory | None:
        """Return the account's category of lists with this number."""
        return next((each for each in self.list_categories(account_id) if each.id == category_id), None)

    def message_category(self, account_id: int, category_id: int) -> MessageCategory | None:
        """Return the account's category of messages with this number."""
        return next((each for each in self.message_categories(account_id) if each.id == category_id), None)

    def change_list_category(
        self, account_id: int, category_id: int, *, name: str | None = None, active: bool | None = None
    ) -> bool:
        """Rename a category, or make it active or inactive; False for an unknown one."""
        values: dict[str, object] = {} if name is None else {"name": _name(name)}
        if active is not None:
            values["active"] = active
        here = (list_categories.c.account_id == account_id) & (list_categories.c.id == category_id)
        with self._database.write() as connection:
            query = update(list_categories).where(here)
            return bool(values) and connection.execute(query.values(**values)).rowcount == 1

    def rename_message_category(self, account_id: int, category_id: int, name: str) -> bool:
        """Rename a category of messages; False for an unknown one."""
        here = (message_categories.c.account_id == account_id) & (message_categories.c.id == category_id)
        with self._database.write() as connection:
            return connection.execute(update(message_categories).where(here).values(name=_name(name))).rowcount == 1

    def delete_list_category(self, account_id: int, category_id: int) -> bool:
        """Delete a category; its lists then have none. False for an unknown one."""
        here = (list_categories.c.account_id == account_id) & (list_categories.c.id == category_id)
        with self._database.write() as connection:
            if connection.execute(delete(list_categories).where(here)).rowcount != 1:
                return False
            connection.execute(update(lists).where(lists.c.category_id == category_id).values(category_id=None))
            gone = (opt_outs.c.kind == "list_category") & (opt_outs.c.target_id == category_id)
            connection.execute(delete(opt_outs).where(gone))
            return True

    def delete_message_category(self, account_id: int, category_id: int) -> bool:
        """Delete a category; its messages then have none. False for an unknown one."""
        here = (message_categories.c.account_id == account_id) & (message_categories.c.id == category_id)
        with self._database.write() as connection:
            if connection.execute(delete(message_categories).where(here)).rowcount != 1:
                return False
            connection.execute(update(messages).where(messages.c.category_id == category_id).values(category_id=None))
            gone = (opt_outs.c.kind == "message_category") & (opt_outs.c.target_id == category_id)
            connection.execute(delete(opt_outs).where(gone))
            return True


def _name(name: str) -> str:
    name = name.strip()
    if not name:
        raise InvalidError("The name of the category is missing.")
    if len(name) > LONGEST_NAME:
        raise InvalidError(f"The name of the category is longer than {LONGEST_NAME} characters.")
    return name
