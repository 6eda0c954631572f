"""Tests for the header of SQLite's WAL index."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from soapstone.store.wal_index import WalIndex

# It ends with 1 if somebody else has the write lock.
WRITING = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError:
    sys.exit(1)
"""


def connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def test_the_header_changes_with_each_commit_alone(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with closing(connected(path)) as own, closing(connected(path)) as other:
        own.execute("CREATE TABLE words (word)")
        index = WalIndex(path)
        for writer in (own, other, other, own):
            before = index.header()
            assert own.execute("SELECT * FROM words").fetchall() == other.execute("SELECT * FROM words").fetchall()
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("INSERT INTO words VALUES ('one')")
            assert index.header() == before
            writer.execute("COMMIT")
            assert index.header() not in (b"", before)


def test_sqlite_keeps_its_locks(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with closing(connected(path)) as own:
        own.execute("CREATE TABLE words (word)")
        own.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            assert WalIndex(path).header()
        assert subprocess.run([sys.executable, "-c", WRITING, path], check=False).returncode == 1


def test_files_of_databases_that_nobody_uses_are_closed(tmp_path: Path) -> None:
    opened = []
    for number in range(3):
        path = tmp_path / f"{number}.sqlite"
        with closing(connected(path)) as own:
            own.execute("CREATE TABLE words (word)")
            assert WalIndex(path).header()
            opened.append([each.name for each in Path("/proc/self/fd").iterdir() if _leads_to(each, tmp_path, "-shm")])
    # SQLite has one of its own open, and has removed those of the databases before.
    assert [len(names) for names in opened] == [2, 2, 2]


def test_without_the_file_there_is_no_header(tmp_path: Path) -> None:
    assert WalIndex(tmp_path / "missing.sqlite").header() == b""


def _leads_to(link: Path, folder: Path, end: str) -> bool:
    try:
        target = str(link.readlink())
    except FileNotFoundError:
        return False
    return target.startswith(str(folder)) and target.removesuffix(" (deleted)").endswith(end)
