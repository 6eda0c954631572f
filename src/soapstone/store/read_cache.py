"""A cache of reads, valid until the database changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from soapstone.store.change_token import ChangeToken
from soapstone.store.recorded_reads import Statement, note, recorded

T = TypeVar("T")

MOST_VALUES = 1024


class ReadCache:
    """Caches values by their keys until the next commit of any connection; for any number of threads.

    `watch` opens a change token. On PostgreSQL a process that follows no changes caches nothing, and commits of other
    processes count within 100 ms.
    """

    def __init__(self, watch: Callable[[], ChangeToken]) -> None:
        self._open = watch
        self._watch: ChangeToken | None = None
        self._token: int | None = None
        # With the statements that each was read by.
        self._values: dict[Hashable, tuple[Any, Sequence[Statement]]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the value under a key, from `read` unless it is cached. None, for "missing", is never cached.

        `read` sees its own snapshot of the database, and callers must not change the value.
        """
        with self._lock:
            # From before the read: a commit during it shows as a change afterwards.
            token = self._current()
            known = self._values.get(key) if token is not None else None
        if known is not None:
            note(known[1])
            found: T = known[0]
            return found
        with recorded() as statements:
            value = read()
        if value is not None and token is not None:
            with self._lock:
                if token == self._token:
                    self._values[key] = value, statements
                    if len(self._values) > MOST_VALUES:
                        del self._values[next(iter(self._values))]
        return value

    def close(self) -> None:
        with self._lock:
            self._values.clear()
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _current(self) -> int | None:
        """Return the present token, None for an unknown one; drop values of an older one."""
        if self._watch is None:
            self._watch = self._open()
            # Tokens of another watch are not comparable.
            self._token = None
        token = self._watch.token()
        if token is not None and token != self._token:
            self._values.clear()
            self._token = token
        return token
