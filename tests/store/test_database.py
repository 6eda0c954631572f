"""Transactions: all or nothing, one writer at a time, and on disk before anybody is told."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.jobs.queue import Jobs
from soapstone.store.database import Database
from soapstone.store.tables import accounts, jobs
from soapstone.store.transient_errors import RecordsUnavailable


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(accounts.c.name).order_by(accounts.c.name)).scalars())


def add(database: Database, name: str, *, durable: bool = False) -> None:
    with database.write(durable=durable) as connection:
        connection.execute(insert(accounts).values(name=name, time_zone="UTC", created_at=now()))


def test_an_exception_undoes_a_transaction(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(insert(accounts).values(name="GONE", time_zone="UTC", created_at=now()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    add(database, "STAYS")
    assert names(database) == ["STAYS"]


def test_many_writers_wait_for_each_other(database: Database) -> None:
    threads = [threading.Thread(target=add, args=(database, f"A{number:02}")) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(database) == [f"A{number:02}" for number in range(20)]


def test_a_writer_waits_for_its_place_and_not_for_ever(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailable, match="locked"), database.write(patience=0.02):
        pytest.fail("there are two writers")
    leaving = threading.Timer(0.05, lambda: other.execute("COMMIT"))
    leaving.start()
    add(database, "later")
    assert names(database) == ["later"]
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 10_000
    leaving.join()
    other.close()
    database.close()


def test_a_reader_sees_one_state(database: Database) -> None:
    with database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
        before = connection.execute(select(accounts.c.id)).all()
        if database.kind == "sqlite":
            add(database, "LATER")
            assert connection.execute(select(accounts.c.id)).all() == before


def test_a_durable_commit_is_synchronous(tmp_path: Path, sqlite_template: Path) -> None:
    """SQLite syncs its log at the commit when, and only when, the commit was asked to be durable."""
    path = tmp_path / "durable.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    seen: list[Any] = []

    def level() -> Any:
        with database.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            return driver.execute("PRAGMA synchronous").fetchone()[0]

    for durable in (True, False):
        with database.write(durable=durable) as connection:
            driver: Any = connection.connection.driver_connection
            seen.append(driver.execute("PRAGMA synchronous").fetchone()[0])
    full, normal = 2, 1
    assert seen == [full, normal]
    assert level() == normal
    database.close()


def test_every_job_is_accepted_durably(database: Database, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding a job outside a durable transaction is refused: its number would be told before it is on disk."""
    with database.write() as connection, pytest.raises(RuntimeError, match="durable"):
        Jobs(database).add(connection, account_id=account.id, kind="import")
    with database.write(durable=True) as connection:
        assert Jobs(database).add(connection, account_id=account.id, kind="import") > 0


def test_only_the_worker_moves_the_log(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    for number in range(50):
        add(database, f"A{number}")
    log = path.with_name("log.sqlite-wal")
    assert log.stat().st_size > 0
    database.checkpoint()
    assert log.stat().st_size == 0
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM account").fetchone() == (50,)
    connection.close()
    database.close()


def test_a_writer_that_gives_way_leaves_no_gap_and_nobody_waits_long(tmp_path: Path, sqlite_template: Path) -> None:
    """Each waits for the transaction under way, not for several of them, with other processes' locks too."""
    path = tmp_path / "ways.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database, other = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")
    stopped, begun = threading.Event(), list[int]()

    def write() -> None:
        while not stopped.is_set():
            with database.write(gives_way=True):
                begun.append(1)
                time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    waited = []
    try:
        for turn in range(10):
            before = len(begun)
            three = [threading.Thread(target=add, args=(other, f"C{turn}-{n}")) for n in range(3)]
            for thread in three:
                thread.start()
            for thread in three:
                thread.join()
            waited.append(len(begun) - before)
    finally:
        stopped.set()
        writer.join()
    assert len(names(other)) == 30
    # One, if the machine has nothing else to do.
    assert sum(waited) <= 30
    database.close()
    other.close()


