"""Statements that go to SQLite's driver directly: SQLAlchemy takes longer for a short one than SQLite does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, CursorResult, Select, Update
from sqlalchemy.exc import DBAPIError

Query = Select[Any] | Update


def execute(connection: Connection, statement: str, given: Any, *, many: bool = False) -> Any:
    """Run a statement of the driver; return an object with `fetchall` and `rowcount`.

    With `many`, `given` has the values of several runs. Errors are SQLAlchemy's, and so are the engine's listeners.
    """
    if connection.dialect.name != "sqlite" or not connection.in_transaction():
        return _Result(connection.exec_driver_sql(statement, given))
    driver: Any = connection.connection.driver_connection
    # Each connection of SQLAlchemy joins its own listeners with these anew, which takes longer than a short statement.
    listeners = connection.engine.dispatch
    for listen in listeners.before_cursor_execute:
        statement, given = listen(connection, None, statement, given, None, many)
    try:
        cursor = driver.executemany(statement, given) if many else driver.execute(statement, given)
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, given, error, sqlite3.Error, dialect=connection.dialect) from error
    for listen in listeners.after_cursor_execute:
        listen(connection, cursor, statement, given, None, many)
    return cursor


class _Result:
    """A result of SQLAlchemy as the driver would give it: rows of SQLAlchemy take twice the time."""

    def __init__(self, found: CursorResult[Any]) -> None:
        self._found = found
        self.rowcount = found.rowcount

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows, if there are any."""
        if not self._found.returns_rows:
            return []
        cursor: Any = self._found.cursor
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        self._found.close()
        return rows


class _Prepared(NamedTuple):
    """A query's text, its parameters in their order, and what reads those columns of its rows that need it.

    A parameter has its name, its value unless one is given, and what makes a given value the driver's.
    """

    text: str
    parameters: list[tuple[str, Any, Callable[[Any], Any] | None]]
    columns: list[tuple[int, Callable[[Any], Any]]]


_prepared: WeakKeyDictionary[Query, _Prepared] = WeakKeyDictionary()


def run_query(connection: Connection, query: Query, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a query with these parameters; return its rows, if it has any.

    The query is kept by the caller for further runs, with parameters of the same names.
    """
    if connection.dialect.name != "sqlite":
        found = connection.execute(query, given)
        return [tuple(row) for row in found] if found.returns_rows else []
    prepared = _prepared.get(query)
    if prepared is None:
        prepared = _prepared[query] = _prepare(connection, query, given)
    values = []
    for name, value, process in prepared.parameters:
        if name in given:
            value = given[name] if process is None else process(given[name])
        values.append(value)
    rows: list[tuple[Any, ...]] = execute(connection, prepared.text, tuple(values)).fetchall()
    return [_read(row, prepared.columns) for row in rows] if prepared.columns else rows


def _read(row: tuple[Any, ...], columns: Sequence[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, process in columns:
        values[place] = process(values[place])
    return tuple(values)


def _prepare(connection: Connection, query: Query, given: Iterable[str]) -> _Prepared:
    dialect = connection.dialect
    compiled: Any = query.compile(dialect=dialect)
    # The values of an IN have names of their own from here on.
    state = compiled.construct_expanded_state(dict.fromkeys(given))
    types = {name: bound.type for bound, name in compiled.bind_names.items()}
    parameters = []
    for name in state.positiontup:
        process, value = state.processors.get(name), state.parameters[name]
        if process is None and name in types:
            process = types[name].dialect_impl(dialect).bind_processor(dialect)
        parameters.append((name, value if process is None or value is None else process(value), process))
    columns = query.selected_columns if isinstance(query, Select) else ()
    readers = [each.type.dialect_impl(dialect).result_processor(dialect, None) for each in columns]
    return _Prepared(state.statement, parameters, [(n, each) for n, each in enumerate(readers) if each is not None])
