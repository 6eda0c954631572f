"""Imports wait for each other where they must, and only there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.jobs.run import JobFailed, LeaseLost, Run
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.database import Database
from soapstone.store.tables import contacts, jobs

if TYPE_CHECKING:
    from tests.jobs.conftest import Office

OnChunk = Callable[[Callable[[Run], object]], None]


def lists(database: Database, account: Account, *names: str) -> list[ContactList]:
    return [Lists(database).create(account.id, name) for name in names]


def name_of(database: Database, email: str) -> str:
    with database.read() as connection:
        return str(connection.execute(select(contacts.c.first_name).where(contacts.c.email == email)).scalar_one())


def test_imports_into_different_lists_run_at_once(office: Office, database: Database, account: Account) -> None:
    together = threading.Barrier(3, timeout=30)
    office.begin = lambda run: together.wait()
    for number, here in enumerate(lists(database, account, "one", "two", "three")):
        office.submit(account, here, b"".join(b"u%d@x.com,N\n" % row for row in range(number, number + 35)))
    office.work()
    assert [(job.state, sum(job.counters.values())) for job in office.all()] == [("completed", 35)] * 3


def test_imports_of_people_on_no_list_run_at_once(office: Office, account: Account) -> None:
    """mm-61."""
    together = threading.Barrier(2, timeout=30)
    office.begin = lambda run: together.wait()
    for _ in range(2):
        office.submit(account, None, b"a@x.com,Ann\nb@x.com,Bob\n")
    office.work()
    assert [job.state for job in office.all()] == ["completed"] * 2
    assert sum(job.counters.get("added", 0) for job in office.all()) == 2


def test_imports_into_one_list_run_one_after_another(office: Office, database: Database, account: Account) -> None:
    (here,) = lists(database, account, "News")
    numbers = [office.submit(account, here, b"a@x.com,Ann %d\n" % number) for number in range(6)]
    beside: list[int] = []
    office.begin = lambda run: beside.extend(
        job.id for job in office.all() if job.state == "running" and job.id != run.job.id
    )
    office.work()
    assert office.begun == numbers
    assert beside == []
    assert [job.state for job in office.all()] == ["completed"] * 6
    assert name_of(database, "a@x.com") == "Ann 5"


def test_another_account_with_the_same_list_name_waits_for_nobody(
    office: Office, database: Database, account: Account
) -> None:
    other = Accounts(database).create("OTHER", time_zone="UTC")
    together = threading.Barrier(2, timeout=30)
    office.begin = lambda run: together.wait()
    for owner in (account, other):
        office.submit(owner, lists(database, owner, "News")[0], b"a@x.com,Ann\n")
    office.work()
    assert [job.counters for job in office.all()] == [{"added": 1}, {"added": 1}]


def test_a_cancelled_import_holds_up_nobody(office: Office, database: Database, account: Account) -> None:
    (here,) = lists(database, account, "News")
    first, second, third, fourth = (office.submit(account, here, b"a@x.com,%d\n" % number) for number in range(4))
    assert office.jobs.cancel([account.id], second)
    # The first one is cancelled while it runs.
    office.begin = lambda run: office.jobs.cancel(None, run.job.id) if run.job.id == first else None
    office.work()
    assert office.begun == [first, third, fourth]
    assert [job.state for job in office.all()] == ["cancelled", "cancelled", "completed", "completed"]
    assert [job.counters for job in office.all()] == [{}, {}, {"added": 1}, {"updated": 1}]
    assert office.job(second).started_at is None


def test_a_retried_import_comes_before_later_ones(office: Office, database: Database, account: Account) -> None:
    """It keeps its number. What began meanwhile ends first."""
    (here,) = lists(database, account, "News")
    first, second, third = (office.submit(account, here, b"a@x.com,%d\n" % number) for number in range(3))

    def begin(run: Run) -> None:
        if run.job.id == first and run.job.attempt == 1:
            raise JobFailed("not today")
        if run.job.id == second:
            assert office.jobs.retry([account.id], first)

    office.begin = begin
    office.work()
    assert office.begun == [first, second, first, third]
    assert [job.state for job in office.all()] == ["completed"] * 3
    assert name_of(database, "a@x.com") == "2"


def test_an_import_that_a_stopped_worker_gave_back_comes_first_again(
    office: Office, database: Database, account: Account, on_chunk: OnChunk
) -> None:
    (here,) = lists(database, account, "News")
    first, second = (office.submit(account, here, b"a@x.com,%d\n" % number) for number in range(2))
    on_chunk(lambda run: office.worker.stop())
    office.work()
    assert [job.state for job in office.all()] == ["queued", "queued"]
    on_chunk(lambda run: None)
    office.begun.clear()
    while not all(job.over for job in office.all()):
        office.work()
    assert office.begun[0] == first
    assert office.begun[-1] == second
    assert office.begun == sorted(office.begun)
    assert name_of(database, "a@x.com") == "1"


def test_an_import_that_was_hindered_is_not_overtaken(office: Office, database: Database, account: Account) -> None:
    """It has begun and waits to go on: what comes later in its list must come later."""
    (here,) = lists(database, account, "News")
    first, second = (office.submit(account, here, b"a@x.com,%d\n" % number) for number in range(2))

    def begin(run: Run) -> None:
        if run.job.id == first and run.job.attempt == 1:
            run.release(timedelta(seconds=0.5))
            raise LeaseLost

    office.begin = begin
    office.work()
    assert office.begun == [first, first, second]
    assert name_of(database, "a@x.com") == "1"


def test_an_import_that_is_not_due_holds_up_nobody(office: Office, database: Database, account: Account) -> None:
    (here,) = lists(database, account, "News")
    later, sooner = (office.submit(account, here, b"a@x.com,%d\n" % number) for number in range(2))
    with database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == later).values(due_at=now() + timedelta(hours=1)))

    def begin(run: Run) -> None:
        with database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == later).values(due_at=now()))

    office.begin = begin
    office.work()
    assert office.begun == [sooner, later]
    assert name_of(database, "a@x.com") == "0"
