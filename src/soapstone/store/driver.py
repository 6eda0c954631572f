"""Statements that go to the driver directly: SQLAlchemy takes longer for a short one than SQLite or psycopg does."""

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

    With `many`, `given` has the values of several runs, on SQLite. Errors are SQLAlchemy's, and so are the engine's
    listeners.
    """
    if not connection.in_transaction():
        return _Result(connection.exec_driver_sql(statement, given))
    driver: Any = connection.connection.driver_connection
    # Each connection of SQLAlchemy joins its own listeners with these anew, which takes longer than a short statement.
    listeners = connection.engine.dispatch
    for listen in listeners.before_cursor_execute:
        statement, given = listen(connection, None, statement, given, None, many)
    if connection.dialect.name == "sqlite":
        try:
            cursor = driver.executemany(statement, given) if many else driver.execute(statement, given)
        except sqlite3.Error as error:
            raise DBAPIError.instance(statement, given, error, sqlite3.Error, dialect=connection.dialect) from error
    else:
        cursor = driver.cursor()
        try:
            cursor.execute(statement, given)
        except BaseException as error:
            # It finds out whether the connection broke, also by an interrupt, and what the pool has to forget then.
            connection._handle_dbapi_exception(error, statement, given, cursor, None)
    for listen in listeners.after_cursor_execute:
        listen(connection, cursor, statement, given, None, many)
    return cursor


def rows_of(found: Any) -> list[tuple[Any, ...]]:
    """Return the rows of what `execute` returned, none of a statement that has none."""
    # psycopg raises an error then.
    rows: list[tuple[Any, ...]] = [] if found.description is None else found.fetchall()
    return rows


class _Result:
    """A result of SQLAlchemy as the driver would give it: rows of SQLAlchemy take twice the time."""

    def __init__(self, found: CursorResult[Any]) -> None:
        self._found = found
        self.rowcount = found.rowcount
        self.description = found.cursor.description if found.returns_rows and found.cursor is not None else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows."""
        cursor: Any = self._found.cursor
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        self._found.close()
        return rows


class _Prepared(NamedTuple):
    """A query's text, its parameters in their order, and what reads those columns of its rows that need it.

    A parameter has its name, its value unless one is given, and what makes a given value the driver's. `form` makes
    what the driver takes of all values: psycopg takes their names, too.
    """

    text: str
    parameters: list[tuple[str, Any, Callable[[Any], Any] | None]]
    form: Callable[[Iterable[Any]], Any]
    columns: Sequence[tuple[int, Callable[[Any], Any]]]


_prepared: WeakKeyDictionary[Query, _Prepared] = WeakKeyDictionary()


def run_query(connection: Connection, query: Query, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a query with these parameters; return its rows, if it has any.

    The query is kept by the caller for further runs, with parameters of the same names.
    """
    prepared = _prepared.get(query)
    if prepared is None:
        prepared = _prepared[query] = _prepare(connection, query, given)
    values = []
    for name, value, process in prepared.parameters:
        if name in given:
            value = given[name] if process is None else process(given[name])
        values.append(value)
    rows = rows_of(execute(connection, prepared.text, prepared.form(values)))
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
    for name in state.positiontup or state.parameters:
        process, value = state.processors.get(name), state.parameters[name]
        if process is None and name in types:
            process = types[name].dialect_impl(dialect).bind_processor(dialect)
        parameters.append((name, value if process is None or value is None else process(value), process))
    columns = query.selected_columns if isinstance(query, Select) else ()
    readers = [each.type.dialect_impl(dialect).result_processor(dialect, None) for each in columns]
    form: Callable[[Iterable[Any]], Any] = tuple
    if not dialect.positional:
        names = [name for name, _, _ in parameters]

        def form(given: Iterable[Any]) -> dict[str, Any]:
            return dict(zip(names, given, strict=True))

    read = [(place, each) for place, each in enumerate(readers) if each is not None]
    return _Prepared(state.statement, parameters, form, read)
