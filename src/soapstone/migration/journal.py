"""What a migration remembers between its calls and its runs: where it is, and which number became which.

A SQLite file in the data folder, one for each account, contract, URL and login. It is written after the records, so
that after a kill the last call is made again at most; everything that is done twice ends as if it was done once.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from soapstone.errors import ConflictError
from soapstone.store import private

FOLDER = "migrations"
_TABLES = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS number (
    kind TEXT, theirs INTEGER, ours INTEGER NOT NULL, PRIMARY KEY (kind, theirs)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position (step TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS count (what TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS remark (sentence TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS staged (
    at INTEGER, kind INTEGER, place INTEGER PRIMARY KEY, message INTEGER, delivery INTEGER, link INTEGER);
CREATE INDEX IF NOT EXISTS staged_order ON staged (at, kind, place);
CREATE TABLE IF NOT EXISTS recorded (message INTEGER, kind INTEGER, at INTEGER, delivery INTEGER, link INTEGER);
CREATE INDEX IF NOT EXISTS recorded_order ON recorded (message, kind, at, delivery, link);
"""
# Staged events that are recorded already: as many of those that are alike.
_KNOWN = """
WITH new AS (
    SELECT place, message, kind, at, link, iif(delivery IN (SELECT value FROM json_each(:blank)), 0, delivery) AS who
    FROM staged
), counted AS (
    SELECT *, row_number() OVER (PARTITION BY message, kind, at, who, link ORDER BY place) AS number FROM new
)
DELETE FROM staged WHERE place IN (
    SELECT place FROM counted WHERE number <= (
        SELECT count(*) FROM recorded AS old WHERE old.message = counted.message AND old.kind = counted.kind
        AND old.at = counted.at AND old.delivery = counted.who AND old.link IS counted.link
    )
)
"""
DONE = "done"
_CONTRACT = "contract"
_LEFT_OUT = "recorded events left out"


