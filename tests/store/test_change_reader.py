"""A listening process knows what others committed 100 ms ago, or knows that it does not know."""

from __future__ import annotations

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
from sqlalchemy import select
from tests.postgresql import Databases

from soapstone.accounts.account import Accounts
from soapstone.store import listener
from soapstone.store.database import Database
from soapstone.store.tables import accounts, metadata

TRIGGERED: dict[str, str] = import_module(
    "soapstone.store.migrations.versions.0021_changes_that_web_processes_hear_of"
).TABLES
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
    """The token of a process that listens already."""
    watch = database.change_token()
    database.listen()
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
    """The process of the server that serves the listening connection."""
    here = "datname = current_database() AND application_name = 'soapstone_listener'"
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


def test_a_process_that_does_not_listen_knows_nothing(database: Database) -> None:
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
        # Not before: a token that is given out later is of a round trip that began after the commit.
        time.sleep(listener.FRESH)
        assert token() != before, change


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
    """Looks for a job, numbers of contacts, counts of members, and what was rolled back."""
    account = add_account(other, "ONE")
    other.execute("INSERT INTO list (account_id, name, created_at) VALUES (%s, 'x', 0)", [account])
    other.execute("INSERT INTO logon_failure (count_key, failed_at) VALUES ('x', 0)")
    time.sleep(2 * listener.FRESH)
    before = known(token)
    other.execute("UPDATE job SET state = state WHERE false")
    other.execute("UPDATE account SET last_number = last_number + 1")
    other.execute("UPDATE list SET subscribed = subscribed + 1")
    other.execute("INSERT INTO secret (name, value) VALUES ('x', 'y')")
    other.execute("DELETE FROM logon_failure")
    with other.transaction(force_rollback=True):
        add_account(other, "TWO")
    time.sleep(2 * listener.FRESH)
    assert known(token) == before


def test_a_connection_that_was_ended_is_noticed_and_comes_back(
    token: Callable[[], int | None], other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(3):
        before = known(token)
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend(other)])
        add_account(other, f"A{number}")
        time.sleep(listener.FRESH)
        assert token() != before
        known(token)
    told = [each.getMessage() for each in caplog.records if each.name == listener.__name__]
    assert [line.partition(":")[0] for line in told] == [
        "changes are not heard of, so each poll is worked out",
        "changes are heard of again",
    ] * 3


def test_a_server_process_that_stands_still_is_noticed(
    token: Callable[[], int | None], other: psycopg.Connection[Any]
) -> None:
    """Nobody commits meanwhile: it may stand still with a lock that commits wait for."""
    known(token)
    with stopped(backend(other)):
        time.sleep(listener.FRESH)
        assert token() is None
        time.sleep(listener.FRESH)
        assert token() is None
    before = known(token)
    add_account(other, "ONE")
    time.sleep(listener.FRESH)
    assert token() != before


def test_a_thread_that_stands_still_is_noticed(
    token: Callable[[], int | None], other: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sleeps between a round trip and the next, as a thread does that gets no turn."""
    goes_on, stands = threading.Event(), threading.Event()
    real = psycopg.Connection.execute

    def execute(connection: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        if query == "SELECT 1":
            stands.set()
            assert goes_on.wait(PATIENCE)
        return real(connection, query, *arguments, **options)

    before = known(token)
    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    assert stands.wait(PATIENCE)
    add_account(other, "ONE")
    time.sleep(listener.FRESH)
    assert token() is None
    goes_on.set()
    assert known(token) > before


def test_nobody_asks_and_the_connection_rests(
    database: Database, token: Callable[[], int | None], other: psycopg.Connection[Any]
) -> None:
    """The first who asks after a while is told that nothing is known, and wakes it."""
    known(token)
    time.sleep(listener.ASKED + listener.FRESH)
    resting = database._listener
    assert resting is not None
    # Some time after one of its rare round trips.
    wait_until(lambda: time.monotonic() - resting._known_at > 2 * listener.FRESH)
    before = token()
    assert before is None
    add_account(other, "ONE")
    known(token)


def test_without_its_triggers_it_does_not_listen(
    database: Database, other: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """An operator may have left them disabled after loading rows."""
    other.execute("ALTER TABLE job DISABLE TRIGGER USER")
    watch = database.change_token()
    database.listen()
    wait_until(lambda: "the triggers that tell of changes are missing or disabled" in caplog.text)
    assert watch.token() is None
    other.execute("ALTER TABLE job ENABLE TRIGGER USER")
    known(watch.token)
    assert caplog.text.count("changes are not heard of") == 1


def test_a_pooler_that_drops_notifications_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As pgbouncer in transaction mode: what comes while no query runs is lost."""
    monkeypatch.setattr(psycopg.Connection, "notifies", lambda *_, **__: iter(()))
    monkeypatch.setattr(listener, "PROOF", 0.2)
    watch = database.change_token()
    database.listen()
    wait_until(lambda: "notifications do not arrive through this connection" in caplog.text)
    assert watch.token() is None
    time.sleep(3 * listener.RETRY)
    assert caplog.text.count("each poll is worked out") == 1


def test_values_are_cached_while_it_listens(
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
    time.sleep(listener.FRESH)
    assert database.recall("accounts", read) == 1
    database.close()
    assert token() is None


def test_each_trigger_is_there(database: Database, other: psycopg.Connection[Any]) -> None:
    """The number that a process expects is that of the migration, and columns that are left out change no answer."""
    assert 2 * len(TRIGGERED) == listener.TRIGGERS
    columns = TRIGGERED["account"].partition(" UPDATE OF ")[2].split(", ")
    assert set(metadata.tables["account"].columns.keys()) - set(columns) == {
        "id",
        "last_number",
        "created_at",
    }
    (found,) = other.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'tell_of_%'").fetchone() or (0,)
    assert found == listener.TRIGGERS


def test_closing_ends_its_connection(
    database: Database, token: Callable[[], int | None], other: psycopg.Connection[Any]
) -> None:
    known(token)
    assert backend(other)
    database.close()
    assert token() is None
    wait_until(lambda: not backend(other))
