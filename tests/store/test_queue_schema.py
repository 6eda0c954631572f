"""Procrastinate's tables: made by an upgrade, replaced as a whole by those of a newer version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text
from tests.postgresql import Databases

from soapstone.errors import ConflictError
from soapstone.store import queue_schema, schema
from soapstone.store.database import Database

pytestmark = pytest.mark.postgresql
_JOBS = text("SELECT count(*) FROM procrastinate.procrastinate_jobs")
_ADD = text("INSERT INTO procrastinate.procrastinate_jobs (queue_name, task_name) VALUES ('q', 't')")


@pytest.fixture
def empty(postgresql_databases: Databases) -> Iterator[Database]:
    """An opened database without a schema."""
    with postgresql_databases.bare() as url:
        database = Database(url)
        yield database
        database.close()


def say(connection: Connection, comment: str) -> None:
    """Let the tables be those of another version."""
    connection.exec_driver_sql(f"COMMENT ON SCHEMA procrastinate IS '{comment}'")


def count(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(_JOBS).scalar_one()


def test_an_upgrade_prepares_the_queue_in_a_schema_of_its_own(empty: Database) -> None:
    schema.upgrade(empty)
    assert count(empty) == 0
    with empty.read() as connection:
        assert not queue_schema.outdated(connection)
        names = connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar_one()
        assert names > 0
        query = text(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'proc%'"
        )
        assert connection.execute(query).scalar_one() == 0
        # Our own tables come first for every session.
        assert connection.execute(text("SELECT current_schema()")).scalar_one() == "public"


def test_tables_of_an_older_version_are_replaced_and_ours_are_left_alone(empty: Database) -> None:
    schema.upgrade(empty)
    with empty.write(durable=True) as connection:
        connection.execute(_ADD)
        connection.execute(text("INSERT INTO account (name, time_zone, created_at) VALUES ('ACME', 'UTC', 0)"))
    schema.upgrade(empty)
    assert count(empty) == 1, "the same version changes nothing"
    with empty.write(durable=True) as connection:
        say(connection, "3.9.1 0123456789abcdef")
    schema.upgrade(empty)
    assert count(empty) == 0
    with empty.read() as connection:
        assert not queue_schema.outdated(connection)
        assert connection.execute(text("SELECT name FROM account")).scalars().all() == ["ACME"]


def test_tables_of_a_newer_version_stay_for_the_other_hosts(empty: Database) -> None:
    schema.upgrade(empty)
    with empty.write(durable=True) as connection:
        connection.execute(_ADD)
        say(connection, "999.0 0123456789abcdef")
    schema.upgrade(empty)
    assert count(empty) == 1


def test_a_user_who_may_not_make_a_schema_is_told_how(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    user, name = "soapstone_limited", empty.url.database
    with empty.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {user}"))
        connection.execute(text(f"CREATE ROLE {user}"))
        connection.execute(text(f"GRANT ALL ON SCHEMA public TO {user}"))
    monkeypatch.setattr("soapstone.store.postgresql._SESSION", f"SELECT set_config('role', '{user}', false)")
    limited = Database(empty.url.render_as_string(hide_password=False))
    try:
        with pytest.raises(ConflictError, match="GRANT CREATE ON DATABASE"):
            schema.upgrade(limited)
        assert schema.version(limited) is None, f"nothing of {name} is half made"
    finally:
        limited.close()
        with empty.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"DROP OWNED BY {user}"))
            connection.execute(text(f"DROP ROLE {user}"))
