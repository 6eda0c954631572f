"""The worker runs jobs once, in order, and lets go when asked."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.jobs.heartbeats import Heartbeats
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import JobFailed, LeaseLost, Run, Snooze, Stopped
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import Lists
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import jobs as job_table


def count_to_three(run: Run) -> None:
    for number in range(run.job.checkpoint.get("next", 0), 3):
        with run.chunk() as chunk:
            chunk.checkpoint = {"next": number + 1}
            chunk.count(done=1)
            chunk.step = number


def add(database: Database, account: Account, kind: str = "count", list_id: int | None = None, steps: int = 3) -> int:
    with database.write(durable=True) as connection:
        return Jobs(database).add(connection, account_id=account.id, kind=kind, list_id=list_id, steps=steps)


def run_until_over(database: Database, blobs: Blobs, **runners: object) -> None:
    jobs = Jobs(database)
    Worker(database, blobs, runners, idle=0.01).run(until=lambda: all(job.over for job in jobs.find()))  # type: ignore[arg-type]


def test_a_job_runs_to_its_end(database: Database, blobs: Blobs, account: Account) -> None:
    job_id = add(database, account)
    run_until_over(database, blobs, count=count_to_three)
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    assert (job.state, job.step, job.counters, job.attempt) == ("completed", 3, {"done": 3}, 1)
    assert job.finished_at is not None
    assert job.started_at is not None
    assert [(event.state, event.step) for event in Jobs(database).events(job_id)] == [
        ("queued", 0),
        ("running", 0),
        ("running", 1),
        ("running", 2),
        ("completed", 3),
    ]


def test_a_failed_job_keeps_its_reason_and_can_be_retried(database: Database, blobs: Blobs, account: Account) -> None:
    job_id = add(database, account)

    def fail(run: Run) -> None:
        raise JobFailed("the file is empty")

    run_until_over(database, blobs, count=fail)
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    assert (job.state, job.error, job.step) == ("failed", "the file is empty", 0)
    assert Jobs(database).retry([account.id], job_id)
    assert not Jobs(database).retry([account.id], job_id)
    run_until_over(database, blobs, count=count_to_three)
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    assert (job.state, job.error, job.attempt) == ("completed", "", 2)


def test_a_fault_of_the_server_is_not_told_in_detail(database: Database, blobs: Blobs, account: Account) -> None:
    job_id = add(database, account)

    def crash(run: Run) -> None:
        raise ZeroDivisionError("secret")

    run_until_over(database, blobs, count=crash)
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    assert job.state == "failed"
    assert "secret" not in job.error


def test_jobs_of_one_list_run_one_after_another(database: Database, blobs: Blobs, account: Account) -> None:
    list_id = Lists(database).create(account.id, "Newsletter").id
    expected = [add(database, account, list_id=list_id) for _ in range(4)]
    under_way: set[int] = set()
    order: list[int] = []
    lock = threading.Lock()

    def watch(run: Run) -> None:
        with lock:
            assert not under_way
            under_way.add(run.job.id)
        with run.chunk() as chunk:
            chunk.count(done=1)
        with lock:
            under_way.remove(run.job.id)
            order.append(run.job.id)

    run_until_over(database, blobs, count=watch)
    assert order == expected
    assert all(job.state == "completed" for job in Jobs(database).find())


def test_jobs_of_different_lists_run_at_once(database: Database, blobs: Blobs, account: Account) -> None:
    together = threading.Barrier(2, timeout=10)
    for name in ("one", "two"):
        add(database, account, list_id=Lists(database).create(account.id, name).id)

    def meet(run: Run) -> None:
        together.wait()

    run_until_over(database, blobs, count=meet)
    assert [job.state for job in Jobs(database).find()] == ["completed", "completed"]


def test_cancelling(database: Database, blobs: Blobs, account: Account) -> None:
    jobs = Jobs(database)
    running, queued = add(database, account), add(database, account, kind="nobody_does_this")
    begun = threading.Event()

    def endless(run: Run) -> None:
        while True:
            with run.chunk() as chunk:
                chunk.count(done=1)
            begun.set()

    worker = Worker(database, blobs, {"count": endless}, idle=0.01)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        assert begun.wait(10)
        assert jobs.cancel([account.id], running)
        assert jobs.cancel([account.id], queued)
        end = time.monotonic() + 10
        while not all(job.over for job in jobs.find()) and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        worker.stop()
        thread.join()
    job = jobs.get([account.id], running)
    assert job is not None
    assert job.state == "cancelled"
    assert job.counters["done"] >= 1
    assert not jobs.cancel([account.id], running)


def test_a_stopped_worker_gives_its_job_back(database: Database, blobs: Blobs, account: Account) -> None:
    job_id = add(database, account)
    begun, go_on = threading.Event(), threading.Event()

    def slow(run: Run) -> None:
        with run.chunk() as chunk:
            chunk.checkpoint = {"next": 1}
            chunk.count(done=1)
        begun.set()
        go_on.wait(10)
        count_to_three(run)

    worker = Worker(database, blobs, {"count": slow}, idle=0.01)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert begun.wait(10)
    worker.stop()
    go_on.set()
    thread.join()
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    assert (job.state, job.checkpoint) == ("queued", {"next": 1})
    run_until_over(database, blobs, count=count_to_three)
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    assert (job.state, job.counters) == ("completed", {"done": 3})


@pytest.mark.parametrize("lateness", ["chunk", "end"])
def test_an_attempt_that_was_taken_over_changes_nothing(
    database: Database, blobs: Blobs, account: Account, lateness: str
) -> None:
    jobs = Jobs(database)
    job_id = add(database, account)
    first = jobs.claim("first", ["count"], timedelta(seconds=30))
    assert first is not None
    jobs.expire_leases()
    second = jobs.claim("second", ["count"], timedelta(seconds=30))
    assert second is not None
    assert (second.id, second.attempt) == (job_id, 2)
    late = Run(database, blobs, first, lease=timedelta(seconds=30), stopping=lambda: False)

    def act() -> None:
        if lateness == "end":
            late.complete()
        with late.chunk() as chunk:
            chunk.count(done=1)

    with pytest.raises(LeaseLost):
        act()
    job = jobs.get([account.id], job_id)
    assert job is not None
    assert (job.state, job.counters, job.worker) == ("running", {}, "second")


def test_a_worker_never_takes_over_a_job_of_its_own(database: Database, blobs: Blobs, account: Account) -> None:
    """However late its leases are prolonged: what the job does right now may hold the writer's place for longer."""
    jobs = Jobs(database)
    job_id = add(database, account)

    def keep_the_place(run: Run) -> None:
        for number in range(3):
            with run.chunk() as chunk:
                chunk.checkpoint = {"next": number}
                time.sleep(0.5)
            # Longer than the lease; its renewal, which is due meanwhile, fails.
            jobs.expire_leases()
            time.sleep(0.1)

    worker = Worker(database, blobs, {"count": keep_the_place}, idle=0.01, lease=timedelta(seconds=30))
    worker.run(until=lambda: all(job.over for job in jobs.find()))
    job = jobs.get([account.id], job_id)
    assert job is not None
    assert (job.state, job.attempt, job.crashes) == ("completed", 1, 0)


