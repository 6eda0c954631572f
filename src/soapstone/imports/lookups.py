"""Joins that PostgreSQL can only do by looking up each row of a chunk, whatever its statistics say."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, text, tuple_

from soapstone.store.database import Database

# PostgreSQL's plan for a chunk, whatever its statistics say of fast-growing tables: look up rows one by one, because
# hashing all contacts costs more as they grow, with memory for one chunk. Of two indexes it takes the one that leads to
# fewer rows: by its own weights they cost the same while it takes a table for small. No cost is a reason to compile.
_WAYS = ("hashjoin", "mergejoin", "material", "seqscan", "bitmapscan")
PLAN = "set_config('work_mem', '32MB', true), set_config('jit', 'off', true)" + "".join(
    [f", set_config('enable_{way}', 'off', true)" for way in _WAYS]
    + [f", set_config('cpu_{each}_cost', '1', true)" for each in ("tuple", "index_tuple")]
)

# Tables for whose rows statistics are missing, or that count as small and have more than twice as many rows. Where they
# count as large, PostgreSQL itself goes by the size of their files.
_OUTGROWN = text(
    " UNION ALL ".join(
        f"""
        SELECT 1 FROM pg_class WHERE oid = '{table}'::regclass AND (
          reltuples < 10000
          AND (SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 20100) AS few) > 2 * greatest(reltuples, 0) + 100
          OR NOT EXISTS (
            SELECT 1 FROM pg_stats WHERE tablename = '{table}' AND schemaname = relnamespace::regnamespace::text
          ) AND EXISTS (SELECT 1 FROM {table})
        )
        """  # noqa: S608 - two names of our own
        for table in ("contact", "membership")
    )
)


def renew_statistics(database: Database) -> None:
    """Let PostgreSQL look at the tables that a chunk is matched with, if they have outgrown its statistics.

    A table that autovacuum saw empty counts as empty until it comes again. Until then an index of the account alone
    seems as good as that of a person, and each row of a chunk would be looked for among everybody.
    """
    with database.read(autocommit=True) as connection:
        if connection.execute(_OUTGROWN).first() is not None:
            connection.exec_driver_sql("ANALYZE (SKIP_LOCKED) contact, membership")


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

    def both(
        self, columns: tuple[ColumnElement[Any], ColumnElement[Any]], values: tuple[Any, ColumnElement[Any]]
    ) -> ColumnElement[bool]:
        """Return the condition that two columns of one index have these values, of which the second is another's."""
        if self._sqlite:
            return and_(columns[0] == values[0], columns[1] == values[1])
        ours, theirs = tuple_(*columns), tuple_(*values)
        return and_(ours >= theirs, ours <= theirs)