def read_numbers(path: Path) -> tuple[str, list[tuple[str, int, int]]]:
    """Return the contract of a migration that does not run now, and its numbers: kind, theirs, ours.

    The contract is empty where none is known. Raises sqlite3.Error for a file that cannot be read.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as file:
        told = file.execute("SELECT value FROM fact WHERE name = ?", (_CONTRACT,)).fetchone()
        rows = file.execute("SELECT kind, theirs, ours FROM number ORDER BY kind, theirs").fetchall()
    return ("" if told is None else str(json.loads(told[0]))), rows


class Staged(NamedTuple):
    """An event of a sent mail, until it can be recorded in the order of dates.

    `at` is in microseconds since 1970, `kind` a place in an order of kinds, `place` its own number; the others are
    numbers of ours.
    """

    at: int
    kind: int
    place: int
    message: int
    delivery: int
    link: int | None


class Journal:
    """The memory of one migration. Used by one thread of one process at a time."""

    def __init__(self, path: Path) -> None:
        private.make_folder(path.parent)
        if not path.exists():
            private.create(path).close()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
        try:
            # Held until the end: two migrations of one account at a time would each miss what the other does.
            self._file.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
        except sqlite3.OperationalError as error:
            self._file.close()
            raise ConflictError(f"Another process uses {path}, or it cannot be used: {error}.") from None
        self.counts: Counter[str] = Counter(dict(self._file.execute("SELECT what, number FROM count")))
        self._remarks: dict[str, None] = dict.fromkeys(row[0] for row in self._file.execute("SELECT * FROM remark"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fact(self, name: str) -> Any:
        """Return a stored fact; None if there is none."""
        row = self._file.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set_fact(self, name: str, value: Any) -> None:
        self._file.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, json.dumps(value)))

    def begin(self, contract: str, *, again: bool) -> bool:
        """Begin a run of a contract, `listrak` or `magnetmail`, or go on with an interrupted one: then return True."""
        self.set_fact(_CONTRACT, contract)
        state = self.fact("run") or {"number": 0, "over": True}
        if not state["over"] and not again:
            return True
        self._file.executescript(
            "BEGIN IMMEDIATE; DELETE FROM position; DELETE FROM count; DELETE FROM remark; DELETE FROM staged; COMMIT;"
        )
        self.counts.clear()
        self._remarks.clear()
        self.set_fact("run", {"number": state["number"] + 1, "over": False})
        return False

    def end(self) -> None:
        self.set_fact("run", {**self.fact("run"), "over": True})

    def position(self, step: str) -> Any:
        """Return where a step of this run is; None if it has not begun."""
        row = self._file.execute("SELECT value FROM position WHERE step = ?", (step,)).fetchone()
        return None if row is None else json.loads(row[0])

    def positions(self, beginning: str) -> dict[str, Any]:
        """Return where the steps of this run are whose names begin so."""
        rows = self._file.execute(
            "SELECT step, value FROM position WHERE substr(step, 1, ?) = ?", (len(beginning), beginning)
        )
        return {step: json.loads(value) for step, value in rows}

    def save(
        self,
        step: str,
        position: Any,
        numbers: Mapping[str, Iterable[tuple[int, int]]] | None = None,
        staged: Iterable[Staged] = (),
    ) -> None:
        """Store what a call has brought: the position behind it, pairs of numbers by kind, events, counts, remarks."""
        with self._writing():
            rows = ((each.at, each.kind, each.message, each.delivery, each.link) for each in staged)
            self._file.executemany(
                "INSERT INTO staged (at, kind, message, delivery, link) VALUES (?, ?, ?, ?, ?)", rows
            )
            for kind, pairs in (numbers or {}).items():
                renamed = [(kind, theirs, ours) for theirs, ours in pairs]
                self._file.executemany("INSERT OR REPLACE INTO number VALUES (?, ?, ?)", renamed)
            self._file.execute("INSERT OR REPLACE INTO position VALUES (?, ?)", (step, json.dumps(position)))
            self._file.executemany("INSERT OR REPLACE INTO count VALUES (?, ?)", self.counts.items())
            self._file.executemany("INSERT OR IGNORE INTO remark VALUES (?)", ((each,) for each in self._remarks))

    def keep(self, kind: str, theirs: int, ours: int) -> None:
        """Store which number became which."""
        self._file.execute("INSERT OR REPLACE INTO number VALUES (?, ?, ?)", (kind, theirs, ours))

    def number(self, kind: str, theirs: int) -> int | None:
        """Return what a number of theirs became here; None for an unknown one."""
        row = self._file.execute("SELECT ours FROM number WHERE kind = ? AND theirs = ?", (kind, theirs)).fetchone()
        return None if row is None else int(row[0])

    def numbers(self, kind: str, theirs: Iterable[int] | None = None) -> dict[int, int]:
        """Return theirs → ours, of these numbers or of all."""
        if theirs is None:
            return dict(self._file.execute("SELECT theirs, ours FROM number WHERE kind = ?", (kind,)))
        query = "SELECT theirs, ours FROM number WHERE kind = ? AND theirs IN (SELECT value FROM json_each(?))"
        return dict(self._file.execute(query, (kind, json.dumps(list(theirs)))))

    def staged(self, after: Sequence[int], limit: int) -> list[Staged]:
        """Return staged events by date, kind and place, from the one after these three on."""
        query = "SELECT * FROM staged WHERE (at, kind, place) > (?, ?, ?) ORDER BY at, kind, place LIMIT ?"
        return [Staged(*row) for row in self._file.execute(query, (*after, limit))]

    def staged_until(self, last: Sequence[int]) -> Counter[tuple[int, int]]:
        """Return how many events are staged up to this one, by message and kind."""
        query = "SELECT message, kind, count(*) FROM staged WHERE (at, kind, place) <= (?, ?, ?) GROUP BY message, kind"
        return Counter({(message, kind): number for message, kind, number in self._file.execute(query, last)})

    def staged_messages(self) -> list[int]:
        return [row[0] for row in self._file.execute("SELECT DISTINCT message FROM staged")]

    def recorded(self) -> Counter[tuple[int, int]]:
        """Return how many events earlier runs have recorded, by message and kind."""
        query = "SELECT message, kind, count(*) FROM recorded GROUP BY message, kind"
        return Counter({(message, kind): number for message, kind, number in self._file.execute(query)})

    def leave_out_recorded(self, of_deleted_people: Callable[[], Iterable[int]]) -> None:
        """Unstage the events that earlier runs have recorded, once in a run.

        `of_deleted_people` returns the deliveries of deleted people. They count as one delivery, since it is unknown
        which of them an address belonged to.
        """
        if self.position(_LEFT_OUT) is None and self.recorded():
            blank = {"blank": json.dumps(list(of_deleted_people()))}
            with self._writing():
                mine = "delivery IN (SELECT value FROM json_each(:blank))"
                self._file.execute(f"UPDATE recorded SET delivery = 0 WHERE {mine}", blank)  # noqa: S608
                self._file.execute(_KNOWN, blank)
                self._file.execute("INSERT INTO position VALUES (?, 'true')", (_LEFT_OUT,))

    def note_recorded(self) -> None:
        """Note that all staged events are recorded."""
        with self._writing():
            self._file.execute("INSERT INTO recorded SELECT message, kind, at, delivery, link FROM staged")
            self._file.execute("DELETE FROM staged")

    def remark(self, sentence: str) -> None:
        """Note a sentence for the report, once."""
        self._remarks[sentence] = None

    @property
    def remarks(self) -> list[str]:
        """The sentences for the report."""
        return list(self._remarks)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def export(self) -> list[tuple[str, int, int]]:
        """Return the whole map: kind, theirs, ours."""
        with closing(self._file.execute("SELECT kind, theirs, ours FROM number ORDER BY kind, theirs")) as rows:
            return list(rows)
