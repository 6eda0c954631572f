"""Statements that go to the driver: the same results, errors and listeners as by SQLAlchemy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, event, insert, select, update
from sqlalchemy.exc import IntegrityError

from soapstone.accounts.account import Account
from soapstone.store.database import Database
from soapstone.store.driver import execute, run_query
from soapstone.store.recorded_reads import recorded
from soapstone.store.tables import lists, workers

MOMENT = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def place(database: Database) -> str:
    return "?" if database.kind == "sqlite" else "%s"


@pytest.mark.parametrize("settings", [{}, {"bounce_limit": 3, "words": ["ä", None]}])
def test_a_query_has_the_same_rows_either_way(database: Database, account: Account, settings: dict[str, Any]) -> None:
    values = {"account_id": account.id, "name": "News", "settings": settings, "created_at": MOMENT}
    with database.write() as connection:
        connection.execute(insert(lists), [values, {**values, "name": "Offers"}])
    since = bindparam("since", type_=lists.c.created_at.type)
    query = (
        select(lists).where(lists.c.name.in_(["News", "Offers"]), lists.c.created_at >= since).order_by(lists.c.name)
    )
    with database.read() as connection:
        for _ in range(2):
            found = run_query(connection, query, {"since": MOMENT})
            assert found == [tuple(row) for row in connection.execute(query, {"since": MOMENT})]
            assert len(found) == 2
        assert run_query(connection, query, {"since": MOMENT.replace(year=2027)}) == []


def test_an_update_changes_what_it_says(database: Database) -> None:
    statement = update(workers).where(workers.c.name == bindparam("who")).values(beat_at=bindparam("at"))
    with database.write() as connection:
        connection.execute(insert(workers), [{"name": name, "began_at": MOMENT, "beat_at": MOMENT} for name in "ab"])
        assert run_query(connection, statement, {"who": "b", "at": MOMENT.replace(year=2027)}) == []
    with database.read() as connection:
        found = connection.execute(select(workers.c.name, workers.c.beat_at).order_by(workers.c.name)).all()
    assert found == [("a", MOMENT), ("b", MOMENT.replace(year=2027))]


def test_errors_are_those_of_sqlalchemy(database: Database) -> None:
    statement = f"INSERT INTO worker (name, began_at, beat_at) VALUES ('a', 1, {place(database)})"
    with database.write() as connection:
        execute(connection, statement, (1,))
        with pytest.raises(IntegrityError):
            execute(connection, statement, (2,))
        connection.rollback()
    with database.read() as connection:
        assert connection.execute(select(workers)).all() == []


def test_listeners_and_recorded_reads_see_statements(database: Database) -> None:
    seen: list[str] = []
    statement = f"SELECT name FROM worker WHERE name = {place(database)}"

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, text: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append(text)

    with recorded() as statements, database.read() as connection:
        assert execute(connection, statement, ("a",)).fetchall() == []
        event.listen(database.engine, "after_cursor_execute", note)
        assert execute(connection, statement, ("b",)).fetchall() == []
    event.remove(database.engine, "before_cursor_execute", note)
    event.remove(database.engine, "after_cursor_execute", note)
    assert seen.count(statement) == 3
    assert (statement, ("a",)) in [(text, tuple(given or ())) for text, given in statements]


def test_a_statement_outside_a_transaction_begins_one(database: Database) -> None:
    with database.connect() as connection:
        assert execute(connection, f"SELECT 1 + {place(database)}", (1,)).fetchall() == [(2,)]
        assert connection.in_transaction()