def test_a_job_whose_lease_is_prolonged_while_a_claim_waits_is_not_taken_over(
    database: Database, blobs: Blobs, account: Account
) -> None:
    """On PostgreSQL a claim waits for the row of a job whose lease expires while its worker begins a chunk."""
    jobs = Jobs(database)
    job_id = add(database, account)
    first = jobs.claim("first", ["count"], timedelta(seconds=30))
    assert first is not None
    jobs.expire_leases()
    Heartbeats(database).begin("first")
    run = Run(database, blobs, first, lease=timedelta(seconds=30), stopping=lambda: False)
    taken: list[object] = []
    second = threading.Thread(target=lambda: taken.append(jobs.claim("second", ["count"], timedelta(seconds=30))))
    with run.chunk() as chunk:
        chunk.count(done=1)
        second.start()
        time.sleep(0.5)
    second.join()
    job = jobs.get([account.id], job_id)
    assert job is not None
    assert taken == [None]
    assert (job.attempt, job.worker, job.counters) == (1, "first", {"done": 1})


def test_a_look_for_jobs_where_there_are_none_waits_for_no_chunk(
    database: Database, blobs: Blobs, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "patience", 0.5)
    jobs = Jobs(database)
    add(database, account)
    first = jobs.claim("first", ["count"], timedelta(seconds=30))
    assert first is not None
    run = Run(database, blobs, first, lease=timedelta(seconds=30), stopping=lambda: False)
    with run.chunk() as chunk:
        chunk.count(done=1)
        assert jobs.claim("first", ["count"], timedelta(seconds=30), but=[first.id]) is None


