"""Joins that PostgreSQL can only do by looking up each row of a chunk, whatever its statistics say."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, tuple_

# PostgreSQL's plan for a chunk, whatever its statistics say of fast-growing tables: look up rows one by one, because
# hashing all contacts costs more as they grow, with memory for one chunk. Of two indexes it takes the one that leads to
# fewer rows: by its own weights they cost the same while it takes a table for small. No cost is a reason to compile.
# Without sorting, only the index of an order serves a query that has it (Lookups.key).
_WAYS = ("hashjoin", "mergejoin", "material", "seqscan", "bitmapscan", "sort")
PLAN = "set_config('work_mem', '32MB', true), set_config('jit', 'off', true)" + "".join(
    [f", set_config('enable_{way}', 'off', true)" for way in _WAYS]
    + [f", set_config('cpu_{each}_cost', '1', true)" for each in ("tuple", "index_tuple")]
)
# Once the rows are matched, results may be sorted: the order of an index might else be that of a whole table.
SORTS = "SET LOCAL enable_sort = on"


class Lookups:
    """Conditions of joins for one kind of database.

    With statistics of a list that was empty a moment ago, PostgreSQL takes going through the whole list once for each
    row of a chunk to be as good as an index: equality lets it, and so the time grows with the product of the two. A
    range with equal ends has one use only, the index on its columns, once the plan is without other ways (PLAN).
    """

    def __init__(self, kind: str) -> None:
        self._sqlite = kind == "sqlite"

    def same(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that an indexed column has this value of another table."""
        return column == value if self._sqlite else and_(column >= value, column <= value)

    def key(self, query: Select[Any], column: ColumnElement[Any], value: ColumnElement[Any]) -> Select[Any]:
        """Return the query for those of an account's rows whose column has this value of another table.

        An index of the account and the column must exist. PostgreSQL thinks that an index of the account alone costs as
        little, while its statistics have no rows of the account, or few rows at all. But that index is not in the order
        of the column.
        """
        if self._sqlite:
            return query.where(column == value)
        return query.where(column >= value, column <= value).order_by(column).offset(0)

    def both(
        self, columns: tuple[ColumnElement[Any], ColumnElement[Any]], values: tuple[Any, ColumnElement[Any]]
    ) -> ColumnElement[bool]:
        """Return the condition that two columns of one index have these values, of which the second is another's."""
        if self._sqlite:
            return and_(columns[0] == values[0], columns[1] == values[1])
        ours, theirs = tuple_(*columns), tuple_(*values)
        return and_(ours >= theirs, ours <= theirs)
