"""Recall: what was read from the records is given again while nobody has changed them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from soapstone.store.change_token import Watch

T = TypeVar("T")

MOST_VALUES = 1024


class Recall:
    """Values that were read, by their keys, until the next commit of anybody; for any number of threads.

    `path` is the file of the database. On PostgreSQL, where it is None, nothing is remembered: there is no telling
    whether something was committed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._watch: Watch | None = None
        self._token: int | None = None
        self._values: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the value under a key, from `read` unless it is remembered. None, for "not there", is never
        remembered.

        `read` sees its own snapshot of the records, and the value must be one that nobody alters.
        """
        if self._path is None:
            return read()
        with self._lock:
            # From before the reading: what is committed during it shows as a change afterwards.
            token = self._current()
            if key in self._values:
                known: T = self._values[key]
                return known
        value = read()
        if value is not None and token is not None:
            with self._lock:
                if token == self._token:
                    self._values[key] = value
                    if len(self._values) > MOST_VALUES:
                        del self._values[next(iter(self._values))]
        return value

    def close(self) -> None:
        """Let go of the watch."""
        with self._lock:
            self._values.clear()
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _current(self) -> int | None:
        """Return the token now; what was read under another one is forgotten."""
        if self._watch is None:
            self._watch = Watch(self._path)
            # Another watch's tokens say nothing.
            self._token = None
        token = self._watch.token()
        if token is None or token != self._token:
            self._values.clear()
            self._token = token
        return token
