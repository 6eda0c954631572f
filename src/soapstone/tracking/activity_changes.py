"""What recipients did in one batch, stored unless somebody else has recorded an act of theirs meanwhile.

All acts of a batch have one date. So a number with a bit for each kind of act tells which dates of a mail change, and
one statement changes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from sqlalchemy import Connection

from soapstone.store.bulk import Values, array
from soapstone.store.driver import execute

# The dates of the first and the last open, read and click.
DATES = ("opened_at", "last_opened_at", "read_at", "last_read_at", "clicked_at", "last_clicked_at")
# Opens, clicks and the last read of a mail whose recipient did nothing; each act changes one of them.
NOTHING = (0, 0, 0)

# What the changes of rows have: `kinds` is 1 for opens, 2 for reads, 4 for clicks, or the sum of some. The last three
# are what must be there until now, with 0 for no read.
_NEW = ("delivery_id", "account_id", "kinds", "opens", "clicks")
_OLD = ("delivery_id", "kinds", "opens", "clicks", "was_opens", "was_clicks", "was_read")


class ActivityChanges:
    """Rows about recipients that are inserted, with the values of `_NEW`, and rows that change, with those of `_OLD`.

    `kind` is that of the database. A negative `was_read` stands for the date of an earlier batch.
    """

    def __init__(self, kind: str, new: Sequence[Values], old: Sequence[Values]) -> None:
        self._size = len(new) + len(old)
        self._store: Callable[[Connection, int, Mapping[int, int]], int]
        self._store = (_Rows if kind == "sqlite" else _Arrays)(sorted(new), sorted(old)).store

    def store(self, connection: Connection, at: int, moments: Mapping[int, int]) -> bool:
        """Store the changes; return False if another transaction has changed or inserted one of the rows meanwhile.

        `at` is the date of the batch, and `moments` has the dates that negative numbers stand for, in microseconds
        since 1970.
        """
        return self._store(connection, at, moments) == self._size


class _Rows:
    """Changes for SQLite: a statement for each row."""

    def __init__(self, new: list[Values], old: list[Values]) -> None:
        self._new, self._old = new, old

    def store(self, connection: Connection, at: int, moments: Mapping[int, int]) -> int:
        """Store them; return how many rows changed."""
        dated, count = moments.get, 0
        if self._new:
            count += execute(connection, _inserting("sqlite"), [(*row, at) for row in self._new], many=True).rowcount
        if self._old:
            rows = [(*row, dated(read, read), at) for *row, read in self._old]
            count += execute(connection, _updating("sqlite"), rows, many=True).rowcount
        return count


class _Arrays:
    """Changes for PostgreSQL: an array for each column, made while the server still stores another batch."""

    def __init__(self, new: list[Values], old: list[Values]) -> None:
        self._new = dict(zip(_NEW, map(array, zip(*new, strict=True)), strict=False))
        self._old = dict(zip(_OLD, map(array, zip(*(row[:-1] for row in old), strict=True)), strict=False))
        self._read = [row[-1] for row in old]

    def store(self, connection: Connection, at: int, moments: Mapping[int, int]) -> int:
        """Store them; return how many rows changed."""
        dated, count = moments.get, 0
        if self._new:
            count += connection.exec_driver_sql(_inserting("postgresql"), {**self._new, "at": at}).rowcount
        if self._old:
            read = array([dated(each, each) for each in self._read])
            given = {**self._old, "was_read": read, "at": at}
            count += connection.exec_driver_sql(_updating("postgresql"), given).rowcount
        return count


@cache
def _inserting(kind: str) -> str:
    """Return the statement for rows of `_NEW`."""
    names = ", ".join((*_NEW[:2], *DATES, *_NEW[3:]))
    if kind == "sqlite":
        # The placeholders of SQLite's driver have numbers.
        dates = (f"CASE WHEN ?3 & {_bit(place)} THEN ?6 END" for place in range(len(DATES)))
        rows = f"VALUES (?1, ?2, {', '.join(dates)}, ?4, ?5)"
    else:
        dates = (f"CASE WHEN kinds & {_bit(place)} > 0 THEN %(at)s::bigint END" for place in range(len(DATES)))
        rows = f"SELECT delivery_id, account_id, {', '.join(dates)}, opens, clicks FROM {_unnested(_NEW)}"  # noqa: S608
    return f"INSERT INTO delivery_activity ({names}) {rows} ON CONFLICT DO NOTHING"


@cache
def _updating(kind: str) -> str:
    """Return the statement for rows of `_OLD`."""
    if kind == "sqlite":
        given = {name: f"?{place}" for place, name in enumerate((*_OLD, "at"), 1)}
    else:
        given = {name: f"new.{name}" for name in _OLD} | {"at": "%(at)s::bigint"}
    sets = []
    for place, name in enumerate(DATES):
        before = f"delivery_activity.{name}"
        # Without an event of this kind until now, this one is the first.
        date = given["at"] if place % 2 else f"coalesce({before}, {given['at']})"
        sets.append(f"{name} = CASE WHEN {given['kinds']} & {_bit(place)} > 0 THEN {date} ELSE {before} END")
    source = "" if kind == "sqlite" else f"FROM {_unnested(_OLD)} "
    return f"""
        UPDATE delivery_activity SET {", ".join(sets)}, opens = {given["opens"]}, clicks = {given["clicks"]} {source}
        WHERE delivery_activity.delivery_id = {given["delivery_id"]}
            AND delivery_activity.opens = {given["was_opens"]} AND delivery_activity.clicks = {given["was_clicks"]}
            AND coalesce(delivery_activity.last_read_at, 0) = {given["was_read"]}
    """  # noqa: S608 - names of our own


def _bit(place: int) -> int:
    """Return the number that stands for acts which change the date at this place."""
    return 1 << place // 2


def _unnested(names: tuple[str, ...]) -> str:
    return f"unnest({', '.join(f'%({name})s::bigint[]' for name in names)}) AS new ({', '.join(names)})"
