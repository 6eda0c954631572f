"""The schema's versions: create, upgrade, check, back up."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, text

from soapstone.clock import now
from soapstone.errors import ConflictError
from soapstone.store import private, queue_schema
from soapstone.store.database import Database
from soapstone.store.numbers import handed_out, put_back
from soapstone.store.table_names import has_table
from soapstone.store.tables import secrets
from soapstone.store.timestamps import microseconds
from soapstone.store.transient_errors import translated

if TYPE_CHECKING:
    from alembic.config import Config

# The newest schema of this program. Repeats the migrations (a test compares), so that a start without a migration need
# not load them.
NEWEST = "0024"


# In the script of a new SQLite database: what each one has of its own, and where the indexes and triggers begin.
_OWN = re.compile(r"<(\w+)>")
INDEXES = "-- indexes and triggers"

# Name of the row of `secret` that marks a backup.
COPY = "copy"
# Name of the row of `secret` that tells where records were moved to, and of the table of a move that is not complete.
MOVED = "moved"
UNFINISHED = "unfinished_move"


def upgrade(database: Database, *, copied: bool = False) -> None:
    """Upgrade the schema to this program's version, after a backup unless it is `copied` already.

    Raises ConflictError for a schema that this program does not know (made by a newer one).
    """
    found = version(database)
    if found == NEWEST and not _queue_outdated(database):
        return
    if found is None and database.kind == "sqlite":
        with database.write(durable=True) as connection:
            # Another process may have made it meanwhile.
            if _version(connection) is None:
                for statement in (each for part in new_database(database) for each in part):
                    connection.exec_driver_sql(statement)
                return
    migrate(database, copied=copied)


def new_database(database: Database) -> tuple[list[str], list[str]]:
    """Return the statements that make a new SQLite database: tables with first rows, then indexes and triggers.

    They make what the migrations make, in a tenth of the time.
    """
    own = {
        "micros": str(microseconds(now())),
        "records": token_hex(16),
        "salt": token_urlsafe(32),
    }
    script = _OWN.sub(lambda found: own[found[1]], database.statement("new"))
    tables, _, rest = script.partition(f"{INDEXES}\n\n")
    return tables.strip().split("\n\n"), rest.strip().split("\n\n")


def migrate(database: Database, *, copied: bool = False) -> None:
    """Run the migrations that a database lacks, as `upgrade` does."""
    from alembic import command

    found, config = version(database), migrations()
    if found not in (None, NEWEST):
        refuse_newer(database)
        if not copied:
            backup(database)
    with database.write(durable=True) as connection:
        # If two servers start at once on one PostgreSQL, the second waits and then finds the work done.
        if database.kind == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7301)")
            if queue_schema.outdated(connection):
                queue_schema.prepare(connection)
        if _version(connection) == NEWEST:
            return
        config.attributes["connection"] = connection
        config.attributes["database"] = database
        before = handed_out(connection)
        command.upgrade(config, "head")
        put_back(connection, before)


def _queue_outdated(database: Database) -> bool:
    if database.kind == "sqlite":
        return False
    with database.read() as connection:
        return queue_schema.outdated(connection)


def check(database: Database) -> None:
    """Raise ConflictError unless the schema is the one of this program."""
    found = version(database)
    if found != NEWEST:
        refuse_newer(database)
        had = f"schema {found}" if found else "no schema yet"
        raise ConflictError(f"The database has {had}, this version needs {NEWEST}. Run: soapstone db upgrade")


def refuse_newer(database: Database) -> None:
    """Raise ConflictError for a schema of a newer version of this program, which cannot be upgraded here."""
    found = version(database)
    if found not in (None, NEWEST) and found not in _known(migrations()):
        raise ConflictError(
            f"The database has schema {found}, made by a newer version of Soapstone. This version knows schemas up to "
            f"{NEWEST}: install the newer version, or restore a backup that this one made."
        )


def version(database: Database) -> str | None:
    """Return the schema's version, None for an empty database."""
    with database.read() as connection:
        return _version(connection)


def backup(database: Database, target: Path | None = None) -> Path | None:
    """Copy a SQLite database as it stands to `target`, or to a file beside it; None for PostgreSQL.

    The copy is marked as one: see `is_copy`.
    """
    if database.path is None:
        return None
    target = target or beside(database.path, "backup")
    partial = target.with_name(f"{target.name}.partial")
    # SQLite writes into an empty file, which has its mode already.
    private.create(partial).close()
    try:
        with translated(), closing(sqlite3.connect(database.path)) as source:
            source.execute("VACUUM INTO ?", (str(partial),))
        _say_copy(partial)
        private.sync(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    private.sync(target.parent)
    return target


def beside(path: Path, what: str) -> Path:
    """Return a name for another state of a database file, in its folder, with the time in it."""
    return path.with_name(f"{path.name}.{now():%Y%m%dT%H%M%S}.{what}")


def is_copy(connection: Connection) -> bool:
    """Return whether the database is an unused backup: the original may have given out numbers since."""
    if not has_table(connection, secrets.name):
        return False
    return connection.execute(select(secrets.c.value).where(secrets.c.name == COPY)).scalar_one_or_none() is not None


def check_moved(database: Database) -> None:
    """Raise ConflictError for records that were moved elsewhere, and for those that a move has not completed."""
    check_unfinished(database)
    with database.read() as connection:
        if not has_table(connection, secrets.name):
            return
        where = connection.execute(select(secrets.c.value).where(secrets.c.name == MOVED)).scalar_one_or_none()
    if where is not None:
        raise ConflictError(
            f"These records were moved to {where}. Name that database by --database or SOAPSTONE_DATABASE_URL. "
            "To use these ones all the same: soapstone db restored"
        )


def check_unfinished(database: Database) -> None:
    """Raise ConflictError if a move into this database has not completed."""
    # Only PostgreSQL can be the target of a move.
    if database.kind == "postgresql":
        with database.read() as connection:
            if has_table(connection, UNFINISHED):
                raise ConflictError(
                    "A move of records into this database is not complete. Run soapstone db move again."
                )


def _say_copy(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        # The first schemas lack the table.
        if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'secret'").fetchone():
            copy.execute("INSERT OR REPLACE INTO secret (name, value) VALUES (?, 'yes')", (COPY,))


def _version(connection: Connection) -> str | None:
    if not has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def migrations() -> Config:
    """Return Alembic's configuration, to run or read the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "soapstone.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _known(config: Config) -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
