"""The watch: whether anything in the records may have changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class Watch:
    """Gives a token that changes with every commit of anybody else, in microseconds and without waiting.

    SQLite only, by `PRAGMA data_version` on a connection that does nothing else; on PostgreSQL, where `path`
    is None, there is no token, and whoever asks works things out anew. To be used by one thread.
    """

    def __init__(self, path: Path | None) -> None:
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)

    def token(self) -> int | None:
        """Return the current token; None when there is no telling."""
        if self._connection is None:
            return None
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError:
            # The log is just being moved.
            return None
        return version

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
