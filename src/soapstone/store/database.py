"""One database, SQLite or PostgreSQL: connections, transactions, named statements."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Select, Transaction, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from soapstone.errors import InvalidError
from soapstone.store import postgresql, private, recorded_reads
from soapstone.store.change_reader import ChangeReader
from soapstone.store.change_token import ChangeToken
from soapstone.store.documents import read_document
from soapstone.store.read_cache import ReadCache
from soapstone.store.transient_errors import (
    ALL_TAKEN,
    DISK_FULL,
    LOCKED,
    NO_ANSWER,
    READ_ONLY,
    RecordsUnavailable,
    transient_error,
    translated,
)
from soapstone.store.waiting import LONGEST_WAIT, STUCK, Waiting

T = TypeVar("T")

log = logging.getLogger(__name__)

# Milliseconds that a statement of SQLite waits for a checkpoint or another reader's recovery.
BUSY_TIMEOUT = 10_000
# Seconds between two attempts of a waiting writer, and of one that gives way to the others.
BUSY_PAUSE, LONG_PAUSE = 0.002, 0.02
# What a writer that gives way leaves to others, as a part of its last transaction: whoever waits gets the processor as
# late on a busy machine as that transaction took long.
LEFT_TO_OTHERS = 0.03
# Most times that SQLite's log is moved beside writers; pages that may come meanwhile without another time; milliseconds
# to wait for others before the rest is moved.
MOVES, FEW_PAGES, MOVE_TIMEOUT = 4, 10_000, 200
# Seconds that a new connection to a server may take.
CONNECT_TIMEOUT = 10
# Seconds from the first failed connection on in which callers wait for a server that restarts, and between two tries.
RESTART_PATIENCE, RESTART_PAUSE = 20.0, 0.1
# Connections that are kept; as many again are made when they are needed.
POOL_SIZE = 16
# Seconds that a thread waits for a free connection of the pool.
POOL_TIMEOUT = 10
# Seconds that an unimportant change waits, such as the last use of a session.
SHORT_PATIENCE = 0.2
# The same for the readiness check.
READY_PATIENCE = 1.0
# Seconds that the database does not count as ready after a failed change, unless one succeeded since.
FAILURE_SECONDS = 10.0
# Free bytes of SQLite's disk below which the database does not count as ready.
SPARE_BYTES = 16 << 20


class Database:
    """The records of one installation.

    `url` is `sqlite:///path` or `postgresql://…` (SQLAlchemy form). Code above `store` need not know the kind. With
    `waits` writers wait for PostgreSQL's locks without limit: for the worker, whose transactions may be long.

    Transient errors are raised as RecordsUnavailable, a damaged file as RecordsDamaged.
    """

    # The most seconds that a writer waits for others.
    patience = LONGEST_WAIT

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, waits: bool = False) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise InvalidError("the database's URL cannot be read") from None
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif parsed.get_backend_name() != "sqlite" or not parsed.database:
            raise InvalidError(f"not a database this server knows: {parsed.render_as_string()}")
        self.url = parsed
        self.kind = parsed.get_backend_name()
        self._waits = waits
        self._waiting = Waiting()
        # Held by a writer that gives way, and while the rest of SQLite's log is moved.
        self._turn = threading.Lock()
        # Seconds that the last transaction took of a writer that gives way.
        self._held = 0.0
        # Whether a server has answered; monotonic time of the first failed connection since then.
        self._answered = False
        self._unreachable: float | None = None
        # Monotonic time of the last failed change, unless one succeeded since.
        self._failed: float | None = None
        self._most_connections = 2 * pool_size
        limits: dict[str, Any] = {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": POOL_TIMEOUT}
        # The connection used last first: each connection of SQLite has a cache of pages, which is only good until
        # another one commits.
        limits["pool_use_lifo"] = True
        if self.kind == "postgresql":
            # After a restart of the server all pooled connections are broken.
            limits["pool_pre_ping"] = True
            limits["connect_args"] = postgresql.client_parameters(parsed)
            if "connect_timeout" not in parsed.query:
                limits["connect_args"]["connect_timeout"] = CONNECT_TIMEOUT
        else:
            limits["json_deserializer"] = read_document
        try:
            self.engine: Engine = create_engine(parsed, **limits)
        except ModuleNotFoundError:
            raise InvalidError("PostgreSQL needs the package with its extra postgresql.") from None
        recorded_reads.listen(self.engine)
        self._reader = ChangeReader(self.engine) if self.path is None else None
        self._recall = ReadCache(self.change_token)
        if self.path is not None:
            _configure_sqlite(self.engine)
        else:
            postgresql.configure(self.engine, lock_timeout=None if waits else LONGEST_WAIT)

    @cached_property
    def path(self) -> Path | None:
        """The file of a SQLite database; None for a server."""
        return Path(self.url.database) if self.kind == "sqlite" and self.url.database else None

    @contextmanager
    def read(self, *, autocommit: bool = False) -> Iterator[Connection]:
        """Yield a connection to read by, in one transaction.

        On SQLite it sees one snapshot; on PostgreSQL each statement has its own. `autocommit` is for a few short
        statements that many clients wait for: PostgreSQL gets no BEGIN and COMMIT.
        """
        with translated(), self._connected() as connection:
            if autocommit and self.kind == "postgresql":
                connection.execution_options(isolation_level="AUTOCOMMIT")
            with connection.begin():
                yield connection

    def records(self, record: Callable[..., T], query: Select[Any]) -> list[T]:
        """Return the rows of one statement as records, which take the columns by name."""
        with self.read() as connection:
            return [record(**row) for row in connection.execute(query).mappings()]

    def record(self, record: Callable[..., T], query: Select[Any]) -> T | None:
        """Return the only row of a statement as a record; None for no row."""
        return next(iter(self.records(record, query)), None)

    def change_token(self) -> ChangeToken:
        """Open a change token, for one thread."""
        return ChangeToken(self.path, self._reader)

    def follow_changes(self) -> None:
        """Know of the changes of other processes from now on, for change tokens and `recall`.

        For web processes: on PostgreSQL it takes a connection and a thread. SQLite needs neither.
        """
        if self._reader is not None:
            self._reader.start()

    def count_change(self, connection: Connection) -> None:
        """Let other processes know that what a transaction has written changes answers, where no trigger counts it."""
        if self.kind == "postgresql":
            connection.exec_driver_sql("SELECT nextval('change_number')")

    def recall(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the result of `read`, cached under this key until the next commit: see ReadCache.get."""
        return self.repeated(lambda: self._recall.get(key, read))

    def repeated(self, read: Callable[[], T]) -> T:
        """Return the result of `read`, which changes nothing; repeat it once if its connection broke.

        A PostgreSQL server that restarts ends the statements under way, and answers new connections soon.
        """
        try:
            return read()
        except RecordsUnavailable as reason:
            if not reason.broken:
                raise
        return read()

    @contextmanager
    def write(
        self,
        *,
        durable: bool = False,
        connection: Connection | None = None,
        patience: float | None = None,
        gives_way: bool = False,
        is_proven: bool = False,
    ) -> Iterator[Connection]:
        """Yield a transaction that may change rows; commit it at the end, roll it back on an exception.

        It holds SQLite's write lock from its begin, so that it never fails half way because of another writer.
        `durable` makes the commit survive a power loss (PostgreSQL's always does). `connection` is one of `connect`,
        outside a transaction. `patience` overrides the seconds to wait for other writers. `gives_way` is for long
        transactions, one after another, on SQLite: all who wait for the end of one get their turn before the next.
        `is_proven` is for many rows whose values are right, and refer to others that are there, for certain: SQLite
        neither looks those up nor tests conditions of tables, which takes it longer than to store a row.
        """
        hurried, patience = patience is not None, self.patience if patience is None else patience
        try:
            with translated():
                if connection is not None:
                    with self._writing(connection, durable, patience, gives_way, is_proven):
                        yield connection
                else:
                    with (
                        self._connected() as connection,
                        self._writing(connection, durable, patience, gives_way, is_proven),
                    ):
                        yield connection
        except RecordsUnavailable:
            if not hurried:
                self._failed = time.monotonic()
            raise
        finally:
            # Also after an error, which may be the loss of the answer to a commit.
            if self._reader is not None:
                self._reader.note_change()
        self._failed = None

    def touch(self, statement: Executable) -> None:
        """Run an unimportant statement; skip it if the database is busy or its disk full."""
        try:
            with self.write(patience=SHORT_PATIENCE) as connection:
                connection.execute(statement)
        except RecordsUnavailable as reason:
            log.info("a moment of use is not stored: %s", reason)

    def check_writable(self, patience: float = LONGEST_WAIT) -> None:
        """Raise RecordsUnavailable if no change can begin now, as in a read-only file. Writes nothing."""
        with translated(), self.engine.connect() as connection:
            if self.kind == "postgresql":
                if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on":
                    raise RecordsUnavailable(READ_ONLY)
                return
            # SQLite's open file stays writable when its file system becomes read-only.
            if self.path is not None and not all(os.access(each, os.W_OK) for each in (self.path, self.path.parent)):
                raise RecordsUnavailable(READ_ONLY)
            with self._begun(connection, patience) as transaction:
                transaction.rollback()

    @property
    def connections(self) -> dict[str, int]:
        """The connections of this process's pool, `in_use` and `idle`."""
        pool = self.engine.pool
        return {"in_use": pool.checkedout(), "idle": pool.checkedin()} if isinstance(pool, QueuePool) else {}

    def check_ready(self) -> None:
        """Raise RecordsUnavailable, within about a second, if a change would probably fail now."""
        if self._failed is not None and time.monotonic() - self._failed < FAILURE_SECONDS:
            raise RecordsUnavailable("A change could not be stored.")
        if self._waiting.full:
            raise RecordsUnavailable(LOCKED)
        if self.connections.get("in_use", 0) >= self._most_connections:
            raise RecordsUnavailable(ALL_TAKEN)
        if self.path is not None:
            with translated(OSError):
                spare = shutil.disk_usage(self.path.parent).free
            if spare < SPARE_BYTES:
                raise RecordsUnavailable(DISK_FULL)
        self.check_writable(READY_PATIENCE)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection for several consecutive transactions, and for statements between them."""
        with translated(), self._connected() as connection:
            yield connection

    def _connected(self) -> Connection:
        """Return a connection. If a server that answered before does not, wait: it may be restarting.

        All threads wait until `RESTART_PATIENCE` after the first failure, none for longer.
        """
        while True:
            try:
                connection = self.engine.connect()
            except DBAPIError as error:
                failed = time.monotonic()
                self._unreachable = self._unreachable or failed
                too_late = failed - self._unreachable > RESTART_PATIENCE
                if not self._answered or too_late or transient_error(error) != NO_ANSWER:
                    raise
                time.sleep(RESTART_PAUSE)
            else:
                self._answered, self._unreachable = self.kind == "postgresql", None
                return connection

    @contextmanager
    def _writing(
        self, connection: Connection, durable: bool, patience: float, gives_way: bool, is_proven: bool
    ) -> Iterator[None]:
        connection.execution_options(durable=durable)
        if self.kind == "postgresql":
            with self._locking(connection, patience):
                yield
            return
        # The pragmas have no effect inside a transaction, so they run before the transaction begins.
        driver: Any = connection.connection.driver_connection
        try:
            if durable:
                driver.execute("PRAGMA synchronous=FULL")
            if is_proven:
                _prove(driver, False)
            if gives_way:
                # Whoever waits tries in this time.
                time.sleep(max(1.5 * BUSY_PAUSE, LEFT_TO_OTHERS * self._held))
            with self._turn if gives_way else nullcontext(), self._begun(connection, patience, gives_way=gives_way):
                began = time.monotonic()
                yield
            if gives_way:
                self._held = time.monotonic() - began
        finally:
            # A commit that failed may have left the transaction open.
            if driver.in_transaction:
                driver.rollback()
            if durable:
                driver.execute("PRAGMA synchronous=NORMAL")
            if is_proven:
                _prove(driver, True)

    def _begun(self, connection: Connection, patience: float, *, gives_way: bool = False) -> Transaction:
        """Begin a transaction of SQLite that holds the write lock.

        SQLite's own busy handler soon tries only every 100 ms, and an import leaves shorter gaps between its
        transactions: other writers would miss them repeatedly.
        """
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA busy_timeout=0")
        try:
            with self._waiting.one() as me:
                while True:
                    try:
                        driver.execute("BEGIN IMMEDIATE")
                    except sqlite3.OperationalError as error:
                        busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                        if not busy or self._waiting.gives_up(me, patience):
                            raise
                    else:
                        self._waiting.got_on()
                        return connection.begin()
                    time.sleep(LONG_PAUSE if gives_way else BUSY_PAUSE)
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")

    @contextmanager
    def _locking(self, connection: Connection, patience: float) -> Iterator[None]:
        """Yield a transaction of PostgreSQL, each of whose statements waits for locks at most `patience` seconds."""
        if self._waits:
            with _committed(connection):
                yield
            return
        with self._waiting.one() as me:
            if self._waiting.crowded(me):
                patience = min(patience, STUCK)
            with _committed(connection):
                if patience < LONGEST_WAIT:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(1000 * patience)}")
                yield
            self._waiting.got_on()

    def checkpoint(self) -> None:
        """Move SQLite's write-ahead log into the database file; only the worker calls this, between its transactions.

        All but the last commits are moved, and synced, while others write. TRUNCATE then holds the write lock to move
        the rest. A busy database is skipped until the next time.
        """
        if self.kind != "sqlite":
            return
        with self.engine.connect() as mover, self.engine.connect() as other:
            driver: Any = mover.connection.driver_connection
            reader: Any = other.connection.driver_connection
            with suppress(sqlite3.OperationalError):
                moved = 0
                for _ in range(MOVES):
                    before = moved
                    pages, moved = _move(driver, reader)
                    if moved == pages and pages - before <= FEW_PAGES:
                        break
                driver.execute(f"PRAGMA busy_timeout={MOVE_TIMEOUT}")
                # Imports leave gaps that are too short for SQLite's way of waiting.
                with self._turn:
                    # SQLite syncs the file only if nothing is committed while it moves. The file would else be synced
                    # with the write lock held: after an import's chunks that takes seconds.
                    _move(driver, reader)
                    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")

    def settle(self) -> None:
        """Sync all commits to the disk; PostgreSQL does so at each commit."""
        if self.path is not None:
            # The log alone: closing the database file would release this process's locks on it.
            private.sync(Path(f"{self.path.resolve()}-wal"))

    def statement(self, name: str) -> str:
        """Return the text of a named SQL file, of this kind of database or common to both."""
        return _statement(self.kind, name)

    def close(self) -> None:
        self._recall.close()
        if self._reader is not None:
            self._reader.close()
        self.engine.dispose()


@contextmanager
def _committed(connection: Connection) -> Iterator[None]:
    """Yield a transaction of PostgreSQL, and commit it. A connection that breaks then leaves its outcome unknown."""
    committing = False
    try:
        with connection.begin():
            yield
            committing = True
    except DBAPIError as error:
        if committing and error.connection_invalidated:
            raise RecordsUnavailable(NO_ANSWER, undone=False) from error
        raise


@cache
def _statement(kind: str, name: str) -> str:
    folder = resources.files("soapstone.store") / "sql"
    own = folder / kind / f"{name}.sql"
    return (own if own.is_file() else folder / f"{name}.sql").read_text(encoding="utf-8")


def _move(driver: Any, reader: Any) -> tuple[int, int]:
    """Move what SQLite's log holds now beside writers; return the log's pages, and those moved so far.

    While somebody reads, no writer begins the log anew: old versions of SQLite may damage the file if one does so
    during a checkpoint.
    """
    reader.execute("BEGIN")
    reader.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    _, pages, moved = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    reader.execute("ROLLBACK")
    return pages, moved


def _make_private(path: str) -> None:
    """Create the file with its mode from the start; SQLite gives the same to the files beside it."""
    # SQLite will report the error.
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, private.FILE))


def _configure_sqlite(engine: Engine) -> None:
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
            # Only the worker runs checkpoints: see Database.checkpoint.
            "wal_autocheckpoint=0",
            "temp_store=FILE",
            # Overwrite deleted data, whatever the library's default.
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own lower() folds ASCII only.
        connection.create_function("lower_unicode", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        # A writer's transaction has begun already: see Database._begun.
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN")


def _prove(driver: Any, is_on: bool) -> None:
    """Let SQLite prove references and the conditions of tables, or not."""
    driver.execute(f"PRAGMA foreign_keys={'ON' if is_on else 'OFF'}")
    driver.execute(f"PRAGMA ignore_check_constraints={'OFF' if is_on else 'ON'}")


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text
