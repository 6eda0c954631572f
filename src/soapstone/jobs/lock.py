"""The worker's lock: only one worker runs on a SQLite database."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from soapstone.store import private


class WorkerLock:
    """A lock file. The operating system releases it when its holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self, timeout: float = 0.0) -> bool:
        """Take the lock, waiting up to `timeout` seconds; False if another holder keeps it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, private.FILE)
        end = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(file)
                    return False
                time.sleep(0.05)
            else:
                self._file = file
                return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def held(self) -> bool:
        """Return whether the lock is held now."""
        if self._file is not None:
            return True
        probe = WorkerLock(self._path)
        if probe.acquire():
            probe.release()
            return False
        return True
