"""Names that are there once: what happens when two want the same one at the same time."""

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

# A name that was taken and given back again and again in between.
TRIES = 3

_SQLITE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
_POSTGRESQL = "23505"


def looks_again(method: Callable[P, T]) -> Callable[P, T]:
    """Make a method that looks for a row and then inserts it answer the same whoever is faster.

    The method does its work in one transaction. When a unique index refuses that, another transaction has stored the
    row since the look. The method is called again then: its look finds the row.
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
    """Return an INSERT that may say what to do about rows that are there, for a kind of database."""
    # Drivers of the kind that is not used are not loaded: they take a while.
    if kind == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def insert_unless_there(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row; False, and nothing is done, where a unique index has it already.

    For transactions with more in them than a look and an insert, which cannot simply be done again.
    """
    query = insert_into(table, connection.dialect.name).values(**values).on_conflict_do_nothing()
    return connection.execute(query.returning(*table.primary_key)).first() is not None


def is_taken(error: IntegrityError) -> bool:
    """Return whether a unique index, or the primary key, refused a row."""
    driver = error.orig
    if isinstance(driver, sqlite3.Error):
        return driver.sqlite_errorcode in _SQLITE
    return getattr(driver, "sqlstate", None) == _POSTGRESQL