def test_a_chunk_that_outlasts_the_lease_prolongs_it(database: Database, blobs: Blobs, account: Account) -> None:
    """From its end, not from its beginning: the job is still its worker's when the chunk is stored."""
    jobs = Jobs(database)
    add(database, account)
    first = jobs.claim("first", ["count"], timedelta(seconds=30))
    assert first is not None
    lease = timedelta(seconds=30)
    run = Run(database, blobs, first, lease=lease, stopping=lambda: False)
    with run.chunk() as chunk:
        chunk.count(done=1)
        time.sleep(0.2)
        ended = now()
    with database.read() as connection:
        [until] = connection.execute(select(job_table.c.lease_until)).scalars()
    assert until >= ended + lease


def test_chores_are_done_at_the_start_and_a_failing_one_harms_nothing(
    database: Database, blobs: Blobs, account: Account
) -> None:
    done = threading.Event()

    def fail() -> None:
        raise RuntimeError

    worker = Worker(database, blobs, {"count": count_to_three}, idle=0.01, maintenance=[fail, done.set])
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        assert done.wait(10)
        job_id = add(database, account)
        end = time.monotonic() + 10
        while not all(job.over for job in Jobs(database).find()) and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        worker.stop()
        thread.join()
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert job.state == "completed"


def test_inputs_are_forgotten_after_their_time(database: Database, blobs: Blobs, account: Account) -> None:
    """mm-69, lk-82: the job's record stays."""
    jobs = Jobs(database)
    with database.write(durable=True) as connection:
        job_id = jobs.add(connection, account_id=account.id, kind="count", blob=blobs.new().keep(), blob_size=1)

    def fail(run: Run) -> None:
        raise JobFailed("no")

    run_until_over(database, blobs, count=fail)
    jobs.forget_inputs(now() - timedelta(days=30))
    assert len(jobs.blobs_in_use()) == 1
    jobs.forget_inputs(now())
    assert jobs.blobs_in_use() == []
    job = jobs.get([account.id], job_id)
    assert job is not None
    assert job.state == "failed"
    assert not jobs.retry([account.id], job_id)


@pytest.mark.parametrize("delay", [timedelta(0), timedelta(hours=1)])
def test_a_job_cancelled_after_its_last_chunk_ends_instead_of_waiting(
    database: Database, blobs: Blobs, account: Account, delay: timedelta
) -> None:
    """A cancelled send would else wait for its next retry, for hours, before it ends."""
    job_id = add(database, account)

    def wait(run: Run) -> None:
        with run.chunk() as chunk:
            chunk.count(done=1)
        assert Jobs(database).cancel([account.id], job_id)
        raise Snooze(delay, "The server is away.") if delay else Stopped

    run_until_over(database, blobs, count=wait)
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    # The second attempt may still have to store what the first one left.
    assert (job.state, job.error, job.counters, job.attempt) == ("cancelled", "", {"done": 1}, 2)
    assert job.finished_at is not None
    assert job.lease_until is None
    assert Jobs(database).events(job_id)[-1].state == "cancelled"


@pytest.mark.parametrize("end", [None, JobFailed("no")], ids=["completed", "failed"])
def test_a_job_that_ends_is_not_paused(
    database: Database, blobs: Blobs, account: Account, end: JobFailed | None
) -> None:
    job_id = add(database, account)

    def finish(run: Run) -> None:
        assert Jobs(database).pause([account.id], job_id)
        if end is not None:
            raise end

    run_until_over(database, blobs, count=finish)
    job = Jobs(database).get([account.id], job_id)
    assert job is not None
    assert (job.state, job.paused) == ("completed" if end is None else "failed", False)


def test_a_job_paused_after_its_last_chunk_waits_until_it_is_resumed(
    database: Database, blobs: Blobs, account: Account
) -> None:
    job_id = add(database, account)
    jobs, attempts = Jobs(database), list[int]()

    def stop_once(run: Run) -> None:
        attempts.append(run.job.attempt)
        if len(attempts) == 1:
            assert jobs.pause([account.id], job_id)
            raise Stopped

    for _ in range(2):
        Worker(database, blobs, {"count": stop_once}, idle=0.01).run(until=lambda: True)
        assert attempts == [1]
    assert jobs.pause([account.id], job_id, paused=False)
    run_until_over(database, blobs, count=stop_once)
    assert attempts == [1, 2]
