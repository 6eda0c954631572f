"""Writers that wait for their turn: how long they may, so that some threads are always free for readers."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from soapstone.store.transient_errors import LOCKED, RecordsUnavailable

# Seconds that a writer waits for others at most.
LONGEST_WAIT = 10.0
# Seconds without any writer getting on, after which the records count as stuck.
STUCK = 2.0
# So many writers of a process wait on while the records are stuck: half of the threads that a contract has.
MOST_WAITING = 8


class Waiting:
    """The writers of one process that wait, on PostgreSQL those that may wait, in the order in which they came."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._moved = 0.0
        self._names = itertools.count()
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[int]:
        """Yield one more writer, from its begin until it has its turn or gives up; what it is called here.

        Raises RecordsUnavailable at once when the records are stuck and enough others wait.
        """
        with self._lock:
            me = next(self._names)
            if self._full():
                raise RecordsUnavailable(LOCKED)
            self._since[me] = time.monotonic()
        try:
            yield me
        finally:
            with self._lock:
                del self._since[me]

    def got_on(self) -> None:
        """Note that a writer had its turn."""
        self._moved = time.monotonic()

    def gives_up(self, me: int, patience: float) -> bool:
        """Return whether a writer has waited long enough: its patience, in seconds, or less when the records are
        stuck."""
        with self._lock:
            waited = time.monotonic() - self._since[me]
            return waited > patience or (waited > STUCK and self._place(me) >= MOST_WAITING and self._stuck())

    def crowded(self, me: int) -> bool:
        """Return whether enough others have waited for longer."""
        with self._lock:
            return self._place(me) >= MOST_WAITING

    @property
    def full(self) -> bool:
        """Whether the records are stuck and enough writers wait."""
        with self._lock:
            return self._full()

    def _place(self, me: int) -> int:
        return list(self._since).index(me)

    def _full(self) -> bool:
        return len(self._since) >= MOST_WAITING and self._stuck()

    def _stuck(self) -> bool:
        return time.monotonic() - max(self._moved, next(iter(self._since.values()))) > STUCK
