"""Chosen numbers: sequences never move to them and skip them, and no number is ever given twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Text, delete, select

import soapstone
from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.errors import ConflictError
from soapstone.jobs.queue import Jobs
from soapstone.lists.external_events import ExternalEvents
from soapstone.lists.lists import Lists
from soapstone.lists.profiles import Profiles
from soapstone.store.database import Database
from soapstone.store.numbers import LARGEST_CHOSEN, NUMBERED, STEP, add_row, handed_out, put_back, raise_beyond, stored
from soapstone.store.tables import list_categories, lists

CATEGORY = {"name": "A category"}


def add(connection: Connection, account: Account, number: int | None = None) -> int:
    values = {**CATEGORY, "account_id": account.id, "created_at": now()}
    return int(add_row(connection, list_categories, values, number)["id"])


def undone(database: Database, account: Account, number: int | None) -> None:
    """Add a row in a transaction that is rolled back."""
    with database.connect() as connection, database.write(connection=connection):
        add(connection, account, number)
        connection.rollback()


def last(database: Database) -> int:
    with database.read() as connection:
        return handed_out(connection)["list_category"]


def test_a_sequence_never_moves_to_a_chosen_number(database: Database, account: Account) -> None:
    everything = Lists(database)
    assert everything.create(account.id, "A").id == 1
    assert everything.create(account.id, "B", number=LARGEST_CHOSEN).id == LARGEST_CHOSEN
    assert everything.create(account.id, "C", number=3).id == 3
    assert [everything.create(account.id, name).id for name in "DE"] == [2, 4]
    with database.read() as connection:
        assert handed_out(connection)["list"] == 4
        assert stored(connection)["list"] == 4
    assert [each.name for each in everything.all(account.id)] == ["A", "D", "C", "E", "B"]


def test_a_first_row_with_a_chosen_number(database: Database, account: Account) -> None:
    with database.write() as connection:
        assert add(connection, account, 7) == 7
        assert [add(connection, account) for _ in range(8)] == [1, 2, 3, 4, 5, 6, 8, 9]


@pytest.mark.parametrize("number", [0, -1, LARGEST_CHOSEN + 1])
def test_only_some_numbers_can_be_chosen(database: Database, account: Account, number: int) -> None:
    with pytest.raises(ValueError, match="cannot be chosen"), database.write() as connection:
        add(connection, account, number)


def test_a_number_is_taken_whatever_account_has_it(database: Database, account: Account) -> None:
    other = Accounts(database).create("OTHER", time_zone="UTC")
    with database.write() as connection:
        assert add(connection, other) == 1
        assert add(connection, other, 500) == 500
    for number in (1, 500):
        with pytest.raises(ConflictError) as refused, database.write() as connection:
            add(connection, account, number)
        assert str(refused.value) == f"The number {number} cannot be given: it is in use, or was before."
    assert last(database) == 1


@pytest.mark.parametrize("number", [None, 2])
def test_a_number_that_was_deleted_does_not_come_back(database: Database, account: Account, number: int | None) -> None:
    with database.write() as connection:
        add(connection, account)
        assert add(connection, account, number) == 2
        connection.execute(delete(list_categories).where(list_categories.c.id == 2))
    with pytest.raises(ConflictError), database.write() as connection:
        add(connection, account, 2)
    with database.write() as connection:
        assert add(connection, account) == 3


def test_what_was_rolled_back_can_be_chosen_again(database: Database, account: Account) -> None:
    undone(database, account, 90)
    with database.write() as connection:
        assert add(connection, account, 90) == 90


def test_numbers_of_one_transaction(database: Database, account: Account) -> None:
    """A header and its attributes: chosen and ordinary numbers side by side."""
    with database.write() as connection:
        assert [add(connection, account, number) for number in (None, 2, None, 4, 5, None)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("number", [40, 40 + STEP])
def test_a_restore_does_not_take_a_chosen_number_for_the_last_one(
    database: Database, account: Account, number: int
) -> None:
    with database.write() as connection:
        assert [add(connection, account), add(connection, account, number)] == [1, number]
        raise_beyond(connection, {"list_category": 39})
    assert last(database) == 39 + STEP
    with database.write() as connection:
        assert add(connection, account) == 40 + STEP + (number > 40)
    with pytest.raises(ConflictError), database.write() as connection:
        # It may have been handed out since the backup.
        add(connection, account, 41)


def test_a_copied_table_goes_on_with_its_numbers(database: Database, account: Account) -> None:
    """As migrations copy tables on SQLite: neither chosen numbers nor deleted rows confuse the sequence."""
    with database.write() as connection:
        assert [add(connection, account, number) for number in (None, 500, None)] == [1, 500, 2]
        connection.execute(delete(list_categories).where(list_categories.c.id == 2))
    with database.write() as connection:
        before = handed_out(connection)
        if database.kind == "sqlite":
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("list_category", recreate="always") as batch:
                batch.add_column(Column("colour", Text))
            assert handed_out(connection) != before
        put_back(connection, before)
        assert handed_out(connection) == before
    with database.write() as connection:
        assert add(connection, account) == 3


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "choose", "delete", "roll back"]),
        st.integers(min_value=-3, max_value=6),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_interleavings_never_collide_repeat_or_jump(
    database: Database, account: Account, steps: list[tuple[str, int]]
) -> None:
    """One database for all examples: what was given in one example counts in the next."""
    table = list_categories.c
    ever, chosen = memory(database)
    for step, distance in steps:
        before = last(database)
        number = max(1, before + distance)
        free = number > before and number not in chosen
        following = before + 1
        while following in chosen:
            following += 1
        if step == "delete":
            with database.write() as connection:
                connection.execute(delete(list_categories).where(table.id == number))
            continue
        if step == "next":
            with database.write() as connection:
                assert add(connection, account) == following
            assert following not in ever
            ever.add(following)
            assert last(database) == following
            continue
        if step == "roll back":
            undone(database, account, None)
            if free:
                undone(database, account, number + 1 if number + 1 not in chosen else None)
            continue
        if free:
            with database.write() as connection:
                assert add(connection, account, number) == number
            assert number not in ever
            ever.add(number)
            chosen.add(number)
        else:
            with pytest.raises(ConflictError), database.write() as connection:
                add(connection, account, number)
        assert last(database) == before


_MEMORIES: dict[str, tuple[set[int], set[int]]] = {}


def memory(database: Database) -> tuple[set[int], set[int]]:
    """The numbers that were ever given in a database, and those of them that were chosen."""
    return _MEMORIES.setdefault(str(database.url), (set(), set()))


def test_many_at_once(database: Database, account: Account) -> None:
    """No ordinary row fails for a number that somebody chooses at that moment, and no number is given twice."""

    def ordinary(_: int) -> list[int]:
        found = []
        for _ in range(15):
            with database.write() as connection:
                found.append(add(connection, account))
        return found

    def choosing(seed: int) -> list[int]:
        dice, found = Random(seed), []
        for _ in range(15):
            try:
                number = last(database) + dice.randint(1, 4)
                with database.write() as connection:
                    found.append(add(connection, account, number))
            except ConflictError:
                continue
        return found

    works: list[Callable[[int], list[int]]] = [ordinary, choosing, ordinary, choosing, ordinary, choosing]
    with ThreadPoolExecutor(len(works)) as pool:
        given = list(pool.map(lambda work, seed: work(seed), works, range(len(works))))
    numbers = [number for each in given for number in each]
    assert len(numbers) == len(set(numbers))
    assert [len(each) for each, work in zip(given, works, strict=True) if work is ordinary] == [15, 15, 15]
    with database.read() as connection:
        assert sorted(connection.execute(select(list_categories.c.id)).scalars()) == sorted(numbers)


def test_a_number_that_is_being_chosen_is_skipped_without_waiting(database: Database, account: Account) -> None:
    """SQLite has one writer: there is nothing to skip."""
    if database.kind == "sqlite":
        with database.write() as connection:
            assert [add(connection, account, 1), add(connection, account)] == [1, 2]
        return
    with database.write() as one:
        assert add(one, account, 1) == 1
        with database.write() as other:
            assert add(other, account) == 2
            with pytest.raises(ConflictError):
                add(other, account, 1)
        with database.write() as other:
            assert add(other, account) == 3
    with pytest.raises(ConflictError), database.write() as connection:
        add(connection, account, 1)


def test_a_number_that_was_drawn_cannot_be_chosen_before_its_row_is_there(database: Database, account: Account) -> None:
    with database.write() as one:
        assert add(one, account) == 1
        if database.kind == "postgresql":
            with pytest.raises(ConflictError), database.write() as other:
                add(other, account, 1)
        with pytest.raises(ConflictError):
            add(one, account, 1)


def test_every_kind_of_thing_can_have_a_chosen_number(database: Database, account: Account) -> None:
    for number, table in enumerate(NUMBERED, 1_000):
        values = {"account_id": account.id, "name": "x", "created_at": now(), "updated_at": now(), "list_id": 1_000}
        values |= {"header_id": 1_001, "position": 1, "kind": "saved" if table.name == "message" else "text"}
        values |= {"public_id": "x", "criteria": {}}
        with database.write() as connection:
            given = {name: value for name, value in values.items() if name in table.c}
            assert add_row(connection, table, given, number)["id"] == number
    news = Lists(database).create(account.id, "News")
    assert news.id == 1
    header = Profiles(database).add_header(account.id, news.id, "About", number=77)
    assert header == 77
    assert Profiles(database).add_attribute(account.id, news.id, header, "Colour", number=1_234_567) == 1_234_567
    assert ExternalEvents(database).add(account.id, news.id, "Bought", number=5).id == 5


def test_jobs_have_no_chosen_numbers(database: Database, account: Account) -> None:
    assert "job" not in {table.name for table in NUMBERED}
    with database.write(durable=True) as connection, pytest.raises(TypeError):
        Jobs(database).add(connection, account_id=account.id, kind="import", number=5)  # type: ignore[call-arg]


def test_rows_of_these_tables_are_inserted_here_alone() -> None:
    """An insert elsewhere would move SQLite's sequence to a chosen number, or collide with one in PostgreSQL."""
    from soapstone.store import tables

    names = [name for name, value in vars(tables).items() if any(value is table for table in NUMBERED)]
    assert lists in NUMBERED
    assert len(names) == len(NUMBERED)
    elsewhere = re.compile(rf"\binsert(?:_unless_there)?\(\s*(?:connection,\s*)?(?:{'|'.join(names)})\b")
    root = Path(soapstone.__file__).parent
    assert [str(path) for path in root.rglob("*.py") if elsewhere.search(path.read_text())] == []
