"""A move of all records from a SQLite file to an empty PostgreSQL database.

Tables are copied in the order of their references, each in batches along its primary key. A batch and the key that it
ended at are one transaction of the target, so that a move goes on behind the last batch, however it was ended. At the
end both sides are read again, and compared by counts and checksums. The source is locked meanwhile, and only marked at
the very end.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    MetaData,
    Row,
    Table,
    Text,
    delete,
    insert,
    select,
    text,
    update,
)

from soapstone.errors import ConflictError
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.documents import Document
from soapstone.store.numbers import handed_out, set_sequences
from soapstone.store.tables import link_keys, metadata, secrets
from soapstone.store.transient_errors import NO_ANSWER, RecordsUnavailable, translated

# Rows of one transaction.
BATCH = 20_000
# Rows of a table that refers to itself, all in one transaction.
WHOLE = 1 << 40
# Seconds to wait for the sessions of a killed move to end.
PATIENCE = 10.0
# Tables that migrations fill; the source's rows take the place of theirs.
FILLED = (secrets, link_keys)
# Bytes of a SQLite file that change without a change of records: journal mode, change counter, version of the library.
VOLATILE = ((18, 20), (24, 28), (92, 100))

# How far each table is moved: the last primary key in the form of JSON, and the number of rows. The row without a name
# has the source's fingerprint, and tells that the move is complete but for its marks.
_progress = Table(
    schema.UNFINISHED,
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("last", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False),
)

AGAIN = "Make the target empty (drop and create the database), and begin anew."


class Display(Protocol):
    """Where the progress is shown."""

    def step(self, name: str, total: int | None) -> None:
        """Begin a step of so many rows."""

    def advance(self, rows: int) -> None:
        """Count rows of the step."""


class Move:
    """One move. `source` is a SQLite file without its write-ahead log, `target` a database of PostgreSQL."""

    def __init__(self, source: Path, target: Database, display: Display, *, batch: int = BATCH) -> None:
        self._path = source
        self._target = target
        self._display = display
        self._batch = batch

    def run(self, where: str, finish: Callable[[], None]) -> dict[str, int]:
        """Move what is not moved yet; return the number of rows of each table.

        The source will say that its records are at `where`. Calls `finish` when the target is complete, before it is
        released. Raises ConflictError if the source is in use,
        if it has changed since the move began, if the target holds other records, and if something cannot be stored
        there.
        """
        with _locked(self._path) as source:
            if schema.version(self._target) is None:
                schema.upgrade(self._target)
            schema.check(self._target)
            # What is left of them would count as sessions of others.
            self._target.engine.dispose()
            with translated(), self._target.engine.connect() as target:
                _check_unused(target)
                moved = self._resume(source, target)
                rows = moved or self._copy(source, target)
                # A server of the source, started by mistake, must not send what the target sends.
                mark = (schema.MOVED, where)
                source.execute("INSERT OR REPLACE INTO secret (name, value) VALUES (?, ?)", mark)
                source.execute("COMMIT")
                finish()
                with target.begin():
                    _progress.drop(target)
                return rows

    def _resume(self, source: sqlite3.Connection, target: Connection) -> dict[str, int] | None:
        """Begin the move, or go on with it; return the number of rows of each table if all of them are moved."""
        with target.begin():
            there = target.dialect.has_table(target, _progress.name)
            known = _known(target, "") if there else None
            if known is not None and known.complete:
                # Only the marks may be missing.
                found = target.execute(select(_progress).where(_progress.c.name != ""))
                return {row.name: row.rows for row in found}
        moved = source.execute("SELECT value FROM secret WHERE name = ?", (schema.MOVED,)).fetchone()
        if moved is not None:
            raise ConflictError(f"These records were moved already, to {moved[0]}.")
        # Reading the file takes its time.
        fingerprint = _fingerprint(self._path)
        if known is not None:
            if known.last != fingerprint:
                raise ConflictError(f"The records have changed since this move began. {AGAIN}")
            return None
        with target.begin():
            for table in metadata.sorted_tables:
                if table in FILLED:
                    target.execute(delete(table))
                elif target.execute(select(text("1")).select_from(table).limit(1)).first():
                    raise ConflictError(f"The target holds records already, in table {table.name}. {AGAIN}")
            _progress.create(target)
            _note(target, "", fingerprint, 0, complete=False)
        return None

    def _copy(self, source: sqlite3.Connection, target: Connection) -> dict[str, int]:
        counts = {
            table.name: int(source.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])  # noqa: S608
            for table in metadata.sorted_tables
        }
        for table in metadata.sorted_tables:
            self._copy_table(source, target, table, counts[table.name])
        numbers = dict(source.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        with target.begin():
            set_sequences(target, numbers)
            reached = handed_out(target)
        if wrong := [name for name, number in numbers.items() if reached.get(name, number) != number]:
            raise ConflictError(f"Numbers of the target differ: {', '.join(wrong)}. {AGAIN}")
        for table in metadata.sorted_tables:
            self._compare(source, target, table, counts[table.name])
        with target.begin():
            # New tables have no statistics: the first plans would be wrong.
            target.execute(text("ANALYZE"))
            target.execute(update(_progress).where(_progress.c.name == "").values(complete=True))
        return counts

    def _copy_table(self, source: sqlite3.Connection, target: Connection, table: Table, count: int) -> None:
        with target.begin():
            known = _known(target, table.name)
        if known is not None and known.complete:
            return
        last, copied = (None, 0) if known is None else (json.loads(known.last), known.rows)
        self._display.step(f"Copying {table.name}", count)
        self._display.advance(copied)
        keys = [list(table.c).index(column) for column in table.primary_key]
        itself = any(each.column.table is table for each in table.foreign_keys)
        batch = WHOLE if itself else self._batch
        complete = False
        with closing(_rows_behind(source, table, last)) as rows:
            while not complete:
                with target.begin():
                    # They would write rows of their own, which the source has already.
                    target.execute(text(f"ALTER TABLE {table.name} DISABLE TRIGGER USER"))
                    taken, row = _send(target, table, _with_booleans(table, islice(rows, batch)))
                    target.execute(text(f"ALTER TABLE {table.name} ENABLE TRIGGER USER"))
                    last = [row[place] for place in keys] if taken else last
                    copied += taken
                    complete = taken < batch
                    _note(target, table.name, json.dumps(last), copied, complete=complete)
                self._display.advance(taken)

    def _compare(self, source: sqlite3.Connection, target: Connection, table: Table, count: int) -> None:
        """Raise ConflictError unless both sides have the same rows of a table."""
        self._display.step(f"Checking {table.name}", 2 * count)
        ours = self._checksum(table, _with_booleans(table, source.execute(_selection(table))))
        with target.begin():
            streamed = {"yield_per": 5_000}
            with target.exec_driver_sql(_selection(table, "::text"), execution_options=streamed) as stored:
                theirs = self._checksum(table, map(tuple, stored))
        if ours != theirs:
            raise ConflictError(f"Table {table.name} differs in the target: {theirs[0]} rows for {ours[0]}. {AGAIN}")

    def _checksum(self, table: Table, rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
        """Return the number of rows, and a checksum in which their order does not count."""
        documents = [place for place, column in enumerate(table.c) if isinstance(column.type, Document)]
        count = total = 0
        for row in rows:
            values = list(row)
            for place in documents:
                values[place] = _canonical(values[place])
            total += int.from_bytes(hashlib.blake2b(repr(values).encode(), digest_size=16).digest())
            count += 1
            if count % 5_000 == 0:
                self._display.advance(5_000)
        self._display.advance(count % 5_000)
        return count, total % (1 << 128)


@contextmanager
def _locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that no other process can use the file beside, not even to read."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            mode = "wal"
        if mode == "wal":
            raise ConflictError(f"Another process uses {path}: stop the server first.")
        yield connection


def _fingerprint(path: Path) -> str:
    """Return a digest of a SQLite file's records."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        head = bytearray(file.read(100))
        for start, end in VOLATILE:
            head[start:end] = bytes(end - start)
        digest.update(head)
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _check_unused(target: Connection) -> None:
    """Raise ConflictError if another session uses the target."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    end = time.monotonic() + PATIENCE
    while True:
        with target.begin():
            others = target.execute(query).scalar_one()
        if not others:
            return
        if time.monotonic() > end:
            raise ConflictError("Another session uses the target: stop servers, workers and other moves there.")
        time.sleep(0.1)


def _send(target: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> tuple[int, tuple[Any, ...]]:
    """Store rows in the target; return their number and the last one. Raises ConflictError if they cannot be stored."""
    driver: Any = target.connection.driver_connection
    names = ", ".join(map(_name, table.c))
    count, row = 0, ()
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
    except driver.Error as trouble:
        if driver.closed:
            raise RecordsUnavailable(NO_ANSWER) from trouble
        reason = str(trouble).partition("\n")[0]
        raise ConflictError(f"PostgreSQL refuses rows of table {table.name}: {reason}.") from trouble
    return count, row


def _rows_behind(source: sqlite3.Connection, table: Table, last: list[Any] | None) -> sqlite3.Cursor:
    """Return the rows behind this primary key, or all of them, in the order of the keys."""
    keys = ", ".join(map(_name, table.primary_key))
    behind = "" if last is None else f"WHERE ({keys}) > ({', '.join('?' * len(last))})"
    return source.execute(f"{_selection(table)} {behind} ORDER BY {keys}", last or ())


def _selection(table: Table, as_text: str = "") -> str:
    """Return a query of all columns; documents get `as_text` behind their names."""
    columns = (f"{_name(each)}{as_text if isinstance(each.type, Document) else ''}" for each in table.c)
    return f"SELECT {', '.join(columns)} FROM {table.name}"  # noqa: S608 - names of our own


def _with_booleans(table: Table, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield SQLite's rows with booleans, which are numbers there."""
    places = [place for place, column in enumerate(table.c) if isinstance(column.type, Boolean)]
    if not places:
        yield from rows
        return
    for row in rows:
        values = list(row)
        for place in places:
            values[place] = None if row[place] is None else bool(row[place])
        yield tuple(values)


def _canonical(document: str | None) -> str | None:
    """Return a document in one form: PostgreSQL keeps neither the order of its members nor the form of numbers."""
    if document is None or document == "{}":
        return document
    return json.dumps(json.loads(document, parse_float=_number), sort_keys=True)


def _number(literal: str) -> float | int:
    value = float(literal)
    return int(value) if value.is_integer() else value


def _known(target: Connection, name: str) -> Row[Any] | None:
    """Return how far a table is moved."""
    return target.execute(select(_progress).where(_progress.c.name == name)).first()


def _note(target: Connection, name: str, last: str, rows: int, *, complete: bool) -> None:
    """Store how far a table is moved."""
    target.execute(delete(_progress).where(_progress.c.name == name))
    target.execute(insert(_progress).values(name=name, last=last, rows=rows, complete=complete))


def _name(column: Column[Any]) -> str:
    # "class" and "by" are words of SQL.
    return f'"{column.name}"'
