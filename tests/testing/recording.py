"""What a new SQLite database and a test server begin with, written to `new.sql` of the store and `demo.sql` of testing.

Run `.venv/bin/python tests/testing/recording.py` after a change of the schema or of the demo; a test compares. What is
different in each stands there as `<name>`: see `new_database` in soapstone.store.schema, and soapstone.testing.records.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
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

NEW = Path(schema.__file__).parent / "sql/sqlite/new.sql"

# What is random.
RANDOM = {
    ("job", "blob"): "'<blob>'",
    ("job", "worker"): "''",
    ("login", "password_hash"): "'<password>'",
    ("account", "time_zone"): "'<zone>'",
    ("secret", "value"): "'<records>'",
    ("link_key", "salt"): "'<salt>'",
}
BLANK_LINES = re.compile(r"\n\s*\n")
# A moment in a document, in seconds since 1970.
SECONDS = re.compile(r"\b\d{10}\.\d+")


def new() -> str:
    """Return the SQL of an empty database, as the migrations make it."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/new.sqlite")
        schema.migrate(database)
        with _driver(database) as connection:
            parts = [*tables(connection), *rows(connection), schema.INDEXES, *indexes(connection)]
    return "\n\n".join((*parts, ""))


def recorded(new: str) -> str:
    """Return the SQL of the rows that the demo adds to a `new` database."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url="")
        database = Database(settings.database)
        schema.migrate(database)
        product = Product.open(settings, database)
        with cheap_hashes():
            prepare_demo(product, sends=False)
        worker = Worker(database, product.blobs, runners(product))
        worker.run(until=lambda: not product.jobs.unfinished())
        with _driver(database) as connection:
            return "\n".join((*rows(connection, but=new.split("\n\n")), ""))


@contextmanager
def _driver(database: Database) -> Iterator[sqlite3.Connection]:
    """Close the database and open its file."""
    database.close()
    assert database.path is not None
    with closing(sqlite3.connect(database.path)) as connection:
        yield connection


def _made(connection: sqlite3.Connection, kinds: str) -> Iterator[tuple[str, str]]:
    """Yield name and statement of everything of these kinds."""
    query = (
        f"SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND type IN {kinds}"
    )
    for name, sql in connection.execute(f"{query} ORDER BY name"):
        # Statements are told apart by blank lines.
        yield name, BLANK_LINES.sub("\n", sql.strip())


def tables(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the statements that make the tables."""
    yield from (f"{sql};" for _, sql in _made(connection, "('table')"))


def indexes(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the statements that make indexes and triggers."""
    yield from (f"{sql};" for _, sql in _made(connection, "('index', 'trigger')"))


def rows(connection: sqlite3.Connection, but: Collection[str] = ()) -> Iterator[str]:
    """Yield the statements that add all rows `but` these. The last numbers come after the rows, which set them."""
    for name in (*(name for name, _ in _made(connection, "('table')")), "sqlite_sequence"):
        if name == "sqlite_sequence":
            yield "DELETE FROM sqlite_sequence;"
        found = connection.execute(f'SELECT * FROM "{name}"')
        columns = [column[0] for column in found.description]
        for row in found:
            values = map(partial(_value, connection, name), columns, row)
            statement = f'INSERT INTO "{name}" VALUES ({", ".join(values)});'
            if name == "sqlite_sequence" or statement not in but:
                yield statement


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
    made = new()
    NEW.write_text(made, encoding="utf-8")
    RECORDED.write_text(recorded(made), encoding="utf-8")
