"""The header of SQLite's WAL index, which changes with each commit of any connection.

SQLite compares these octets, too, at the begin of each transaction (https://sqlite.org/walformat.html). To read them
takes a sixth of the time of `PRAGMA data_version`, which is a transaction, but they do not say whose commits they show.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

# Octets of the header. Its second copy follows.
_LENGTH = 48

_lock = threading.Lock()
# Files that are open for reading, by device and inode.
_files: dict[tuple[int, int], int] = {}


class WalIndex:
    """The WAL index of a database in a file, of which a connection of this process stays open meanwhile.

    Files are shared and stay open: if one is closed, the process loses all locks of SQLite on it (POSIX, fcntl). One
    that has been removed has no locks.
    """

    def __init__(self, database: Path) -> None:
        self._file = -1
        path = database.with_name(f"{database.name}-shm")
        with _lock, suppress(OSError):
            for key, file in list(_files.items()):
                if not os.fstat(file).st_nlink:
                    os.close(_files.pop(key))
            found = path.stat()
            key = found.st_dev, found.st_ino
            if key not in _files:
                _files[key] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._file = _files[key]

    def header(self) -> bytes:
        """Return the header; nothing if it cannot be read."""
        try:
            return os.pread(self._file, _LENGTH, 0)
        except OSError:
            return b""
