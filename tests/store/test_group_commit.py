"""Group commit: pieces of work of several threads by one transaction, each with its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import Connection, insert, select

from soapstone.clock import now
from soapstone.store import group_commit
from soapstone.store.database import Database
from soapstone.store.group_commit import GroupCommit
from soapstone.store.tables import accounts
from soapstone.store.transient_errors import RecordsUnavailable


class Book:
    """Stores names, each once; a name that begins with `bad` is a fault, one with `full` a full disk."""

    def __init__(self, database: Database, subject: Callable[[str], str] = str) -> None:
        self.database = database
        self.transactions: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.commits: GroupCommit[str, int] = GroupCommit(database, self.store, subject)

    def store(self, connection: Connection, names: Sequence[str]) -> list[int]:
        self.transactions.append(list(names))
        for name in names:
            connection.execute(insert(accounts).values(name=name, time_zone="UTC", created_at=now()))
            if name.startswith("bad"):
                raise ValueError(name)
            if name.startswith("full"):
                raise RecordsUnavailable(name)
        assert self.gate.wait(60)
        return [len(name) for name in names]

    def stored(self) -> set[str]:
        with self.database.read() as connection:
            return set(connection.execute(select(accounts.c.name)).scalars())

    def at_once(self, *pieces: Sequence[str]) -> list[Future[list[int]]]:
        """Come with these pieces, each from a thread, while a transaction runs."""
        self.gate.clear()
        with ThreadPoolExecutor(len(pieces) + 1) as threads:
            first = threads.submit(self.commits.run, ["first"])
            self.until(lambda: len(self.transactions) == 1)
            found = []
            for number, names in enumerate(pieces, 1):
                found.append(threads.submit(self.commits.run, names))
                self.until(partial(self.waits, sum(map(len, pieces[:number]))))
            self.gate.set()
        assert first.result() == [5]
        return found

    def waits(self, count: int) -> bool:
        return len(self.commits._waiting) == count

    @staticmethod
    def until(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.001)


def test_those_who_wait_share_the_next_transaction(database: Database) -> None:
    book = Book(database)
    found = book.at_once(["a", "bb"], ["ccc"], ["dddd"])
    assert [each.result() for each in found] == [[1, 2], [3], [4]]
    assert book.transactions == [["first"], ["a", "bb", "ccc", "dddd"]]
    assert book.stored() == {"first", "a", "bb", "ccc", "dddd"}


def test_a_fault_is_of_its_piece_alone(database: Database) -> None:
    """Nothing of the failed transaction stays: the names are unique."""
    book = Book(database)
    a, bad, c = book.at_once(["a"], ["bad one"], ["ccc"])
    assert (a.result(), c.result()) == ([1], [3])
    with pytest.raises(ValueError, match="bad one"):
        bad.result()
    assert book.stored() == {"first", "a", "ccc"}
    assert book.commits.run(["later"]) == [5]


def test_records_that_are_away_are_away_for_all(database: Database) -> None:
    book = Book(database)
    for each in book.at_once(["a"], ["full"], ["ccc"]):
        with pytest.raises(RecordsUnavailable, match="full"):
            each.result()
    assert book.transactions == [["first"], ["a", "full", "ccc"]]
    assert book.stored() == {"first"}
    assert book.commits.run(["a"]) == [1]


def test_pieces_about_the_same_are_in_different_transactions(database: Database) -> None:
    book = Book(database, subject=lambda name: name[0])
    assert book.commits.run(["a1", "b", "a22", "a333", "cc"]) == [2, 1, 3, 4, 2]
    assert book.transactions == [["a1", "b", "cc"], ["a22"], ["a333"]]


def test_a_transaction_has_a_size(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST", 3)
    book = Book(database)
    found = book.at_once(["a", "b", "c", "d"], ["e", "f", "g"])
    assert [each.result() for each in found] == [[1] * 4, [1] * 3]
    assert book.transactions == [["first"], ["a", "b", "c"], ["d", "e", "f"], ["g"]]


def test_a_thread_that_is_ended_leaves_nobody_waiting(database: Database) -> None:
    book = Book(database)

    def end(connection: Connection, names: Sequence[str]) -> list[int]:
        if names == ["bad"]:
            raise KeyboardInterrupt
        raise ValueError(names)

    book.commits._work = end
    with pytest.raises(KeyboardInterrupt):
        book.commits.run(["a", "bad", "c"])
    book.commits._work = book.store
    assert book.commits.run(["d"]) == [1]


@pytest.mark.parametrize("threads", [2, 16])
def test_many_threads(database: Database, threads: int) -> None:
    book = Book(database)
    names = [f"{number:0{1 + number % 7}}" for number in range(200)]
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(book.commits.run, [[name] for name in names]))
    assert found == [[len(name)] for name in names]
    assert book.stored() == set(names)
    assert sorted(name for each in book.transactions for name in each) == sorted(names)


def test_who_meets_a_full_disk_does_not_try_on_with_what_is_left(database: Database) -> None:
    """Each attempt may take seconds; others, who came alone, try for themselves."""
    book = Book(database)
    many, alone = book.at_once([f"full {number}" for number in range(3 * group_commit.MOST)], ["late"])
    with pytest.raises(RecordsUnavailable):
        many.result()
    assert alone.result() == [4]
    assert [len(names) for names in book.transactions] == [1, group_commit.MOST, 1]
