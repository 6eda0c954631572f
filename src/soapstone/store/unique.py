"""Names that are there once: what happens when two want the same one at the same time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

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


def unless_there(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert into a table that does nothing where a unique index has the row already: its row count says so.

    For transactions with more in them than a look and an insert, which cannot simply be done again.
    """
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def is_taken(error: IntegrityError) -> bool:
    """Whether a unique index, or the primary key, refused a row."""
    driver = error.orig
    if isinstance(driver, sqlite3.Error):
        return driver.sqlite_errorcode in _SQLITE
    return getattr(driver, "sqlstate", None) == _POSTGRESQL
