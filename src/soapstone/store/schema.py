"""The schema's versions: create, upgrade, check, back up."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from soapstone.store.database import Database
from soapstone.store.instants import now

if TYPE_CHECKING:
    from alembic.config import Config

# The schema that this program knows as the last. Said here as well as in the migrations (a test compares), so that a
# start that has nothing to migrate need not load them.
NEWEST = "0009"


class SchemaMismatch(Exception):
    """The database's schema is not the one that this program knows."""


def upgrade(database: Database) -> None:
    """Bring the schema to the version of this program, after a backup of what is there.

    Raises SchemaMismatch for a schema that this program does not know (made by a newer one).
    """
    found = version(database)
    if found == NEWEST:
        return
    from alembic import command

    config = migrations()
    if found is not None:
        if found not in _known(config):
            raise SchemaMismatch(f"the database has schema {found}, which this version does not know: it is newer")
        backup(database)
    with database.write(durable=True) as connection:
        # Two servers that start at once on one PostgreSQL: the second waits, then finds the work done.
        if database.kind == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7301)")
        if _version(connection) == NEWEST:
            return
        config.attributes["connection"] = connection
        config.attributes["database"] = database
        command.upgrade(config, "head")


def check(database: Database) -> None:
    """Raise SchemaMismatch unless the schema is the one of this program."""
    found = version(database)
    if found != NEWEST:
        raise SchemaMismatch(f"the database has schema {found or 'none'}, this version needs {NEWEST}: upgrade it")


def version(database: Database) -> str | None:
    """The schema's version, None for an empty database."""
    with database.read() as connection:
        return _version(connection)


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
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def migrations() -> Config:
    """Alembic's configuration, for whoever runs or reads the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "soapstone.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _known(config: Config) -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
