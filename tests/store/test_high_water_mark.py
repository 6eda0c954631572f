"""The mark tells older and other records from those that were served last, and never those themselves."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import update

from soapstone.accounts.account import Account
from soapstone.errors import ConflictError
from soapstone.jobs.queue import Jobs
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.high_water_mark import HighWaterMark
from soapstone.store.numbers import raise_beyond, reached, stored
from soapstone.store.table_names import table_names
from soapstone.store.tables import job_events, jobs, secrets


@pytest.fixture
def mark(database: Database, tmp_path: Path) -> HighWaterMark:
    """The mark of the database."""
    return HighWaterMark.of(database, tmp_path)


def add_job(database: Database, account: Account) -> None:
    with database.write(durable=True) as connection:
        Jobs(database).add(connection, account_id=account.id, kind="import")


def test_records_without_a_mark_are_served(database: Database, mark: HighWaterMark) -> None:
    mark.check(database)
    assert mark.numbers == {}


def test_records_that_go_on_are_served(database: Database, account: Account, mark: HighWaterMark) -> None:
    """Rows may go, and a sequence may be ahead of the rows."""
    add_job(database, account)
    mark.update(database)
    mark.check(database)
    with database.write() as connection:
        connection.execute(job_events.delete())
        connection.execute(jobs.delete())
    mark.update(database)
    mark.check(database)
    assert mark.numbers["job"] == 1
    with database.connect() as connection, connection.execution_options(writes=True, durable=True).begin() as given:
        Jobs(database).add(connection, account_id=account.id, kind="import")
        given.rollback()
    mark.update(database)
    assert mark.numbers["job"] == 1


def test_older_records_are_refused(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    mark = HighWaterMark.of(database, tmp_path)
    with database.write() as connection:
        raise_beyond(connection, {})
    mark.update(database)
    database.close()
    shutil.copy(sqlite_template, path)
    with pytest.raises(ConflictError, match="older"):
        mark.check(database)
    mark.replace(database)
    mark.check(database)
    database.close()


def test_other_records_are_refused_and_leave_the_mark(
    database: Database, account: Account, mark: HighWaterMark
) -> None:
    mark.update(database)
    with database.write() as connection:
        connection.execute(update(secrets).where(secrets.c.name == "records").values(value="others"))
    add_job(database, account)
    mark.update(database)
    assert mark.numbers["job"] == 0
    with pytest.raises(ConflictError, match="other records"):
        mark.check(database)


def test_records_of_a_schema_before_the_mark_are_older(tmp_path: Path, database: Database, mark: HighWaterMark) -> None:
    mark.update(database)
    with database.write() as connection:
        connection.execute(secrets.delete().where(secrets.c.name == "records"))
    with pytest.raises(ConflictError, match="older"):
        mark.check(database)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"records": 1}', '{"records": "a", "numbers": {"job": null}}'])
def test_a_mark_that_cannot_be_read_is_made_anew(
    database: Database, mark: HighWaterMark, tmp_path: Path, content: str
) -> None:
    mark.update(database)
    (path,) = tmp_path.glob("*.mark")
    path.write_text(content)
    mark.check(database)
    mark.update(database)
    assert json.loads(path.read_text())["numbers"] == mark.numbers != {}


def test_the_mark_is_kept_from_beginning_to_end(database: Database, account: Account, mark: HighWaterMark) -> None:
    before = set(threading.enumerate())
    with mark.kept(database):
        add_job(database, account)
    assert mark.numbers["job"] == 1
    assert set(threading.enumerate()) <= before


def test_a_mark_that_cannot_be_written_hinders_nothing(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lost = HighWaterMark(tmp_path / "nowhere" / "soapstone.mark")
    with lost.kept(database):
        pass
    assert "cannot be brought up to date" in caplog.text


def test_only_the_owner_reads_a_mark(database: Database, mark: HighWaterMark, tmp_path: Path) -> None:
    mark.update(database)
    (path,) = tmp_path.glob("*.mark")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob("*.partial")) == []


def test_a_backup_says_that_it_is_one(sqlite_template: Path, tmp_path: Path) -> None:
    original = Database(f"sqlite:///{sqlite_template}")
    made = schema.backup(original, tmp_path / "copy.sqlite")
    copy = Database(f"sqlite:///{made}")
    for database, expected in ((original, False), (copy, True)):
        with database.read() as connection:
            assert schema.is_copy(connection) is expected
        database.close()
    assert stat.S_IMODE((tmp_path / "copy.sqlite").stat().st_mode) == 0o600


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_empty_schema_before_that_of_the_tables_hides_none(database: Database, account: Account) -> None:
    """The search path begins with a schema of the role's name, which may come later."""
    add_job(database, account)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE SCHEMA before_ours")
    try:
        with database.connect() as connection, connection.execution_options(writes=True).begin():
            connection.exec_driver_sql("SET LOCAL search_path TO before_ours, public")
            assert {"job", "account"} <= table_names(connection)
            assert stored(connection, None)["job"] == 1
            assert reached(connection)["job"] >= 1
    finally:
        with database.write() as connection:
            connection.exec_driver_sql("DROP SCHEMA before_ours")
