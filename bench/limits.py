"""Bare limits of the stores: finished rows that lie in memory go into the tables of an installation, and nothing else.

The rows are those that an import of a clean file of `crowd` comes to. They are made before the clock starts, go into
the product's own tables with its own indexes and with its own settings of the connection, in the order of the file,
and the clock ends with the commit. No file is read, no address checked, nobody looked for, no outcome stored.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import crowd
from installation import Installation

from soapstone.imports.merge import CACHE_KIB
from soapstone.store.tables import WITHOUT_KEYS, contacts, metadata

# Characters of one message of COPY.
COPY_CHARACTERS = 1 << 16

MEMBERSHIP = ("list_id", "contact_id", "account_id", "number", "state", "added_at", "added_by", "last_job")
Row = tuple[Any, ...]


def taken(file: Path, truth: crowd.Truth) -> list[list[str]]:
    """The rows of a file without quotes that an import takes, in memory."""
    rejected = {line for line, _ in truth.rejected()}
    lines = file.read_bytes().split(b"\r\n")
    return [
        line.decode().split(",")
        for number, line in enumerate(lines, 1)
        if line and number > 1 and number not in rejected
    ]


def contact_columns() -> tuple[str, ...]:
    """The columns of a contact that an import fills."""
    derived = ("email_key", "unique_email", "created_at", "updated_at")
    return ("id", "account_id", *crowd.TARGETS, *(name for name in derived if name in contacts.c))


def contact_rows(installation: Installation, rows: list[list[str]]) -> list[Row]:
    """Finished rows of contacts, numbered from 1."""
    account, moment = installation.account.id, time.time_ns() // 1000
    keys = [name in contacts.c for name in ("email_key", "unique_email")].count(True)
    return [(number, account, *row, *[row[0].lower()] * keys, moment, moment) for number, row in enumerate(rows, 1)]


def membership_rows(installation: Installation, rows: list[list[str]]) -> list[Row]:
    """Finished rows of memberships of these contacts."""
    here, account, moment = installation.list.id, installation.account.id, time.time_ns() // 1000
    return [(here, number, account, number, "subscribed", moment, "Import", 1) for number in range(1, len(rows) + 1)]


def insert_sqlite(installation: Installation, rows: list[list[str]]) -> float:
    """Seconds of `executemany` of contacts and of memberships by the standard library's driver, in one transaction."""
    people_rows, members = contact_rows(installation, rows), membership_rows(installation, rows)
    contact = _insert("contact", contact_columns())
    membership = _insert("membership", MEMBERSHIP)
    with _driver(installation) as driver:
        began = time.perf_counter()
        driver.execute("BEGIN IMMEDIATE")
        driver.executemany(contact, people_rows)
        driver.executemany(membership, members)
        driver.execute("COMMIT")
        return time.perf_counter() - began


def update_sqlite(installation: Installation, rows: list[list[str]]) -> float:
    """Seconds of `executemany` of one UPDATE for each of the rows, found by its address, in one transaction."""
    columns = [*crowd.TARGETS[1:], "updated_at"]
    account, moment = installation.account.id, time.time_ns() // 1000
    values = [(*row[1:], moment, account, row[0].lower()) for row in rows]
    update = f"UPDATE contact SET {', '.join(f'{name}=?' for name in columns)} WHERE account_id=? AND unique_email=?"
    with _driver(installation) as driver:
        began = time.perf_counter()
        driver.execute("BEGIN IMMEDIATE")
        changed = driver.executemany(update, values).rowcount
        driver.execute("COMMIT")
        seconds = time.perf_counter() - began
    if changed != len(rows):
        raise SystemExit(f"{changed} of {len(rows)} contacts were found")
    return seconds


def copy_postgresql(installation: Installation, rows: list[list[str]]) -> float:
    """Seconds of COPY of contacts and of memberships in one transaction; the text that is sent lies in memory, too."""
    import psycopg

    os.sync()
    contact = list(_copy_blocks(contact_rows(installation, rows)))
    membership = list(_copy_blocks(membership_rows(installation, rows)))
    with psycopg.connect(dsn(installation)) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for table, columns, blocks in (
            ("contact", contact_columns(), contact),
            ("membership", MEMBERSHIP, membership),
        ):
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for block in blocks:
                    copy.write(block)
        connection.commit()
        return time.perf_counter() - began


def with_foreign_keys(installation: Installation) -> None:
    """Give the tables of an import all foreign keys that they declare, which the schema leaves out on PostgreSQL."""
    with installation.database.write() as connection:
        for table, columns in WITHOUT_KEYS.items():
            for column in columns:
                (key,) = metadata.tables[table].c[column].foreign_keys
                connection.exec_driver_sql(
                    f"ALTER TABLE {table} ADD CONSTRAINT fk_{table}_{column}"
                    f" FOREIGN KEY ({column}) REFERENCES {key.column.table.name} ({key.column.name})"
                )


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


@contextmanager
def _driver(installation: Installation) -> Iterator[sqlite3.Connection]:
    """A connection of the standard library with all settings that an import gives its own, the size of its cache too.

    What was written before, and what is written in the block, is in the file and on disk afterwards, as our worker
    leaves it when it ends.
    """
    os.sync()
    with closing(installation.database.engine.raw_connection()) as pooled:
        driver = pooled.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        yield driver
    installation.database.checkpoint()


def dsn(installation: Installation) -> str:
    """The database as psycopg takes it."""
    url = installation.database.url.set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def _copy_blocks(rows: list[Row]) -> Iterator[str]:
    """Rows in COPY's text format; none of their values needs a mask."""
    held: list[str] = []
    size = 0
    for row in rows:
        held.append("\t".join(map(str, row)) + "\n")
        size += len(held[-1])
        if size >= COPY_CHARACTERS:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)
