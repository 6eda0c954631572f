"""A process knows what others committed 100 ms ago, or knows that it does not know."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url, select
from tests.postgresql import Databases

from soapstone.accounts.account import Accounts
from soapstone.store import change_reader
from soapstone.store.change_reader import ChangeReader, ChangeState
from soapstone.store.database import Database
from soapstone.store.tables import accounts, metadata

TRIGGERED: dict[str, str] = import_module("soapstone.store.migrations.versions.0023_changes_that_are_counted").TABLES
PATIENCE = 20.0


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


@pytest.fixture
def other(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Another program, with each statement a transaction of its own."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def token(database: Database) -> Callable[[], int | None]:
    """The token of a process that follows changes already."""
    watch = database.change_token()
    database.follow_changes()
    wait_until(lambda: watch.token() is not None)
    return watch.token


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def known(token: Callable[[], int | None]) -> int:
    """The token, as soon as there is one: on a busy machine a round trip may take longer than it is worth."""
    wait_until(lambda: token() is not None)
    while (found := token()) is None:
        pass
    return found


def backend(other: psycopg.Connection[Any]) -> int:
    """The process of the server that serves the reading connection."""
    here = "datname = current_database() AND application_name = 'soapstone_changes'"
    query = f"SELECT pid FROM pg_stat_activity WHERE {here}".encode()
    (found,) = other.execute(query).fetchone() or (0,)
    return int(found)


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def add_account(other: psycopg.Connection[Any], name: str) -> int:
    query = "INSERT INTO account (name, time_zone, created_at) VALUES (%s, 'UTC', 0) RETURNING id"
    (number,) = other.execute(query, [name]).fetchone() or (0,)
    return int(number)


def test_a_process_that_follows_no_changes_knows_nothing(database: Database) -> None:
    assert database.change_token().token() is None


def test_a_commit_of_another_program_counts_within_100_ms(
    token: Callable[[], int | None], other: psycopg.Connection[Any]
) -> None:
    add_account(other, "ONE")
    for change in (
        "UPDATE account SET name = 'OTHER'",
        "INSERT INTO login (account_id, name, name_key, password_hash, created_at) SELECT id, 'a', 'a', '', 0"
        " FROM account",
        "UPDATE login SET may_call_api = false",
        "INSERT INTO session (token_hash, login_id, purpose, created_at, last_used_at)"
        " SELECT 'x', id, 'x', 0, 0 FROM login; UPDATE session SET last_used_at = 1",
        "DELETE FROM session",
        "DELETE FROM login",
        "TRUNCATE session",
    ):
        before = known(token)
        other.execute(change.encode())
        # A token that is given out later is of a reading that began after the commit.
        time.sleep(change_reader.FRESH)
        assert known(token) != before, change


@pytest.mark.parametrize("ends", ["at once", "after another began", "after another ended"])
def test_a_commit_long_after_its_change_was_counted(
    token: Callable[[], int | None], other: psycopg.Connection[Any], database_url: str, ends: str
) -> None:
    """The sequence moves before the commit: the transactions that are under way then are watched to their end."""
    add_account(other, "ONE")
    with psycopg.connect(database_url) as slow, psycopg.connect(database_url) as beside:
        slow.execute("UPDATE account SET name = 'OTHER'")
        time.sleep(change_reader.FRESH)
        known(token)
        if ends != "at once":
            beside.execute("INSERT INTO secret (name, value) VALUES ('x', 'y')")
        if ends == "after another ended":
            beside.commit()
        time.sleep(change_reader.FRESH)
        before = known(token)
        time.sleep(2 * change_reader.FRESH)
        assert known(token) == before
        slow.commit()
        time.sleep(change_reader.FRESH)
        assert known(token) != before
        # What began later and counted nothing is no change.
        after = known(token)
        beside.commit()
        time.sleep(change_reader.FRESH)
        assert known(token) == after


class Transactions:
    """A model of the server: transactions that begin, count and commit; a reading in three steps."""

    def __init__(self) -> None:
        self.number = 0
        self.next_id = 3
        self.last_ended = 2
        self.running: list[int] = []
        self.counted: set[int] = set()
        # Of those that counted, in the order of their commits.
        self.committed: list[int] = []

    def begin(self) -> int:
        self.running.append(self.next_id)
        self.next_id += 1
        return self.running[-1]

    def do(self, step: str, which: int) -> None:
        if step == "begin":
            self.begin()
        elif self.running:
            each = self.running[which % len(self.running)]
            if step == "count":
                self.number += 1
                self.counted.add(each)
            else:
                self.end(each)
                self.committed += [each] if each in self.counted and step == "commit" else []

    def end(self, which: int) -> None:
        self.running.remove(which)
        self.last_ended = max(self.last_ended, which)

    def snapshot(self) -> str:
        """Tell of running transactions as PostgreSQL does: those behind the last one that has ended are left out."""
        listed = [each for each in self.running if each <= self.last_ended]
        border = self.last_ended + 1
        return f"{min(listed, default=border)}:{border}:{','.join(map(str, listed))}"


STEP = st.tuples(
    st.sampled_from(["begin", "begin", "count", "count", "commit", "commit", "roll back"]), st.integers(0, 9)
)


@given(st.lists(st.tuples(*(st.lists(STEP, max_size=size) for size in (6, 3, 3, 3))), min_size=2, max_size=12))
def test_readings_that_do_not_differ_have_no_commit_between_them(rounds: list[tuple[list[Any], ...]]) -> None:
    """`rounds`: what happens before a reading; between its number and its snapshot; before it gets an id; before it
    ends."""
    server, state = Transactions(), ChangeState()
    seen = 0
    for before, within, *later in rounds:
        for step in before:
            server.do(*step)
        # What is committed by now must show in this reading, if it was not before the snapshot of the last one.
        missed, number = len(server.committed) > seen, str(server.number)
        for step in within:
            server.do(*step)
        seen_now, reading, own = len(server.committed), f"{number} {server.snapshot()}", 0
        for position, steps in enumerate(later):
            for step in steps:
                if own == 0 or server.running[step[1] % max(len(server.running), 1) :][:1] != [own]:
                    server.do(*step)
            if position == 0 and number != state.number:
                own = server.begin()
                reading += f" {own}"
        if own:
            server.end(own)
        assert state.differs(reading) or not missed
        seen = seen_now


def test_what_the_process_wrote_counts_at_once(database: Database, token: Callable[[], int | None]) -> None:
    for number in range(20):
        before = known(token)
        Accounts(database).create(f"A{number}", time_zone="UTC")
        assert token() != before


def test_so_does_what_it_wrote_by_another_pool(
    database: Database, database_url: str, token: Callable[[], int | None]
) -> None:
    """A worker beside the web server in one process has its own, and so do tests."""
    with closing(Database(database_url)) as beside:
        before = known(token)
        with beside.write() as connection:
            connection.execute(select(1))
        assert token() != before


def test_what_changes_no_answer_does_not_count(token: Callable[[], int | None], other: psycopg.Connection[Any]) -> None:
    """Looks for a job, leases, failed logons, numbers of contacts, and counts of members."""
    account = add_account(other, "ONE")
    other.execute("INSERT INTO list (account_id, name, created_at) VALUES (%s, 'x', 0)", [account])
    other.execute("INSERT INTO job (account_id, kind, submitted_at, due_at) VALUES (%s, 'import', 0, 0)", [account])
    time.sleep(2 * change_reader.FRESH)
    before = known(token)
    other.execute("INSERT INTO logon_failure (count_key, failed_at) VALUES ('x', 0)")
    other.execute("UPDATE job SET state = state WHERE false")
    other.execute("UPDATE job SET lease_until = 7")
    other.execute("UPDATE account SET last_number = last_number + 1")
    other.execute("UPDATE list SET subscribed = subscribed + 1")
    other.execute("INSERT INTO secret (name, value) VALUES ('x', 'y')")
    other.execute("DELETE FROM logon_failure")
    time.sleep(2 * change_reader.FRESH)
    assert known(token) == before


def test_a_connection_that_was_ended_is_noticed_and_comes_back(
    token: Callable[[], int | None], other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(3):
        before = known(token)
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend(other)])
        add_account(other, f"A{number}")
        time.sleep(change_reader.FRESH)
        assert known(token) != before
        known(token)
    told = [each.getMessage() for each in caplog.records if each.name == change_reader.__name__]
    assert [line.partition(":")[0] for line in told] == [
        "changes are not known, so each poll is worked out",
        "changes are known again",
    ] * 3


def test_a_server_process_that_stands_still_is_noticed(
    token: Callable[[], int | None], other: psycopg.Connection[Any]
) -> None:
    """Nobody commits meanwhile: it may stand still with a lock that commits wait for."""
    known(token)
    with stopped(backend(other)):
        time.sleep(change_reader.FRESH)
        assert token() is None
        time.sleep(change_reader.FRESH)
        assert token() is None
    before = known(token)
    add_account(other, "ONE")
    time.sleep(change_reader.FRESH)
    assert known(token) != before


def test_a_thread_that_stands_still_is_noticed(
    token: Callable[[], int | None], other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sleeps between a reading and the next, as a thread does that gets no turn."""
    goes_on, stands = threading.Event(), threading.Event()
    real = ChangeReader._read

    def read(reader: ChangeReader, connection: Any) -> str:
        stands.set()
        assert goes_on.wait(PATIENCE)
        return real(reader, connection)

    before = known(token)
    monkeypatch.setattr(ChangeReader, "_read", read)
    wait_until(lambda: token() is None)
    assert stands.wait(PATIENCE)
    add_account(other, "ONE")
    time.sleep(change_reader.FRESH)
    assert token() is None
    goes_on.set()
    assert known(token) > before