def test_the_log_is_moved_beside_a_writer_that_never_rests(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    stopped, added = threading.Event(), list[int]()

    def write() -> None:
        while not stopped.is_set():
            with database.write(gives_way=True) as connection:
                row = {"name": f"B{len(added)}", "time_zone": "UTC", "created_at": now()}
                connection.execute(insert(accounts).values(**row))
                time.sleep(0.05)
            added.append(1)

    for number in range(100):
        add(database, f"A{number}")
    log = path.with_name("log.sqlite-wal")
    before = log.stat().st_size
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            database.checkpoint()
            assert log.stat().st_size < before / 2
    finally:
        stopped.set()
        writer.join()
    database.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM account").fetchone() == (100 + len(added),)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_the_file_is_synced_before_the_write_lock_is_taken(tmp_path: Path, sqlite_template: Path) -> None:
    """SQLite syncs the file while it moves the log, so at TRUNCATE nothing may be left that was not moved."""
    path = tmp_path / "log.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    stopped, left = threading.Event(), list[int]()

    @event.listens_for(database.engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.set_trace_callback(watch)

    def watch(statement: str) -> None:
        if "TRUNCATE" in statement:
            # The index of the log (https://sqlite.org/walformat.html 2.1): mxFrame and nBackfill.
            index = os.pread(shared, 100, 0)
            left.append(struct.unpack_from("=I", index, 16)[0] - struct.unpack_from("=I", index, 96)[0])

    def write() -> None:
        while not stopped.is_set():
            with database.write(gives_way=True) as connection:
                row = {"name": f"B{time.monotonic_ns()}", "time_zone": "UTC", "created_at": now()}
                connection.execute(insert(accounts).values(**row))
                time.sleep(0.05)

    add(database, "A")
    # Closing it would release SQLite's locks of the file, so it stays open until the database is closed.
    shared = os.open(path.with_name("log.sqlite-shm"), os.O_RDONLY)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            database.checkpoint()
    finally:
        stopped.set()
        writer.join()
        database.close()
        os.close(shared)
    assert left == [0] * 5


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("queued", "completed"),
        ("completed", "queued"),
        ("completed", "running"),
        ("cancelled", "queued"),
        ("failed", "completed"),
    ],
)
def test_states_are_guarded_by_the_database(database: Database, account: Account, state: str, then: str) -> None:
    with database.write(durable=True) as connection:
        job_id = Jobs(database).add(connection, account_id=account.id, kind="import")
    path = {"queued": [], "completed": ["running", "completed"], "cancelled": ["cancelled"], "failed": ["failed"]}[
        state
    ]

    def move(state: str) -> None:
        over = now() if state in ("completed", "cancelled", "failed") else None
        with database.write() as connection:
            connection.execute(jobs.update().where(jobs.c.id == job_id).values(state=state, finished_at=over))

    for step in path:
        move(step)
    with pytest.raises(DBAPIError, match="this change of state is not allowed"):
        move(then)


def test_a_step_never_goes_back(database: Database, account: Account) -> None:
    with database.write(durable=True) as connection:
        job_id = Jobs(database).add(connection, account_id=account.id, kind="import", steps=3)
    mine = jobs.update().where(jobs.c.id == job_id)
    with database.write() as connection:
        connection.execute(mine.values(state="running", step=2))
    with pytest.raises(DBAPIError, match="a step does not go back"), database.write() as connection:
        connection.execute(mine.values(step=1))
    with pytest.raises(DBAPIError), database.write() as connection:
        connection.execute(mine.values(step=4))


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "nonsense"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(InvalidError, match="database"):
        Database(url)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rows_are_tested_again_after_those_that_are_right_for_certain(database: Database) -> None:
    with database.connect() as connection:
        for is_proven in (True, False, True, False):
            with database.write(connection=connection, is_proven=is_proven) as writing:
                assert writing.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == (not is_proven)
                assert writing.exec_driver_sql("PRAGMA ignore_check_constraints").scalar_one() == is_proven


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_commit_that_fails_leaves_the_connection_as_it_was(database: Database) -> None:
    with database.connect() as connection:
        with database.write(connection=connection) as writing:
            writing.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
            writing.exec_driver_sql(
                "CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
            )
        with pytest.raises(IntegrityError), database.write(durable=True, connection=connection) as writing:
            writing.exec_driver_sql("INSERT INTO child VALUES (1)")
        with database.write(connection=connection) as writing:
            assert writing.exec_driver_sql("PRAGMA synchronous").scalar_one() == 1
            assert writing.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
            assert writing.exec_driver_sql("SELECT count(*) FROM child").scalar_one() == 0
