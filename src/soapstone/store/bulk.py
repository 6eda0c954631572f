"""Many rows by one statement of the driver, for recording at a high rate.

Values are those of the driver: instants are microseconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    func,
    select,
)

from soapstone.store.driver import execute, rows_of

# One value for each of the columns.
Values = tuple[Any, ...]
# Memory of SQLite's large cache, in KiB.
_CACHE_KIB = 16 << 10
# PostgreSQL's types of whole numbers.
_NUMBERS = ("BIGINT", "INTEGER")
# Rows that are handed to COPY together.
_COPIED = 500


@contextmanager
def large_cache(connection: Connection) -> Iterator[None]:
    """Let SQLite keep more pages in memory in this block, for rows that are all over an index.

    It would write a page to its log, and read it again, for each of them.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    (before,) = driver.execute("PRAGMA cache_size").fetchone()
    driver.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA cache_size={before}")


def run(connection: Connection, statement: str, given: Values) -> list[Values]:
    """Run a statement of the driver; return its rows, if it has any.

    They are the driver's tuples: rows of SQLAlchemy take twice the time.
    """
    return rows_of(execute(connection, statement, given))


def select_by_key(
    connection: Connection, columns: Sequence[Column[Any]], key: Column[Any], keys: Collection[Any], *, also: str = ""
) -> list[Values]:
    """Return these columns of the rows with one of these keys; `also` is SQL behind the condition."""
    if not keys:
        return []
    table, names = key.table.name, ", ".join(column.name for column in columns)
    given: Any = sorted(keys)
    octets = isinstance(key.type, LargeBinary)
    if connection.dialect.name == "postgresql":
        among, given = ("= ANY(%s)", (given,)) if octets else ("= ANY(%s::bigint[])", (array(given),))
    elif octets:
        # JSON has none.
        among = f"IN ({', '.join('?' * len(given))})"
    else:
        among, given = "IN (SELECT value FROM json_each(?))", (json.dumps(given),)
    statement = f"SELECT {names} FROM {table} WHERE {key.name} {among} {also}"  # noqa: S608 - names of our own
    return run(connection, statement, tuple(given))


def among(column: Column[Any], kind: str, name: str) -> ColumnElement[bool]:
    """Return the condition that a column has one of the numbers of the parameter `name`, for a kind of database.

    `listed` makes its value. The statement's text is the same for any count of numbers, so that it is compiled once.
    """
    if kind == "sqlite":
        return column.in_(select(func.json_each(bindparam(name)).table_valued("value").c.value))
    from sqlalchemy.dialects.postgresql import ARRAY

    return column == any_(cast(bindparam(name, type_=Text), ARRAY(BigInteger)))


def listed(connection: Connection, numbers: Collection[int]) -> Any:
    """Return numbers as the value of a parameter of `among`."""
    return json.dumps(list(numbers)) if connection.dialect.name == "sqlite" else array(numbers)


