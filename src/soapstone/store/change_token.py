"""Change tokens, which show whether the database may have changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class ChangeToken:
    """Returns a token that changes with every commit of another connection, in microseconds, without waiting.

    SQLite only, by `PRAGMA data_version` on a connection that does nothing else; on PostgreSQL, where `path` is None,
    the token is None, and callers must read again. For use by one thread.
    """

    def __init__(self, path: Path | None) -> None:
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)

    def token(self) -> int | None:
        """Return the current token, or None if unknown."""
        if self._connection is None:
            return None
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError:
            # A checkpoint is running.
            return None
        return version

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
