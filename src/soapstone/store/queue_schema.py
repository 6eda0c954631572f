"""The tables of Procrastinate in PostgreSQL, in a schema of their own.

They hold nothing but wake-ups for jobs, which the job rows yield again at any time. So another version's tables replace
them as a whole, without a migration.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from typing import Any

from sqlalchemy import Connection, text

from soapstone.errors import ConflictError
from soapstone.store.postgresql import QUEUE_SCHEMA

_COMMENT = text("SELECT obj_description(to_regnamespace(:name)::oid, 'pg_namespace')")


def outdated(connection: Connection) -> bool:
    """Return whether the tables are missing, or older than the installed version of Procrastinate needs."""
    found: str = connection.execute(_COMMENT, {"name": QUEUE_SCHEMA}).scalar_one_or_none() or ""
    version, _, digest = found.partition(" ")
    if not digest:
        return True
    # Two hosts with different versions, as during an upgrade, must not replace each other's tables in turn.
    return digest != _digest() and _order(version) <= _order(importlib.metadata.version("procrastinate"))


def prepare(connection: Connection) -> None:
    """Make the tables, in the caller's transaction; those of another version are dropped.

    Raises ConflictError if this user may not make a schema.
    """
    if not connection.exec_driver_sql("SELECT has_database_privilege(current_database(), 'CREATE')").scalar_one():
        raise ConflictError(
            "This user may not make the schema procrastinate in the database. "
            "Run as its owner: GRANT CREATE ON DATABASE … TO …"
        )
    path = connection.exec_driver_sql("SHOW search_path").scalar_one()
    connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {QUEUE_SCHEMA} CASCADE")
    connection.exec_driver_sql(f"CREATE SCHEMA {QUEUE_SCHEMA}")
    connection.exec_driver_sql(f"SET LOCAL search_path = {QUEUE_SCHEMA}")
    # Not by SQLAlchemy, which would want each % doubled. Without parameters the driver takes several statements.
    driver: Any = connection.connection.driver_connection
    driver.execute(_statements())
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})
    comment = f"{importlib.metadata.version('procrastinate')} {_digest()}"
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {QUEUE_SCHEMA} IS '{comment}'")


def _statements() -> str:
    from procrastinate.schema import SchemaManager

    return SchemaManager.get_schema()


def _digest() -> str:
    return hashlib.sha256(_statements().encode()).hexdigest()[:16]


def _order(version: str) -> list[int]:
    """Return the numbers of a version, for comparison; any other part counts as 0."""
    return [int(part) if part.isdecimal() else 0 for part in version.split(".")]
