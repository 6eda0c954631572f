"""The schema's versions: create, upgrade, check, back up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from soapstone.store.database import Database
from soapstone.store.instants import now


class SchemaMismatch(Exception):
    """The database's schema is not the one that this program knows."""


def upgrade(database: Database) -> None:
    """Bring the schema to the version of this program, after a backup of what is there.

    Raises SchemaMismatch for a schema that this program does not know (made by a newer one).
    """
    found = version(database)
    if found == newest():
        return
    if found is not None:
        if found not in _known():
            raise SchemaMismatch(f"the database has schema {found}, which this version does not know: it is newer")
        backup(database)
    with database.write(durable=True) as connection:
        # Two servers that start at once on one PostgreSQL: the second waits, then finds the work done.
        if database.kind == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7301)")
        if _version(connection) == newest():
            return
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["database"] = database
        command.upgrade(config, "head")


def check(database: Database) -> None:
    """Raise SchemaMismatch unless the schema is the one of this program."""
    found = version(database)
    if found != newest():
        raise SchemaMismatch(f"the database has schema {found or 'none'}, this version needs {newest()}: upgrade it")


def version(database: Database) -> str | None:
    """The schema's version, None for an empty database."""
    with database.read() as connection:
        return _version(connection)


def newest() -> str:
    """The version that this program knows as the last."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - the package carries its migrations
    return head


def backup(database: Database, target: Path | None = None) -> Path | None:
    """Copy a SQLite database as it stands to `target`, or to a file beside it; None for PostgreSQL."""
    if database.path is None:
        return None
    target = target or database.path.with_name(f"{database.path.name}.{now():%Y%m%dT%H%M%S}.backup")
    connection = sqlite3.connect(database.path)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
    return target


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "soapstone.store:migrations")
    config.set_main_option("path_separator", "os")
    return config
