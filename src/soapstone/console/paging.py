"""Pages of a long table: one row more than shown is fetched, so that nothing has to be counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.requests import Request

Row = TypeVar("Row")

MOST_PAGES = 1_000_000
# Numbers of records are at most 64 bits wide.
MOST_DIGITS = 18


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a table. `number` counts from 1."""

    rows: Sequence[Row]
    number: int
    more: bool


def page_of(request: Request, fetch: Callable[[int, int], Sequence[Row]], size: int) -> Page[Row]:
    """Return the page that the request asks for; `fetch` takes an offset and a limit."""
    number = min(max(record_number(request.query_params.get("page", "")) or 1, 1), MOST_PAGES)
    rows = fetch((number - 1) * size, size + 1)
    return Page(rows[:size], number, len(rows) > size)


def record_number(text: str) -> int | None:
    """Return the number of a record in an address; None when it cannot be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