def take_numbers(connection: Connection, table: str, count: int) -> list[int]:
    """Take the next numbers of a table that has a sequence of its own alone."""
    if connection.dialect.name == "sqlite":
        # This transaction is the only writer, so no other one takes these.
        found = run(connection, "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        last = found[0][0] if found else 0
        return list(range(last + 1, last + 1 + count))
    taken = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return sorted(row[0] for row in run(connection, taken, (table, count)))


def insert_rows(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> None:
    """Insert rows with these columns."""
    _run(connection, table, names, rows, "")


def insert_missing_rows(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> int:
    """Insert rows with these columns, except those that a unique index has already; return the number of the others."""
    return _run(connection, table, names, rows, "ON CONFLICT DO NOTHING")


def copy_lines(connection: Connection, table: Table, names: tuple[str, ...], lines: Iterable[str]) -> None:
    """Insert many rows of PostgreSQL with these columns by COPY; each line has the values with tabs between them.

    `None` stands for NULL, so no value may hold this word, nor anything that COPY would take for more than itself. The
    server stores the first rows while the next ones are made; its driver's own errors are raised.
    """
    driver: Any = connection.connection.driver_connection
    lines = iter(lines)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as target:
        while some := "".join(islice(lines, _COPIED)):
            target.write(some.replace("None", "\\N"))


def upsert_rows(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> None:
    """Insert rows with these columns, or change the rows that have their primary keys already."""
    _run(connection, table, names, rows, _upserting(table, names))


def add_rows(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> None:
    """Insert rows with these columns, or add to the rows that have their primary keys already; all others are numbers.

    Foreign keys are left as they are.
    """
    _run(connection, table, names, rows, _adding(table, names))


def update_rows(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> None:
    """Change the rows whose key is the first of these columns, in the order of their keys."""
    if not rows:
        return
    key, *changed = names
    rows = sorted(rows, key=itemgetter(0))
    if connection.dialect.name == "sqlite":
        sets = ", ".join(f"{name} = ?" for name in changed)
        statement = f"UPDATE {table.name} SET {sets} WHERE {key} = ?"  # noqa: S608 - names of our own
        execute(connection, statement, [(*row[1:], row[0]) for row in rows], many=True)
        return
    sets = ", ".join(f"{name} = new.{name}" for name in changed)
    new = f"unnest({_arrays(table, names)}) AS new ({', '.join(names)})"
    statement = f"UPDATE {table.name} SET {sets} FROM {new} WHERE {table.name}.{key} = new.{key}"  # noqa: S608
    connection.exec_driver_sql(statement, _columns(table, names, rows))


def _run(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Values], end: str) -> int:
    if not rows:
        return 0
    kind = connection.dialect.name
    statement = _statement(table, names, end, kind, len(rows) == 1)
    count: int
    if kind == "sqlite":
        count = execute(connection, statement, list(rows), many=True).rowcount
    elif len(rows) == 1:
        count = execute(connection, statement, rows[0]).rowcount
    else:
        # An array for each column: one statement, however many rows.
        count = execute(connection, statement, _columns(table, names, rows)).rowcount
    return count


def _columns(table: Table, names: tuple[str, ...], rows: Sequence[Values]) -> tuple[Any, ...]:
    """Return the values of each column as PostgreSQL's driver takes an array."""
    columns = zip(*rows, strict=True)
    return tuple(
        array(column) if kind in _NUMBERS else list(column)
        for kind, column in zip(_types(table, names), columns, strict=True)
    )


def array(numbers: Iterable[int | None]) -> str:
    """Return numbers as the text of an array; the driver adapts each value of a list."""
    return f"{{{','.join(map(str, numbers))}}}".replace("None", "NULL")


@cache
def _upserting(table: Table, names: tuple[str, ...]) -> str:
    keys = [column.name for column in table.primary_key]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"


@cache
def _adding(table: Table, names: tuple[str, ...]) -> str:
    kept = {column.name for column in table.c if column.primary_key or column.foreign_keys}
    added = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names if name not in kept)
    return f"ON CONFLICT ({', '.join(column.name for column in table.primary_key)}) DO UPDATE SET {added}"


@cache
def _statement(table: Table, names: tuple[str, ...], end: str, kind: str, is_single: bool) -> str:
    head = f"INSERT INTO {table.name} ({', '.join(names)})"
    if kind == "sqlite":
        return f"{head} VALUES ({', '.join('?' * len(names))}) {end}"
    if is_single:
        # psycopg takes longer for an array than for a value.
        return f"{head} VALUES ({', '.join(['%s'] * len(names))}) {end}"
    return f"{head} SELECT * FROM unnest({_arrays(table, names)}) {end}"  # noqa: S608


def _arrays(table: Table, names: tuple[str, ...]) -> str:
    """Return the parameters of PostgreSQL that take an array for each column."""
    return ", ".join(f"%s::{each}[]" for each in _types(table, names))


@cache
def _types(table: Table, names: tuple[str, ...]) -> list[str]:
    """Return PostgreSQL's names of the columns' types."""
    from sqlalchemy.dialects import postgresql

    types = [table.c[name].type.compile(postgresql.dialect()) for name in names]  # type: ignore[no-untyped-call]
    # An array has no collation.
    return [each.partition(" COLLATE ")[0] for each in types]