def test_nobody_asks_and_the_connection_rests(
    database: Database, token: Callable[[], int | None], other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first who asks after a while is told that nothing is known, and makes it read."""
    readings: list[str] = []
    real = ChangeReader._read

    def read(reader: ChangeReader, connection: Any) -> str:
        readings.append(real(reader, connection))
        return readings[-1]

    known(token)
    time.sleep(2 * change_reader.FRESH)
    monkeypatch.setattr(ChangeReader, "_read", read)
    time.sleep(4 * change_reader.FRESH)
    assert len(readings) <= 1
    assert token() is None
    add_account(other, "ONE")
    known(token)
    assert readings


def test_calls_wait_for_a_reading_together(
    database: Database, token: Callable[[], int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many calls that find the token out of date cost one reading; what stands still costs them little time."""
    readings: list[str] = []
    real = ChangeReader._read
    all_wait = threading.Event()

    def read(reader: ChangeReader, connection: Any) -> str:
        assert all_wait.wait(PATIENCE)
        readings.append(real(reader, connection))
        return readings[-1]

    known(token)
    watch = database.change_token()

    async def ask() -> list[int | None]:
        all_wait.clear()
        calls = [asyncio.ensure_future(watch.renewed()) for _ in range(100)]
        await asyncio.sleep(0)
        all_wait.set()
        return await asyncio.gather(*calls)

    time.sleep(2 * change_reader.FRESH)
    monkeypatch.setattr(ChangeReader, "_read", read)
    wait_until(lambda: None not in asyncio.run(ask()))
    few = len(readings)
    time.sleep(2 * change_reader.FRESH)
    asyncio.run(ask())
    assert len(readings) - few <= 3
    goes_on = threading.Event()
    monkeypatch.setattr(ChangeReader, "_read", lambda *given: str(goes_on.wait(PATIENCE) and real(*given)))
    time.sleep(2 * change_reader.FRESH)
    began = time.monotonic()
    assert set(asyncio.run(ask())) == {None}
    assert time.monotonic() - began < 20 * change_reader.PATIENCE
    goes_on.set()


def test_without_its_triggers_it_knows_nothing(
    database: Database, other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """An operator may have left them disabled after loading rows."""
    other.execute("ALTER TABLE job DISABLE TRIGGER USER")
    watch = database.change_token()
    database.follow_changes()
    wait_until(lambda: "the triggers that count changes are missing or disabled" in caplog.text)
    assert watch.token() is None
    other.execute("ALTER TABLE job ENABLE TRIGGER USER")
    known(watch.token)
    assert caplog.text.count("changes are not known") == 1


def test_transactions_are_of_the_usual_kind(
    database: Database, database_url: str, other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In others the snapshot would be from before the number."""
    found: list[Any] = []
    real = ChangeReader._read

    def read(reader: ChangeReader, connection: Any) -> str:
        found.append(connection.execute("SHOW transaction_isolation").fetchone())
        return real(reader, connection)

    monkeypatch.setattr(ChangeReader, "_read", read)
    name = make_url(database_url).database
    other.execute(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'repeatable read'".encode())
    try:
        watch = database.change_token()
        database.follow_changes()
        known(watch.token)
        assert set(found) == {("read committed",)}
    finally:
        other.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation".encode())


def test_values_are_cached_while_changes_are_known(
    database: Database, token: Callable[[], int | None], other: psycopg.Connection[Any]
) -> None:
    readings: list[int] = []

    def read() -> int:
        with database.read() as connection:
            readings.append(len(connection.execute(select(accounts.c.id)).all()))
        return readings[-1]

    def recall() -> int:
        known(token)
        return database.recall("accounts", read)

    for _ in range(100):
        recall()
    assert len(readings) < 50
    add_account(other, "ONE")
    time.sleep(change_reader.FRESH)
    assert database.recall("accounts", read) == 1
    database.close()
    assert token() is None


def test_each_trigger_is_there(database: Database, other: psycopg.Connection[Any]) -> None:
    """The number that a process expects is that of the migration, and columns that are left out change no answer."""
    assert 2 * len(TRIGGERED) == change_reader.TRIGGERS
    columns = TRIGGERED["account"].partition(" UPDATE OF ")[2].split(", ")
    assert set(metadata.tables["account"].columns.keys()) - set(columns) == {"id", "last_number", "created_at"}
    columns = TRIGGERED["job"].partition(" UPDATE OF ")[2].split(", ")
    assert set(metadata.tables["job"].columns.keys()) - set(columns) == {"id", "lease_until"}
    (found,) = other.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'count_%'").fetchone() or (0,)
    assert found == change_reader.TRIGGERS


def test_closing_ends_its_connection(
    database: Database, token: Callable[[], int | None], other: psycopg.Connection[Any]
) -> None:
    known(token)
    assert backend(other)
    database.close()
    assert token() is None
    wait_until(lambda: not backend(other))
