"""A job that the machine hinders waits and goes on; one that is hindered for too long fails with the reason."""

from __future__ import annotations

import errno
import pickle
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from soapstone.accounts.account import Account
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Run
from soapstone.jobs.worker import MOST_CRASHES, Worker
from soapstone.lists.lists import Lists
from soapstone.store import transient_errors
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.transient_errors import transient_error


def add(database: Database, account: Account, list_id: int | None = None) -> int:
    with database.write(durable=True) as connection:
        return Jobs(database).add(connection, account_id=account.id, kind="count", list_id=list_id, steps=1)


class Counter:
    """A runner that counts to three in chunks; before each it may raise what `faults` has next."""

    def __init__(self, *faults: BaseException | None) -> None:
        self.faults: Iterator[BaseException | None] = iter(faults)
        self.order: list[int] = []

    def __call__(self, run: Run) -> None:
        for number in range(run.job.checkpoint.get("next", 0), 3):
            if fault := next(self.faults, None):
                raise fault
            with run.chunk() as chunk:
                chunk.checkpoint = {"next": number + 1}
                chunk.count(done=1)
        self.order.append(run.job.id)


def work(database: Database, blobs: Blobs, counter: Counter, patience: int = 5) -> None:
    jobs = Jobs(database)
    worker = Worker(database, blobs, {"count": counter}, idle=0.01, patience=patience, shortest_wait=0.01)
    worker.run(until=lambda: all(job.over for job in jobs.find()))


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_a_hindered_job_waits_and_goes_on(database: Database, blobs: Blobs, account: Account) -> None:
    job_id = add(database, account)
    work(database, blobs, Counter(full(), full(), None, OSError(errno.EMFILE, "Too many open files"), None, full()))
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert (job.state, job.error, job.counters, job.attempt) == ("completed", "", {"done": 3}, 5)


def test_a_waiting_job_tells_why(database: Database, blobs: Blobs, account: Account) -> None:
    job_id = add(database, account)
    jobs = Jobs(database)
    said = []

    def look(run: Run) -> None:
        raise full()

    def seen() -> bool:
        job = jobs.get(None, job_id)
        assert job is not None
        said.append((job.state, job.error))
        return True

    Worker(database, blobs, {"count": look}, idle=0.01, shortest_wait=60).run(until=seen)
    assert said == [("queued", f"The job waits and goes on by itself. {transient_errors.DISK_FULL}")]


def test_a_job_that_is_hindered_for_too_long_fails_with_the_reason_and_can_be_retried(
    database: Database, blobs: Blobs, account: Account
) -> None:
    job_id = add(database, account)
    # What it does in between renews its patience.
    work(database, blobs, Counter(full(), full(), None, full(), full(), full()), patience=3)
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert (job.state, job.counters) == ("failed", {"done": 1})
    assert job.error.startswith(transient_errors.DISK_FULL)
    assert Jobs(database).retry(None, job_id)
    work(database, blobs, Counter())
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert (job.state, job.error, job.counters) == ("completed", "", {"done": 3})


def test_nobody_overtakes_a_hindered_job_on_its_list(database: Database, blobs: Blobs, account: Account) -> None:
    here = Lists(database).create(account.id, "Newsletter").id
    expected = [add(database, account, here) for _ in range(3)]
    counter = Counter(None, full(), full())
    work(database, blobs, counter)
    assert counter.order == expected


def die(database: Database, *, working: bool) -> None:
    """A worker takes the next job and dies, after a chunk or before."""
    jobs = Jobs(database)
    job = jobs.claim("somebody", ["count"], timedelta(minutes=5))
    assert job is not None
    run = Run(database, Blobs(Path()), job, lease=timedelta(minutes=5), stopping=lambda: False)
    with run.chunk() as chunk:
        chunk.count(**{"done": 1} if working else {})
    jobs.expire_leases()


def test_a_job_over_which_worker_after_worker_dies_is_given_up(
    database: Database, blobs: Blobs, account: Account
) -> None:
    job_id, innocent = add(database, account), add(database, account)
    for _ in range(MOST_CRASHES):
        die(database, working=False)
    counter = Counter()
    work(database, blobs, counter)
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert (job.state, job.attempt) == ("failed", MOST_CRASHES + 1)
    assert f"{MOST_CRASHES} times" in job.error
    assert counter.order == [innocent]
    assert Jobs(database).retry(None, job_id)
    work(database, blobs, counter)
    assert counter.order == [innocent, job_id]


def test_a_job_that_gets_further_may_lose_any_number_of_workers(
    database: Database, blobs: Blobs, account: Account
) -> None:
    job_id = add(database, account)
    for number in range(3 * MOST_CRASHES):
        die(database, working=number % (MOST_CRASHES - 1) == 0)
    work(database, blobs, Counter())
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert (job.state, job.crashes) == ("completed", 0)


def sqlite_full() -> sqlite3.Error:
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.executescript("CREATE TABLE one (a); CREATE TABLE two (a);")
    connection.close()
    return caught.value


def sqlite_locked(folder: Path) -> sqlite3.Error:
    connections = [sqlite3.connect(folder / "locked", timeout=0, isolation_level=None) for _ in range(2)]
    connections[0].execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connections[1].execute("BEGIN IMMEDIATE")
    for connection in connections:
        connection.close()
    return caught.value


def test_what_sqlite_says(tmp_path: Path) -> None:
    for error, words in (
        (sqlite_full(), transient_errors.DISK_FULL),
        (sqlite_locked(tmp_path), transient_errors.LOCKED),
    ):
        assert transient_error(error) == words
        assert transient_error(OperationalError("UPDATE", {}, error)) == words
        # From another process it comes without its code.
        assert transient_error(pickle.loads(pickle.dumps(type(error)(*error.args)))) == words
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "no" / "where")
    assert transient_error(caught.value) == transient_errors.NOT_OPENED


def test_what_postgresql_says() -> None:
    for error, words in (
        (psycopg.errors.DiskFull("could not extend file"), transient_errors.DISK_FULL),
        (psycopg.errors.DeadlockDetected("deadlock detected"), transient_errors.CONFLICT),
        (psycopg.errors.AdminShutdown("terminating connection"), transient_errors.NO_ANSWER),
        (psycopg.errors.TooManyConnections("too many clients"), transient_errors.ALL_TAKEN),
        (psycopg.OperationalError("the connection is lost"), transient_errors.NO_ANSWER),
    ):
        assert transient_error(OperationalError("UPDATE", {}, error)) == words


@pytest.mark.parametrize(
    "error",
    [
        ValueError("locked"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        sqlite3.OperationalError("no such column: nothing"),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed")),
        IntegrityError("INSERT", {}, psycopg.errors.UniqueViolation("duplicate key")),
        OperationalError("SELECT", {}, psycopg.errors.UndefinedColumn("no such column")),
    ],
    ids=repr,
)
def test_faults_of_the_program_are_no_hindrances(error: Exception) -> None:
    assert transient_error(error) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EIO, errno.EFBIG, errno.EROFS])
def test_what_the_system_says(number: int) -> None:
    try:
        try:
            raise OSError(number, "words")
        except OSError as cause:
            raise RuntimeError("a stage could not be written") from cause
    except RuntimeError as error:
        words = transient_error(error)
    assert words is not None
    assert words.endswith(".")
