"""The records that a test server begins with, written to `src/soapstone/testing/demo.sql`.

Run `.venv/bin/python tests/testing/recording.py` after a change of the schema or of the demo; a test compares. What is
different at each start stands there as `<name>`: see soapstone.testing.records.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from soapstone.accounts.passwords import cheap_hashes
from soapstone.demo import prepare_demo
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import metadata
from soapstone.store.timestamps import Instant
from soapstone.testing.records import RECORDED

# What is random.
RANDOM = {
    ("job", "blob"): "'<blob>'",
    ("job", "worker"): "''",
    ("login", "password_hash"): "'<password>'",
    ("account", "time_zone"): "'<zone>'",
    ("secret", "value"): "lower(hex(randomblob(16)))",
    ("link_key", "salt"): "lower(hex(randomblob(16)))",
}
# A moment in a document, in seconds since 1970.
SECONDS = re.compile(r"\b\d{10}\.\d+")


def recorded() -> str:
    """Return the SQL that makes the records."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url="")
        database = Database(settings.database)
        schema.upgrade(database)
        product = Product.open(settings, database)
        with cheap_hashes():
            prepare_demo(product, sends=False)
        worker = Worker(database, product.blobs, runners(product))
        worker.run(until=lambda: not product.jobs.unfinished())
        database.close()
        assert database.path is not None
        with sqlite3.connect(database.path) as connection:
            begin = ("BEGIN;", "PRAGMA defer_foreign_keys=ON;")
            return "\n".join((*begin, *statements(connection), "COMMIT;", ""))


def statements(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the statements: tables, rows, then indexes and triggers, which rows do not set off."""
    made = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND {} ORDER BY name"
    tables = connection.execute(made.format("type = 'table'")).fetchall()
    for _, sql in tables:
        yield f"{sql};"
    # The last numbers come after the rows, which have set them.
    for name in (*(name for name, _ in tables), "sqlite_sequence"):
        if name == "sqlite_sequence":
            yield "DELETE FROM sqlite_sequence;"
        found = connection.execute(f'SELECT * FROM "{name}"')
        columns = [column[0] for column in found.description]
        for row in found:
            values = map(partial(_value, connection, name), columns, row)
            yield f'INSERT INTO "{name}" VALUES ({", ".join(values)});'
    for _, sql in connection.execute(made.format("type IN ('index', 'trigger')")):
        yield f"{sql};"


def _value(connection: sqlite3.Connection, name: str, column: str, value: object) -> str:
    if (name, column) in RANDOM:
        return RANDOM[name, column]
    if isinstance(value, int) and _is_instant(name, column):
        return "<micros>"
    if isinstance(value, str):
        value = SECONDS.sub("<seconds>", value)
    quoted: str = connection.execute("SELECT quote(?)", (value,)).fetchone()[0]
    return quoted


def _is_instant(name: str, column: str) -> bool:
    table = metadata.tables.get(name)
    return table is not None and isinstance(table.c[column].type, Instant)


if __name__ == "__main__":
    RECORDED.write_text(recorded(), encoding="utf-8")
