"""Pages by number are the same rows whether their beginning was remembered or counted for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.store import page_marks
from soapstone.store.page_marks import PageMarks, RowCounts


class Rows:
    """Rows that tell how they were read."""

    def __init__(self, count: int) -> None:
        self.rows = list(range(1, count + 1))
        self.skipped = 0

    def read(self, after: Any, offset: int, limit: int) -> list[int]:
        self.skipped += offset
        behind = [row for row in self.rows if after is None or row > after]
        return behind[offset : offset + limit]


@given(st.integers(0, 30), st.integers(1, 7), st.lists(st.integers(-1, 12)))
def test_a_page_is_a_slice(count: int, size: int, numbers: list[int]) -> None:
    held, rows = PageMarks(), Rows(count)
    for number in numbers:
        first = (max(number, 1) - 1) * size
        assert held.get("q", number, size, rows.read, lambda row: row) == rows.rows[first : first + size]


def test_in_order_nothing_is_counted_for() -> None:
    held, rows = PageMarks(), Rows(100)
    for number in range(1, 12):
        held.get("q", number, 10, rows.read, lambda row: row)
    assert rows.skipped == 0
    held.get("another", 5, 10, rows.read, lambda row: row)
    assert rows.skipped == 40


def test_who_leaves_between_pages_takes_nobody_along() -> None:
    held, rows = PageMarks(), Rows(20)
    assert held.get("q", 1, 10, rows.read, lambda row: row)[-1] == 10
    rows.rows = rows.rows[5:]
    assert held.get("q", 2, 10, rows.read, lambda row: row) == list(range(11, 21))


def test_little_is_remembered(monkeypatch: Any) -> None:
    monkeypatch.setattr(page_marks, "REMEMBERED", 3)
    held, rows = PageMarks(), Rows(100)
    for number in range(1, 8):
        held.get("q", number, 10, rows.read, lambda row: row)
    held.get("q", 2, 10, rows.read, lambda row: row)
    assert rows.skipped == 10


def test_rows_are_counted_for_the_first_page_and_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-39: in between, later pages have the same number; and only so many numbers are remembered."""
    clock = [0.0]
    monkeypatch.setattr("soapstone.store.page_marks.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(page_marks, "COUNTS", 3)
    counts, rows = RowCounts(), iter(range(100))

    def count() -> int:
        return next(rows)

    assert [counts.get("query", page, count) for page in (2, 2, 3, 1, 2, 0, 2)] == [0, 0, 0, 1, 1, 2, 2]
    clock[0] += page_marks.COUNT_SECONDS - 1
    assert counts.get("query", 2, count) == 2
    clock[0] += 1
    assert counts.get("query", 2, count) == 3
    for name in "abc":
        counts.get(name, 2, count)
    assert counts.recall("query", 2) is None
    assert counts.recall("a", 2) == 4
