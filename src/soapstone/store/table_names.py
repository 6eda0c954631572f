"""Which tables a database has. SQLAlchemy's inspector takes ten times as long to tell."""

from __future__ import annotations

from sqlalchemy import Connection, text

_NAMES = {
    "sqlite": text("SELECT name FROM sqlite_master WHERE type = 'table'"),
    # Partitioned ones count as well. Those of any schema of the search path: another one may have come before ours.
    "postgresql": text(
        "SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND pg_catalog.pg_table_is_visible(oid)"
        " AND relnamespace <> 'pg_catalog'::regnamespace"
    ),
}
_HAS = {
    "sqlite": text("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = :name"),
    "postgresql": text("SELECT to_regclass(:name) IS NOT NULL"),
}


def table_names(connection: Connection) -> set[str]:
    return set(connection.execute(_NAMES[connection.dialect.name]).scalars())


def has_table(connection: Connection, name: str) -> bool:
    """Return whether there is a table of this name, in lower case."""
    return bool(connection.execute(_HAS[connection.dialect.name], {"name": name}).scalar_one())
