"""A PostgreSQL server that was restarted, is out of reach or refuses us."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, make_url, select, text
from tests.postgresql import Databases

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database
from soapstone.store.driver import execute
from soapstone.store.tables import accounts
from soapstone.store.transient_errors import NO_ANSWER, RecordsUnavailable, driver_words

CONNECTIONS = 6


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


def end_backends(server: str, database: Database) -> int:
    """End all connections to the database, as a restart of the server does; how many there were."""
    query = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(server, autocommit=True) as connection:
        (ended,) = connection.execute(query, [database.url.database]).fetchone() or (0,)
    return int(ended)


def use_at_once(database: Database) -> list[BaseException]:
    """Read and write in many threads at once; what went wrong."""
    barrier, wrong = threading.Barrier(CONNECTIONS), []

    def use(number: int) -> None:
        try:
            with database.read() as connection:
                connection.execute(select(accounts.c.id)).all()
                barrier.wait(30)
            with database.write() as connection:
                connection.execute(text("UPDATE account SET last_number = last_number"))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def by_sqlalchemy(connection: Connection, name: str) -> None:
    query = text("INSERT INTO account (name, time_zone, created_at) VALUES (:name, 'UTC', 0)")
    connection.execute(query, {"name": name})


def by_the_driver(connection: Connection, name: str) -> None:
    execute(connection, "INSERT INTO account (name, time_zone, created_at) VALUES (%s, 'UTC', 0)", (name,))


Adding = Callable[[Connection, str], None]


def add_accounts(server: str, database: Database, names: str, add: Adding = by_sqlalchemy) -> None:
    """Add accounts in one transaction, which loses its connection after the first one."""
    with database.write() as connection:
        for number, name in enumerate(names):
            add(connection, name)
            if number == 0:
                end_backends(server, database)


def test_no_pooled_connection_fails_after_a_restart(postgresql_server: str, database: Database) -> None:
    Accounts(database).create("ACME", time_zone="UTC")
    assert use_at_once(database) == []
    assert end_backends(postgresql_server, database) >= CONNECTIONS
    assert use_at_once(database) == []


@pytest.mark.parametrize("add", [by_sqlalchemy, by_the_driver])
def test_a_transaction_that_loses_its_connection_is_undone(
    postgresql_server: str, database: Database, add: Adding
) -> None:
    with pytest.raises(RecordsUnavailable) as caught:
        add_accounts(postgresql_server, database, "AB", add)
    assert (str(caught.value), caught.value.undone) == (NO_ANSWER, True)
    assert Accounts(database).all() == []


@pytest.mark.parametrize("waits", [False, True])
def test_nobody_knows_what_a_commit_did_that_lost_its_connection(
    postgresql_server: str, database: Database, waits: bool
) -> None:
    """Whether it is of a web process or of a worker, which waits for locks without limit."""
    used = Database(database.url.render_as_string(hide_password=False), waits=waits)
    with pytest.raises(RecordsUnavailable) as caught:
        add_accounts(postgresql_server, used, "A")
    used.close()
    assert (str(caught.value), caught.value.undone) == (NO_ANSWER, False)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://soapstone:secret@127.0.0.1:1/soapstone",
        "postgresql://soapstone:secret@/soapstone?host={folder}",
    ],
)
def test_a_server_that_is_not_there(tmp_path: Path, url: str) -> None:
    database = Database(url.format(folder=tmp_path))
    with pytest.raises(RecordsUnavailable, match="does not answer") as caught, database.read():
        pytest.fail("there is no server")
    assert "secret" not in driver_words(caught.value)
    assert "connection" in driver_words(caught.value)
    database.close()


def test_a_database_that_is_not_there(postgresql_server: str) -> None:
    url = make_url(postgresql_server).set(database="missing").render_as_string(hide_password=False)
    database = Database(url)
    with pytest.raises(RecordsUnavailable) as caught, database.read():
        pytest.fail("there is no such database")
    assert 'database "missing" does not exist' in driver_words(caught.value)
    database.close()


def test_a_worker_waits_for_locks_as_long_as_it_takes(database_url: str) -> None:
    """Its turns may be long, and a job that gave up would begin again."""
    timeouts = []
    for waits in (False, True):
        database = Database(database_url, waits=waits)
        with database.write() as connection:
            timeouts.append(connection.execute(text("SHOW lock_timeout")).scalar_one())
        with database.write(patience=0.2) as connection:
            timeouts.append(connection.execute(text("SHOW lock_timeout")).scalar_one())
        database.close()
    assert timeouts == ["10s", "200ms", "0", "0"]
