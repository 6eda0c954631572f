"""Unique names: handling of concurrent inserts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.exc import IntegrityError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

P = ParamSpec("P")
T = TypeVar("T")

# The name was taken and released repeatedly in between.
TRIES = 3

_SQLITE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
_POSTGRESQL = "23505"


def looks_again(method: Callable[P, T]) -> Callable[P, T]:
    """Decorate a method that selects and then inserts a row, so that a concurrent insert does not fail it.

    The method works in one transaction. If a unique index refuses it, another transaction has stored the row meanwhile.
    Then the method is called again, and its select finds the row.
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES - 1):
            try:
                return method(*args, **kwargs)
            except IntegrityError as error:
                if not is_taken(error):
                    raise
        return method(*args, **kwargs)

    return call


def insert_into(table: Table, kind: str) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that supports ON CONFLICT, for a kind of database."""
    # Drivers of the other kind are not loaded: that is slow.
    if kind == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def insert_unless_there(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row; False, without a change, if a unique index has it already.

    For transactions with more work, which cannot simply be repeated.
    """
    query = insert_into(table, connection.dialect.name).values(**values).on_conflict_do_nothing()
    return connection.execute(query.returning(*table.primary_key)).first() is not None


def is_taken(error: IntegrityError) -> bool:
    """Return whether a unique index, or the primary key, refused a row."""
    driver = error.orig
    if isinstance(driver, sqlite3.Error):
        return driver.sqlite_errorcode in _SQLITE
    return getattr(driver, "sqlstate", None) == _POSTGRESQL
