"""Recorded reads tell whether a result would be the same now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from contextvars import copy_context
from typing import Any

import pytest
from sqlalchemy import select, update

from soapstone.accounts.account import Account, Accounts
from soapstone.store import recorded_reads
from soapstone.store.database import Database
from soapstone.store.recorded_reads import RecordWatch, Statement, recorded
from soapstone.store.tables import accounts, jobs


@pytest.fixture
def watch(database: Database) -> Iterator[RecordWatch]:
    with closing(RecordWatch(database.change_token(), database.path)) as found:
        yield found


def reads_of(work: Callable[[], object]) -> list[Statement]:
    with recorded() as reads:
        work()
    return list(reads)


def is_known(database: Database) -> bool:
    """SQLite alone compares."""
    return database.kind == "sqlite"


def test_a_digest_changes_with_what_was_read(database: Database, account: Account, watch: RecordWatch) -> None:
    other = Accounts(database).create("OTHER", time_zone="UTC")
    reads = reads_of(lambda: Accounts(database).get(account.id))
    assert len(reads) == 1
    first = watch.digest(reads)
    assert (first is not None) == is_known(database)
    Accounts(database).change(other, time_zone="Asia/Tokyo")
    assert watch.digest(reads) == first
    Accounts(database).change(account, time_zone="Asia/Tokyo")
    assert not is_known(database) or watch.digest(reads) != first


def test_a_row_that_comes_or_goes_changes_it(database: Database, watch: RecordWatch) -> None:
    reads = reads_of(lambda: Accounts(database).named("NEW"))
    before = watch.digest(reads)
    Accounts(database).create("NEW", time_zone="UTC")
    assert not is_known(database) or watch.digest(reads) != before


def test_a_value_from_a_cache_brings_its_reads(database: Database, account: Account) -> None:
    direct = reads_of(lambda: Accounts(database).get(account.id))
    cached = reads_of(lambda: Accounts(database).get(account.id))
    assert direct == cached != []


def test_a_recording_holds_the_ones_inside_it(database: Database, account: Account) -> None:
    with recorded() as outer:
        with recorded() as inner:
            Accounts(database).get(account.id)
        Accounts(database).all()
    assert list(outer[: len(inner)]) == list(inner)
    assert len(outer) == len(inner) + 1


def test_other_threads_record_nothing_here(database: Database, account: Account) -> None:
    with recorded() as reads:
        thread = threading.Thread(target=Accounts(database).all)
        thread.start()
        thread.join()
        assert not reads
        thread = threading.Thread(target=copy_context().run, args=(Accounts(database).all,))
        thread.start()
        thread.join()
    assert len(reads) == 1
    Accounts(database).all()
    assert len(reads) == 1


def test_what_writes_cannot_be_compared(database: Database, account: Account, watch: RecordWatch) -> None:
    def write() -> None:
        with database.write() as connection:
            connection.execute(update(accounts).where(accounts.c.id == account.id).values(time_zone="UTC"))

    assert watch.digest(reads_of(write)) is None


def test_large_results_are_not_compared(
    database: Database, account: Account, watch: RecordWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_reads, "MOST_ROWS", 1)
    monkeypatch.setattr(recorded_reads, "MOST_STATEMENTS", 2)
    reads = reads_of(Accounts(database).all)
    assert (watch.digest(reads) is not None) == is_known(database)
    assert watch.digest(reads * 3) is None
    Accounts(database).create("OTHER", time_zone="UTC")
    assert watch.digest(reads) is None


def test_a_statement_that_fails_is_unknown(database: Database, watch: RecordWatch) -> None:
    assert watch.digest([("SELECT * FROM nothing", ())]) is None
    # And leaves no transaction open, which would keep an old snapshot.
    assert (watch.digest([("SELECT 1", ())]) is not None) == is_known(database)


def test_the_comparison_sees_commits(database: Database, account: Account, watch: RecordWatch) -> None:
    """It holds no snapshot between two of them, nor a lock: a checkpoint can run."""

    def read() -> Any:
        with database.read() as connection:
            return connection.execute(select(jobs.c.id)).all()

    reads = reads_of(read)
    watch.digest(reads)
    database.checkpoint()
    assert (watch.digest(reads) is not None) == is_known(database)
    assert (watch.token() is not None) or not is_known(database)
