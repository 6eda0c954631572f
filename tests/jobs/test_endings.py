"""Imports that are cancelled, that fail, and that are retried: what was done stays, and the figures are exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from soapstone.accounts.account import Account
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.run import Run
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.database import Database
from soapstone.store.tables import contacts, lists, memberships, rejected_rows
from soapstone.vocabulary.rows import REJECTED

if TYPE_CHECKING:
    from tests.jobs.conftest import Office

OnChunk = Callable[[Callable[[Run], object]], None]

# A row in five is malformed, and each of the last ten rows is there before.
ROWS = [b"bad %d,x" % row if row % 5 == 0 else b"u%d@x.com,N %d" % (row, row) for row in range(100)]
FILE = b"\n".join(ROWS + ROWS[90:]) + b"\n"
WHOLE = {"added": 80, "invalid_address": 22, "duplicate": 8}


def stored(office: Office, job: Job) -> dict[str, int]:
    """What the records say of a first import into an empty list, by outcome."""
    with office.database.read() as connection:
        rejected = connection.execute(select(rejected_rows.c.reason).where(rejected_rows.c.job_id == job.id)).scalars()
        members = connection.execute(
            select(func.count()).select_from(memberships).where(memberships.c.last_job == job.id)
        ).scalar_one()
        people = connection.execute(select(func.count()).select_from(contacts)).scalar_one()
        kept = connection.execute(select(lists.c.members).where(lists.c.id == job.list_id)).scalar_one()
    assert members == people == kept
    counted = Counter(rejected)
    assert counted.keys() <= REJECTED
    found = {**counted, **({"added": members} if members else {})}
    assert Counter(row.outcome for row in office.imports.outcomes(job.id)) == found
    return found


def make(database: Database, account: Account) -> ContactList:
    return Lists(database).create(account.id, "News")


def at_first(done: int, act: Callable[[Run], object]) -> Callable[[Run], None]:
    """Act once, when so many rows are done in the first attempt."""
    acted: list[int] = []

    def behind_chunk(run: Run) -> None:
        if not acted and run.job.checkpoint.get("done", 0) >= done:
            acted.append(1)
            act(run)

    return behind_chunk


def test_a_cancelled_import_keeps_and_counts_what_is_done(
    office: Office, database: Database, account: Account, on_chunk: OnChunk
) -> None:
    number = office.submit(account, make(database, account), FILE)
    on_chunk(at_first(30, lambda run: office.jobs.cancel([account.id], run.job.id)))
    office.work()
    job = office.job(number)
    assert (job.state, job.error) == ("cancelled", "")
    assert sum(job.counters.values()) == 30
    assert job.counters == stored(office, job)
    progress = office.imports.progress(job)
    assert (progress.done, progress.rows, progress.seconds_left) == (30, 110, 0.0)
    assert not office.jobs.retry([account.id], number), "only what failed can be retried"
    again = office.submit(account, office_list(database, job), FILE)
    office.work()
    assert office.job(again).counters == {
        "added": 80 - job.counters["added"],
        "unchanged": job.counters["added"],
        "invalid_address": 22,
        "duplicate": 8,
    }


def office_list(database: Database, job: Job) -> ContactList:
    assert job.list_id is not None
    here = Lists(database).get(job.account_id, job.list_id)
    assert here is not None
    return here


def test_an_import_cancelled_before_it_has_read_its_file_leaves_nothing(
    office: Office, database: Database, account: Account
) -> None:
    number = office.submit(account, make(database, account), FILE)
    office.begin = lambda run: office.jobs.cancel([account.id], run.job.id)
    office.work()
    job = office.job(number)
    assert (job.state, job.counters, stored(office, job)) == ("cancelled", {}, {})
    assert job.finished_at is not None


def test_a_queued_import_is_cancelled_at_once(office: Office, database: Database, account: Account) -> None:
    number = office.submit(account, make(database, account), FILE)
    assert office.jobs.cancel([account.id], number)
    job = office.job(number)
    assert (job.state, job.started_at, job.counters) == ("cancelled", None, {})
    office.work()
    assert office.begun == []
    assert stored(office, job) == {}
    assert [event.state for event in office.jobs.events(number)] == ["queued", "cancelled"]


def test_a_cancelled_replacement_takes_nobody_off_the_list(
    office: Office, database: Database, account: Account, on_chunk: OnChunk
) -> None:
    """mm-60: members leave at the end only."""
    here = make(database, account)
    office.submit(account, here, b"old@x.com,Old\n")
    office.work()
    spec = ImportSpec(columns=(Column(index=0, target="email"),), replace=True)
    number = office.submit(account, here, FILE, spec)
    on_chunk(at_first(30, lambda run: office.jobs.cancel([account.id], run.job.id)))
    office.work()
    job = office.job(number)
    assert job.state == "cancelled"
    assert office_list(database, job).members == 1 + job.counters["added"]


def test_a_failed_import_goes_on_where_it_stood(
    office: Office, database: Database, account: Account, on_chunk: OnChunk
) -> None:
    here = make(database, account)
    number = office.submit(account, here, FILE)

    def set_deleted(deleted: bool) -> None:
        with database.write() as connection:
            moment = lists.c.created_at if deleted else None
            connection.execute(update(lists).where(lists.c.id == here.id).values(deleted_at=moment))

    on_chunk(at_first(50, lambda run: set_deleted(True)))
    office.work()
    job = office.job(number)
    assert (job.state, job.error) == ("failed", "The list no longer exists.")
    assert sum(job.counters.values()) == 50
    assert job.counters == stored(office, job)
    set_deleted(False)
    seen: list[int] = []
    on_chunk(lambda run: seen.append(run.job.checkpoint["done"]))
    assert office.jobs.retry([account.id], number)
    office.work()
    job = office.job(number)
    assert (job.state, job.error, job.attempt) == ("completed", "", 2)
    assert min(seen) >= 50, "no row is done twice"
    assert job.counters == stored(office, job) == WHOLE
    assert office.imports.counts(job).list_members == 80


def test_a_fault_of_the_server_leaves_no_trace_after_a_retry(
    office: Office, database: Database, account: Account, on_chunk: OnChunk
) -> None:
    number = office.submit(account, make(database, account), FILE)

    def crash(run: Run) -> None:
        raise ZeroDivisionError

    on_chunk(at_first(20, crash))
    office.work()
    assert office.job(number).state == "failed"
    on_chunk(lambda run: None)
    assert office.jobs.retry([account.id], number)
    office.work()
    job = office.job(number)
    assert (job.state, job.attempt, job.counters, stored(office, job)) == ("completed", 2, WHOLE, WHOLE)


def test_a_failed_import_can_be_retried_when_its_file_is_back(
    office: Office, database: Database, account: Account
) -> None:
    number = office.submit(account, make(database, account), FILE)
    blob = office.blobs.path(str(office.job(number).blob))
    aside = blob.with_name("aside")
    blob.rename(aside)
    office.work()
    assert office.job(number).error == "The file of this import is gone."
    aside.rename(blob)
    assert office.jobs.retry([account.id], number)
    office.work()
    assert office.job(number).counters == WHOLE
