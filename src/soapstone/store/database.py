"""One database, SQLite or PostgreSQL: connections, transactions, named statements."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from soapstone.store import private
from soapstone.store.recall import Recall

T = TypeVar("T")

# How long a writer waits for another one before it gives up, in milliseconds.
BUSY_TIMEOUT = 10_000
# How long it waits between two looks, in milliseconds.
BUSY_PAUSE = 5


class Database:
    """The records of one installation.

    `url` is `sqlite:///path` or `postgresql://…` (SQLAlchemy form). Nothing above `store` needs to know which one runs.
    """

    def __init__(self, url: str, *, pool_size: int = 16) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ValueError("the database's URL cannot be read") from None
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif parsed.get_backend_name() != "sqlite" or not parsed.database:
            raise ValueError(f"not a database this server knows: {parsed.render_as_string()}")
        self.url = parsed
        self.kind = parsed.get_backend_name()
        self.engine: Engine = create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, pool_timeout=60)
        self._recall = Recall(self)
        if self.path is not None:
            _tame_sqlite(self.engine)

    @cached_property
    def path(self) -> Path | None:
        """The file of a SQLite database; None for a server."""
        return Path(self.url.database) if self.kind == "sqlite" and self.url.database else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the records and changes nothing."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def recall(self, key: Hashable, read: Callable[[], T]) -> T:
        """What `read` gives, or gave under this key after the last commit of anybody: see Recall.get."""
        return self._recall.get(key, read)

    @contextmanager
    def write(self, *, durable: bool = False, connection: Connection | None = None) -> Iterator[Connection]:
        """A transaction that may change records; committed at the end, rolled back by an exception.

        It holds the only writer's place of SQLite from its begin, so that it never fails half way for another writer.
        `durable` makes the commit outlive a loss of power (PostgreSQL's always does). `connection` is one of `connect`
        to use instead of any; it is in no transaction.
        """
        if connection is not None:
            with self._writing(connection, durable):
                yield connection
        else:
            with self.engine.connect() as connection, self._writing(connection, durable):
                yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for several transactions, one after another, and for what lies between them."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self, connection: Connection, durable: bool) -> Iterator[None]:
        connection.execution_options(writes=True, durable=durable)
        if self.kind == "postgresql":
            with connection.begin():
                yield
            return
        # The pragma does nothing inside a transaction, so it goes to the driver before the transaction begins.
        driver: Any = connection.connection.driver_connection
        if durable:
            driver.execute("PRAGMA synchronous=FULL")
        try:
            with connection.begin():
                yield
        finally:
            if durable:
                driver.execute("PRAGMA synchronous=NORMAL")

    def checkpoint(self) -> None:
        """Move SQLite's write-ahead log into the database file; only the worker calls this, between its transactions.

        TRUNCATE takes the writer's place while it works: the known fault of old SQLite versions needs a checkpoint
        that races a writer. A busy database is left for the next time.
        """
        if self.kind != "sqlite":
            return
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA busy_timeout=200")
            try:
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError:
                pass
            finally:
                driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")

    def settle(self) -> None:
        """Bring what is committed to the disk itself; PostgreSQL has done so at each commit."""
        if self.path is not None:
            # The log alone: to close the file of the database would end the locks that this process has on it.
            private.sync(Path(f"{self.path.resolve()}-wal"))

    def statement(self, name: str) -> str:
        """The text of a named SQL file: the one of this kind of database, or the one that serves both."""
        return _statement(self.kind, name)

    def close(self) -> None:
        """Close all connections."""
        self._recall.close()
        self.engine.dispose()


@cache
def _statement(kind: str, name: str) -> str:
    folder = resources.files("soapstone.store") / "sql"
    own = folder / kind / f"{name}.sql"
    return (own if own.is_file() else folder / f"{name}.sql").read_text(encoding="utf-8")


def _make_private(path: str) -> None:
    """Make the file, so that it has its mode from the first; SQLite gives the same to the files beside it."""
    # What hinders this is for SQLite to tell.
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, private.FILE))


def _tame_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "do_connect")
    def _before(_dialect: object, _record: object, arguments: list[Any], _options: object) -> None:
        _make_private(arguments[0])

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        # The driver must not begin transactions by itself; SQLAlchemy's begin event below does.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            # The worker alone moves the log into the file: see Database.checkpoint.
            "wal_autocheckpoint=0",
            "temp_store=FILE",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own lower() knows ASCII only.
        connection.create_function("lower_unicode", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        if writes:
            _begin_writing(connection)
        else:
            connection.exec_driver_sql("BEGIN")


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _begin_writing(connection: Connection) -> None:
    """Take the only writer's place, waiting for it up to the time-out.

    SQLite's own waiting soon looks only every 100 ms, and an import leaves shorter gaps between its transactions:
    other writers would miss them again and again.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout=0")
    try:
        for _ in range(BUSY_TIMEOUT // BUSY_PAUSE):
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            time.sleep(BUSY_PAUSE / 1000)
        # The last try fails as all statements do.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")
