"""Statements that PostgreSQL gets together: all take effect, and the error of any of them is raised."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, PrimaryKeyConstraint, Table, insert, select, update
from sqlalchemy.exc import IntegrityError
from tests.postgresql import Databases

from soapstone.store.database import Database
from soapstone.store.postgresql import pipelined

THING = Table(
    "pipelined_thing",
    MetaData(),
    Column("id", Integer, autoincrement=False),
    PrimaryKeyConstraint("id", name="pk_pipelined_thing"),
)


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection with an empty table, outside of a transaction."""
    with database.connect() as connection:
        with connection.begin():
            THING.create(connection)
        yield connection


def store(connection: Connection, *ids: int) -> None:
    """Store these numbers in one transaction; 0 divides by itself."""
    with connection.begin(), pipelined(connection):
        for number in ids:
            connection.execute(insert(THING).values(id=number // number))
            connection.execute(update(THING).where(THING.c.id == 1).values(id=number))


def stored(connection: Connection) -> list[int]:
    with connection.begin():
        return list(connection.execute(select(THING.c.id).order_by(THING.c.id)).scalars())


def test_all_statements_take_effect_in_their_order(connection: Connection) -> None:
    store(connection, 5, 3, 4)
    assert stored(connection) == [3, 4, 5]


@pytest.mark.parametrize("ids", [(5, 5), (5, 5, 6, 7), (4, 5, 6, 5)])
def test_the_error_of_any_statement_is_raised(connection: Connection, ids: tuple[int, ...]) -> None:
    with pytest.raises(IntegrityError, match="pk_pipelined_thing"):
        store(connection, *ids)
    assert stored(connection) == []
    store(connection, 5)
    assert stored(connection) == [5]


def test_an_error_of_the_caller_is_raised_as_it_is(connection: Connection) -> None:
    with pytest.raises(ZeroDivisionError):
        store(connection, 5, 0)
    assert stored(connection) == []
