"""The schema: migrations make what the tables say, and a server knows which schema it may use."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ForeignKeyConstraint, inspect, text

from soapstone.errors import ConflictError
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import WITHOUT_KEYS, metadata


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    def of_this_kind(item: Any, *_: Any) -> bool:
        """Some indexes are for one kind of database only, and some foreign keys."""
        if isinstance(item, ForeignKeyConstraint) and database.kind == "postgresql" and item.name:
            return item.name not in left_out
        only = getattr(item, "_ddl_if", None)
        return only is None or only.dialect == database.kind

    left_out = {f"fk_{table}_{column}" for table, columns in WITHOUT_KEYS.items() for column in columns}

    with database.read() as connection:
        if database.kind == "postgresql":
            # Without the queue's schema.
            connection.execute(text("SET LOCAL search_path = public"))
        context = MigrationContext.configure(connection, opts={"include_object": of_this_kind})
        assert compare_metadata(context, metadata) == []
        found = {key["name"] for table in WITHOUT_KEYS for key in inspect(connection).get_foreign_keys(table)}
    assert found & left_out == (set() if database.kind == "postgresql" else left_out)


def test_the_newest_version_is_the_head() -> None:
    assert ScriptDirectory.from_config(schema.migrations()).get_current_head() == schema.NEWEST


def test_a_new_database_is_set_up_and_an_upgraded_one_left_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new.sqlite")
    assert schema.version(database) is None
    with pytest.raises(ConflictError, match=r"no schema yet.* Run: soapstone db upgrade"):
        schema.check(database)
    schema.upgrade(database)
    schema.check(database)
    schema.upgrade(database)
    database.close()
    assert list(tmp_path.glob("*.backup")) == []


def test_a_schema_of_a_newer_version_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for look in (schema.check, schema.upgrade):
        with pytest.raises(ConflictError, match="schema 9999, made by a newer version") as refused:
            look(database)
        assert "db upgrade" not in str(refused.value)


def test_a_backup_is_a_whole_database(sqlite_template: Path, tmp_path: Path) -> None:
    made = schema.backup(Database(f"sqlite:///{sqlite_template}"), tmp_path / "copy.sqlite")
    assert made == tmp_path / "copy.sqlite"
    copy = sqlite3.connect(made)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == (schema.NEWEST,)
    copy.close()


def test_the_template_of_a_migration_imports_what_there_is() -> None:
    template = (Path(schema.__file__).parent / "migrations" / "script.py.mako").read_text()
    imports = [line for line in template.splitlines() if line.startswith(("import ", "from "))]
    assert len(imports) == 3
    exec("\n".join(imports), {})


def test_new_databases_share_no_secret(tmp_path: Path) -> None:
    found = set()
    for number in range(2):
        database = Database(f"sqlite:///{tmp_path}/{number}.sqlite")
        schema.upgrade(database)
        with database.read() as connection:
            found |= set(connection.execute(text("SELECT value FROM secret UNION SELECT salt FROM link_key")).scalars())
        database.close()
    assert len(found) == 4
    assert all(len(each) >= 32 and "<" not in each for each in found)


def test_a_new_database_is_made_once_by_servers_that_start_at_once(tmp_path: Path) -> None:
    def start(_: int) -> str | None:
        with closing(Database(f"sqlite:///{tmp_path}/new.sqlite")) as database:
            schema.upgrade(database)
            return schema.version(database)

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(start, range(4))) == {schema.NEWEST}
    assert list(tmp_path.glob("*.backup")) == []
