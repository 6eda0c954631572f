"""Joins that PostgreSQL can only do by looking up each row of a chunk, whatever its statistics say."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, tuple_


class Lookups:
    """Conditions of joins for one kind of database.

    With statistics of a list that was empty a moment ago, PostgreSQL takes going through the whole list once for each
    row of a chunk to be as good as an index: equality lets it, and so the time grows with the product of the two. A
    range with equal ends has one use only, the index on its columns, once the plan is without other ways (merge.PLAN).
    """

    def __init__(self, kind: str) -> None:
        self._sqlite = kind == "sqlite"

    def same(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that an indexed column has this value of another table."""
        return column == value if self._sqlite else and_(column >= value, column <= value)

    def both(
        self, columns: tuple[ColumnElement[Any], ColumnElement[Any]], values: tuple[Any, ColumnElement[Any]]
    ) -> ColumnElement[bool]:
        """Return the condition that two columns of one index have these values, of which the second is another's."""
        if self._sqlite:
            return and_(columns[0] == values[0], columns[1] == values[1])
        ours, theirs = tuple_(*columns), tuple_(*values)
        return and_(ours >= theirs, ours <= theirs)
