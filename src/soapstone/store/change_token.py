"""Change tokens, which show whether the database may have changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soapstone.store.change_reader import ChangeReader


class ChangeToken:
    """Returns a token that changes with every commit of another connection, in microseconds, without waiting.

    On SQLite, with the `path` of its file, it comes from `PRAGMA data_version` on a connection that does nothing else.
    On PostgreSQL it comes from the `reader` of the process: commits of others change it within 100 ms, and it is
    None, so that callers must read again, while that knows nothing. For use by one thread.
    """

    def __init__(self, path: Path | None, reader: ChangeReader | None = None) -> None:
        self._reader = reader
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0)

    def token(self) -> int | None:
        """Return the current token, or None if unknown."""
        if self._reader is not None:
            return self._reader.token()
        if self._connection is None:
            return None
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError:
            # A checkpoint is running.
            return None
        return version

    async def renewed(self) -> int | None:
        """Return the current token, even if that takes a moment."""
        return self.token() if self._reader is None else await self._reader.renewed()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
