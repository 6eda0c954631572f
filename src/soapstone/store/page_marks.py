"""Numbered pages at constant cost: remembers each page's last key, and the number of all rows."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

Row = TypeVar("Row")

# Ends of pages to remember, the most recent ones.
REMEMBERED = 10_000
# Numbers of rows to remember, and for how long (mm-114).
COUNTS = 1_000
COUNT_SECONDS = 60.0


class PageMarks:
    """Remembers the ends of pages, so that the next one begins there without counting all rows before it.

    A page out of order needs the count.
    """

    def __init__(self) -> None:
        self._ends: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        query: Hashable,
        number: int,
        size: int,
        read: Callable[[Any, int, int], Sequence[Row]],
        mark: Callable[[Row], Any],
    ) -> Sequence[Row]:
        """Return one page of a query, counted from 1; a number below 1 means the first (mm-37, lk-30).

        `query` identifies the rows: account, operation, criteria. `mark(row)` is their unique sort key. `read(after,
        offset, limit)` reads rows after the mark `after`, or from the first on if that is None, skipping `offset`.
        """
        number = max(number, 1)
        after = self._recall((query, size, number - 1)) if number > 1 else None
        rows = read(after, 0 if after is not None else (number - 1) * size, size)
        if len(rows) == size:
            self._remember((query, size, number), mark(rows[-1]))
        return rows

    def _recall(self, key: Hashable) -> Any:
        with self._lock:
            if key not in self._ends:
                return None
            self._ends.move_to_end(key)
            return self._ends[key]

    def _remember(self, key: Hashable, end: Any) -> None:
        with self._lock:
            self._ends[key] = end
            self._ends.move_to_end(key)
            if len(self._ends) > REMEMBERED:
                self._ends.popitem(last=False)


class RowCounts:
    """Remembers the number of all rows of a query for COUNT_SECONDS, so that not every page counts them.

    The first page always counts anew.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, query: Hashable, page: int) -> int | None:
        """Return the number of rows of a query, for a page after the first; None if it has to be counted."""
        with self._lock:
            known = self._counts.get(query) if page > 1 else None
        return known[1] if known is not None and known[0] > time.monotonic() else None

    def remember(self, query: Hashable, count: int) -> int:
        """Remember the number of rows that was just counted, and return it."""
        with self._lock:
            self._counts[query] = (time.monotonic() + COUNT_SECONDS, count)
            self._counts.move_to_end(query)
            if len(self._counts) > COUNTS:
                self._counts.popitem(last=False)
        return count

    def get(self, query: Hashable, page: int, count: Callable[[], int]) -> int:
        """Return the remembered number of rows of a query, or else count them."""
        known = self.recall(query, page)
        return self.remember(query, count()) if known is None else known
