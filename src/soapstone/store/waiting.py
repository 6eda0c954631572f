"""Limits for waiting writers, so that some threads are always free for readers."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from soapstone.store.transient_errors import LOCKED, RecordsUnavailable

# The most seconds that a writer waits for others.
LONGEST_WAIT = 10.0
# Seconds without progress of any writer, after which the database counts as stuck.
STUCK = 2.0
# Most waiting writers of a process while the database is stuck: half of a contract's threads.
MOST_WAITING = 8


class Waiting:
    """The waiting writers of one process, on PostgreSQL those that may have to wait, in order of arrival."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        # Since when somebody waits, and when a writer had its turn last.
        self._busy_since = 0.0
        self._moved = 0.0
        self._names = itertools.count()
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[int]:
        """Register a writer until it has its turn or gives up; yield its number.

        Raises RecordsUnavailable at once if the database is stuck and enough others wait.
        """
        with self._lock:
            me = next(self._names)
            if self._full():
                raise RecordsUnavailable(LOCKED)
            moment = time.monotonic()
            if not self._since:
                self._busy_since = moment
            self._since[me] = moment
        try:
            yield me
        finally:
            with self._lock:
                del self._since[me]

    def got_on(self) -> None:
        """Note that a writer had its turn."""
        self._moved = time.monotonic()

    def gives_up(self, me: int, patience: float) -> bool:
        """Return whether a writer must give up: after `patience` seconds, or earlier if the database is stuck."""
        with self._lock:
            waited = time.monotonic() - self._since[me]
            return waited > patience or (waited > STUCK and self._place(me) >= MOST_WAITING and self._stuck())

    def crowded(self, me: int) -> bool:
        """Return whether enough others have waited for longer."""
        with self._lock:
            return self._place(me) >= MOST_WAITING

    @property
    def full(self) -> bool:
        """Whether the database is stuck and enough writers wait."""
        with self._lock:
            return self._full()

    def _place(self, me: int) -> int:
        return list(self._since).index(me)

    def _full(self) -> bool:
        return len(self._since) >= MOST_WAITING and self._stuck()

    def _stuck(self) -> bool:
        # Not since the oldest present one came: others may have waited for as long before it, and given up.
        return time.monotonic() - max(self._moved, self._busy_since) > STUCK
