"""Rows that name missing ones, where PostgreSQL has no keys that would refuse them."""

from __future__ import annotations

from soapstone.store.tables import WITHOUT_KEYS, metadata

# A query for them, for either kind of database: a line for each.
ORPHANS = " UNION ALL ".join(
    f"SELECT '{table}.{key.parent.name}: ' || {key.parent.name} FROM {table} WHERE NOT EXISTS"
    f" (SELECT 1 FROM {key.column.table.name} parent WHERE parent.id = {table}.{key.parent.name})"
    for table, columns in WITHOUT_KEYS.items()
    for column in columns
    for key in metadata.tables[table].c[column].foreign_keys
)
