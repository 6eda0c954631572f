"""Recorded reads: the statements that a result was made of, which tell later whether it would be the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from soapstone.store.change_token import ChangeToken

MOST_STATEMENTS = 16
"""Statements of a result that is compared with the database; a larger one is made anew."""
MOST_ROWS = 100
"""Rows that such a statement may return."""

# SQL text and parameters, as the driver gets them. Parameters of None: this statement is no plain SELECT.
Statement = tuple[str, Any]

_recording: ContextVar[list[Statement] | None] = ContextVar("recorded_reads", default=None)


@contextmanager
def recorded() -> Iterator[Sequence[Statement]]:
    """Yield a list that takes the statements which this context executes, on any database."""
    statements: list[Statement] = []
    reset = _recording.set(statements)
    try:
        yield statements
    finally:
        _recording.reset(reset)
        note(statements)


def note(statements: Sequence[Statement]) -> None:
    """Add statements to the recording under way, as if they were executed now: for results from a cache."""
    recording = _recording.get()
    if recording is not None:
        recording.extend(statements)


def listen(engine: Engine) -> None:
    """Let recordings see the statements of an engine."""

    @event.listens_for(engine, "before_cursor_execute")
    def _execute(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, many: bool) -> None:
        recording = _recording.get()
        if recording is not None and text != "BEGIN":
            plain = not many and text[:6].upper() == "SELECT"
            recording.append((text, parameters if plain else None))


class RecordWatch:
    """Says whether the database may have changed since something was read, or that very part of it.

    `watch` says the former. Recorded reads are compared with what they return now, on SQLite only, where it never
    waits; on PostgreSQL, where `path` is None, no digest is known. For use by one thread, but for `recorded`.
    """

    recorded = staticmethod(recorded)

    def __init__(self, watch: ChangeToken, path: Path | None) -> None:
        self._watch = watch
        self.token, self.renewed = watch.token, watch.renewed
        # PostgreSQL's changes by other processes are known a little later.
        self.exact = path is not None
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)

    def digest(self, statements: Sequence[Statement]) -> bytes | None:
        """Return a digest of all that the statements return now, in one snapshot.

        None is for unknown: a statement that is no SELECT, too many statements or rows, a database that is busy.
        """
        if self._connection is None or len(statements) > MOST_STATEMENTS:
            return None
        digest = blake2b(digest_size=16)
        try:
            self._connection.execute("BEGIN")
            try:
                for text, parameters in statements:
                    if parameters is None:
                        return None
                    rows = self._connection.execute(text, parameters).fetchmany(MOST_ROWS + 1)
                    if len(rows) > MOST_ROWS:
                        return None
                    digest.update(repr(rows).encode("utf-8", "surrogatepass"))
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # Busy, or a function that this connection does not have.
            return None
        return digest.digest()

    def close(self) -> None:
        self._watch.close()
        if self._connection is not None:
            self._connection.close()
