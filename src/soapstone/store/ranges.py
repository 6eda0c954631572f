"""Conditions for a range of a column and for the rows behind a place, in the forms that indexes serve."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, literal, tuple_


def within(
    column: ColumnElement[Any], start: datetime | None, before: datetime | None
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for values from `start` on and before `before`; None leaves an end open."""
    return (*(() if start is None else (column >= start,)), *(() if before is None else (column < before,)))


def behind(
    at: ColumnElement[Any], number: ColumnElement[int], after: tuple[datetime, int] | None
) -> tuple[ColumnElement[bool], ...]:
    """Return the condition for rows after a date and a number, by which they are ordered; none for None."""
    if after is None:
        return ()
    # As a pair, so that the index finds the place: an import gives many rows one date.
    return (tuple_(at, number) > tuple_(literal(after[0], at.type), literal(after[1])),)
