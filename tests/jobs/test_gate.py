"""A gate holds jobs back without a trace, and jobs that rest take no slot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from tests.jobs.conftest import wait_for

from soapstone.accounts.account import Account
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Run
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import Lists
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database


class Held:
    """A gate that is told which jobs it holds back, and how many rest."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = set(numbers)
        self.resting = 0
        # Whether it is closed to them before they are claimed, or says no to the claim alone.
        self.says_before = False
        self.asked: list[int] = []
        self.wake: Callable[[], None]

    def attach(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def closed_to(self) -> Collection[int]:
        return self.numbers if self.says_before else ()

    def may_begin(self, job: Job) -> bool:
        self.asked.append(job.id)
        self.says_before |= job.id in self.numbers
        return job.id not in self.numbers


def add(database: Database, account: Account, list_id: int | None = None) -> int:
    with database.write(durable=True) as connection:
        return Jobs(database).add(connection, account_id=account.id, kind="work", list_id=list_id)


def nothing(run: Run) -> None:
    pass


def test_a_job_that_is_held_back_stays_as_it_was(database: Database, blobs: Blobs, account: Account) -> None:
    jobs, held, other = Jobs(database), add(database, account), add(database, account)
    before = jobs.get(None, held)
    gate = Held(held)
    worker = Worker(database, blobs, {"work": nothing}, idle=0.01, gate=gate)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_for(lambda: (job := jobs.get(None, other)) is not None and job.over)
        assert gate.asked == [held, other]
        assert jobs.get(None, held) == before
        assert [event.state for event in jobs.events(held)] == ["queued"]
        gate.numbers.clear()
        wait_for(lambda: (job := jobs.get(None, held)) is not None and job.over)
    finally:
        worker.stop()
        thread.join()
    job = jobs.get(None, held)
    assert job is not None
    assert (job.state, job.attempt) == ("completed", 1)
    assert [event.state for event in jobs.events(held)] == ["queued", "running", "completed"]


def test_a_worker_that_is_woken_looks_at_once(database: Database, blobs: Blobs, account: Account) -> None:
    jobs, held = Jobs(database), add(database, account)
    gate = Held(held)
    worker = Worker(database, blobs, {"work": nothing}, idle=60, gate=gate)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_for(lambda: gate.asked)
        gate.numbers.clear()
        gate.wake()
        wait_for(lambda: (job := jobs.get(None, held)) is not None and job.over)
    finally:
        worker.stop()
        thread.join()


def test_a_job_that_rests_takes_no_slot(database: Database, blobs: Blobs, account: Account) -> None:
    """Without the gate's word, the only slot would be taken."""
    jobs, gate, rested = Jobs(database), Held(), threading.Event()
    resting = add(database, account, Lists(database).create(account.id, "one").id)

    def rest(run: Run) -> None:
        if run.job.id == resting:
            gate.resting = 1
            gate.wake()
            assert rested.wait(30)

    worker = Worker(database, blobs, {"work": rest}, slots=1, idle=0.01, gate=gate)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_for(lambda: gate.resting)
        other = add(database, account, Lists(database).create(account.id, "two").id)
        wait_for(lambda: (job := jobs.get(None, other)) is not None and job.over)
        job = jobs.get(None, resting)
        assert job is not None
        assert job.state == "running"
    finally:
        rested.set()
        worker.stop()
        thread.join()
