"""Statements for many rows, on both databases: what they change, and that they leave all else as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.exc import OperationalError

from soapstone.store.bulk import (
    add_rows,
    among,
    insert_rows,
    large_cache,
    listed,
    run,
    select_by_key,
    update_rows,
    upsert_rows,
)
from soapstone.store.database import Database
from soapstone.store.timestamps import EPOCH, Instant, microseconds

_METADATA = MetaData()
THING = Table(
    "bulk_thing",
    _METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("at", Instant),
)
TALLY = Table(
    "bulk_tally",
    _METADATA,
    Column("thing_id", BigInteger, ForeignKey("bulk_thing.id"), primary_key=True, autoincrement=False),
    Column("other_id", BigInteger, ForeignKey("bulk_thing.id"), nullable=False),
    Column("found", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
)
MOMENT = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A transaction with three things, which is undone."""
    with database.engine.connect() as connection:
        transaction = connection.begin()
        _METADATA.create_all(connection)
        connection.execute(insert(THING), [{"id": n, "name": f"'{n}%s?", "at": None} for n in (1, 2, 3)])
        yield connection
        transaction.rollback()


def test_rows_are_changed_by_their_key_alone(connection: Connection) -> None:
    names = ("id", "name", "at")
    update_rows(connection, THING, names, [(3, "c; --", microseconds(MOMENT)), (1, "a", None), (9, "none", None)])
    rows = connection.execute(select(THING).order_by(THING.c.id)).all()
    assert rows == [(1, "a", None), (2, "'2%s?", None), (3, "c; --", MOMENT)]
    update_rows(connection, THING, names, [])
    assert connection.execute(select(THING).order_by(THING.c.id)).all() == rows


def test_amounts_are_added_and_other_columns_kept(connection: Connection) -> None:
    names = ("thing_id", "other_id", "found", "lost")
    add_rows(connection, TALLY, names, [(1, 2, 5, 0)])
    add_rows(connection, TALLY, names, [(1, 3, 2, 1), (2, 3, 1, -1)])
    add_rows(connection, TALLY, names, [])
    assert connection.execute(select(TALLY).order_by(TALLY.c.thing_id)).all() == [(1, 2, 7, 1), (2, 3, 1, -1)]


@pytest.mark.parametrize("numbers", [[], [2], [3, 1, 1], [7], range(1, 2_000)])
def test_a_condition_takes_any_count_of_numbers(connection: Connection, numbers: list[int]) -> None:
    query = select(THING.c.id).where(among(THING.c.id, connection.dialect.name, "wanted")).order_by(THING.c.id)
    found = connection.execute(query, {"wanted": listed(connection, list(numbers))}).scalars().all()
    assert found == [number for number in (1, 2, 3) if number in numbers]
    assert sorted(select_by_key(connection, [THING.c.id], THING.c.id, list(numbers))) == [(n,) for n in found]


def test_a_statement_without_rows_has_none(connection: Connection) -> None:
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    assert run(connection, f"UPDATE bulk_thing SET name = {mark}", ("x",)) == []
    insert_rows(connection, THING, ("id", "name", "at"), [(4, "x", 1)])
    assert run(connection, f"SELECT name, at FROM bulk_thing WHERE id = {mark}", (4,)) == [("x", 1)]


def test_numbers_and_texts_keep_their_kind(connection: Connection) -> None:
    """Arrays of numbers go to PostgreSQL as text, where a missing one has a word of its own."""
    names = ("id", "name", "at")
    rows = [(4, "None", None), (5, "NULL", -1), (2**62, "{1,2}", 2**53 + 1)]
    upsert_rows(connection, THING, names, rows)
    upsert_rows(connection, THING, names, [(4, "None", 7), (5, "NULL", None)])
    columns = [THING.c.id, THING.c.name, THING.c.at]
    expected = [(4, "None", 7), (5, "NULL", None), rows[2]]
    assert sorted(select_by_key(connection, columns, THING.c.id, [4, 5, 2**62])) == expected


def test_a_large_cache_ends_with_its_block(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        with large_cache(connection):
            assert run(connection, "SELECT 1", ()) == [(1,)]
        return
    before = run(connection, "PRAGMA cache_size", ())
    with large_cache(connection):
        assert run(connection, "PRAGMA cache_size", ()) != before
    assert run(connection, "PRAGMA cache_size", ()) == before
    with pytest.raises(OperationalError), large_cache(connection):
        run(connection, "SELECT nothing", ())
    assert run(connection, "PRAGMA cache_size", ()) == before


def test_instants_are_microseconds() -> None:
    assert microseconds(None) is None
    assert microseconds(EPOCH) == 0
    assert microseconds(EPOCH - timedelta(microseconds=1)) == -1
    assert microseconds(MOMENT) == int(MOMENT.timestamp()) * 1_000_000
