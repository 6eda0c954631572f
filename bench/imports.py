"""Rows per second of an import on SQLite, against the bare rate at which the same rows can be inserted.

Each round makes a fresh database and runs both: `executemany` of contacts and memberships as they end up, by the
standard library's driver in transactions of the same size, and the import of a CSV file with those rows, from its
start to its end. Prints medians and their ratio. Arguments: rows (100000) and rounds (3).
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from soapstone.accounts.account import Accounts
from soapstone.imports.imports import KINDS, Imports
from soapstone.imports.runner import CHUNK_ROWS, run_import
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Run
from soapstone.lists.contact_list import Lists
from soapstone.store import schema
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database

COLUMNS = ["email", "first_name", "last_name", "phone", "address", "city", "state", "zip", "company", "custom1"]


def row(n: int) -> list[str]:
    # Addresses come in no order, as in a customer's file.
    name = f"{n * 2654435761 % (1 << 32):08x}"
    return [
        f"{name}@example{n % 97}.com",
        f"First{n % 1000}",
        f"Last{n % 5000}",
        f"555-{n % 10000:04}",
        f"{n % 900} Main Street",
        f"City{n % 300}",
        "NY",
        f"{n % 99999:05}",
        f"Company {n % 2000}",
        name,
    ]


def fresh(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / 'bench.sqlite'}")
    schema.upgrade(database)
    return database


def bare(folder: Path, rows: int) -> float:
    """Seconds for inserting the rows without any work on them."""
    database = fresh(folder)
    account = Accounts(database).create("BENCH", time_zone="UTC")
    here = Lists(database).create(account.id, "List")
    database.close()
    connection = sqlite3.connect(folder / "bench.sqlite", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    names = ["id", "account_id", *COLUMNS, "email_key", "unique_email", "created_at", "updated_at"]
    contact = f"INSERT INTO contact ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    membership = (
        "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at) VALUES (?,?,?,?,?,?)"
    )
    people = [[n, account.id, *(cells := row(n)), cells[0], cells[0], 0, 0] for n in range(1, rows + 1)]
    members = [(here.id, n, account.id, n, "subscribed", 0) for n in range(1, rows + 1)]
    began = time.perf_counter()
    for start in range(0, rows, CHUNK_ROWS):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(contact, people[start : start + CHUNK_ROWS])
        connection.executemany(membership, members[start : start + CHUNK_ROWS])
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def imported(folder: Path, rows: int) -> float:
    """Seconds for importing a file with the rows."""
    database, blobs = fresh(folder), Blobs(folder / "blobs")
    jobs = Jobs(database)
    account = Accounts(database).create("BENCH", time_zone="UTC")
    here = Lists(database).create(account.id, "List")
    upload = blobs.new()
    for n in range(1, rows + 1):
        upload.write((",".join(row(n)) + "\r\n").encode())
    columns = tuple(Column(index=n, target=target) for n, target in enumerate(COLUMNS))
    Imports(database, blobs, jobs).submit(
        account=account,
        login=None,
        contact_list=here,
        upload=upload,
        spec=ImportSpec(columns=columns, known="overwrite"),
        label="bench",
    )
    job = jobs.claim("bench", KINDS, timedelta(hours=1))
    assert job is not None
    run = Run(database, blobs, job, lease=timedelta(hours=1), stopping=lambda: False)
    began = time.perf_counter()
    run_import(run)
    run.complete()
    seconds = time.perf_counter() - began
    assert run.job.counters == {"added": rows}, run.job.counters
    database.close()
    return seconds


def measured(measure: Callable[[Path, int], float], rows: int) -> float:
    with TemporaryDirectory() as folder:
        return rows / measure(Path(folder), rows)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rates = []
    memory = 0
    for _ in range(rounds):
        importing = measured(imported, rows)
        # Before the bare inserts, which hold all rows in memory.
        memory = memory or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rates.append((measured(bare, rows), importing))
    inserting, importing = median(pair[0] for pair in rates), median(pair[1] for pair in rates)
    ratio = median(pair[1] / pair[0] for pair in rates)
    print(f"rows: {rows}, columns: {len(COLUMNS)}, rows per transaction: {CHUNK_ROWS}, median of {rounds} rounds")
    print(f"bare insert: {inserting:,.0f} rows/s   import: {importing:,.0f} rows/s   ratio: {ratio:.2f}")
    print(f"largest memory of the import: {memory // 1024} MB")


if __name__ == "__main__":
    main()
