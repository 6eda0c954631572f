"""Fixtures of tests with real imports in one worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from soapstone.accounts.account import Account
from soapstone.imports.imports import Imports
from soapstone.imports.runner import run_import
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Chunk, Run, Runner
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import IMPORTS

PEOPLE = ImportSpec(columns=(Column(index=0, target="email"), Column(index=1, target="first_name")), known="overwrite")
# Small chunks: even a small file is merged in several.
CHUNK_ROWS = 10


class Office:
    """One worker at a time that does real imports, and what its tests want to know and to do."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self.database = database
        self.jobs = Jobs(database)
        self.imports = Imports(database, blobs, self.jobs)
        # Numbers of jobs in the order in which they were begun, one for each attempt.
        self.begun: list[int] = []
        # Called with the run when an attempt begins, in the thread that does it.
        self.begin: Callable[[Run], object] = lambda run: None
        self.worker: Worker
        self.blobs = blobs

    def submit(self, account: Account, contact_list: ContactList | None, data: bytes, spec: ImportSpec = PEOPLE) -> int:
        """Queue an import and tell its number."""
        upload = self.blobs.new()
        upload.write(data)
        job = self.imports.submit(
            account=account, login=None, contact_list=contact_list, upload=upload, spec=spec, label="people.csv"
        )
        return job.id

    def job(self, number: int) -> Job:
        """The job as it stands."""
        job = self.jobs.get(None, number)
        assert job is not None
        return job

    def all(self) -> list[Job]:
        """All jobs by their numbers."""
        return self.jobs.find(ascending=True, limit=1000)

    def work(self, *, slots: int = 4) -> None:
        """Work until every job is over, or until the worker is stopped."""
        self._worker(slots).run(until=lambda: all(job.over for job in self.all()))

    @contextmanager
    def working(self, *, slots: int = 4) -> Iterator[None]:
        """Work in another thread meanwhile."""
        thread = threading.Thread(target=self._worker(slots).run)
        thread.start()
        try:
            yield
        finally:
            self.worker.stop()
            thread.join()

    def _worker(self, slots: int) -> Worker:
        runner: Runner = partial(self._run)
        self.worker = Worker(self.database, self.blobs, dict.fromkeys(IMPORTS, runner), slots=slots, idle=0.05)
        return self.worker

    def _run(self, run: Run) -> None:
        self.begun.append(run.job.id)
        self.begin(run)
        run_import(run, chunk_rows=CHUNK_ROWS)


@pytest.fixture
def office(database: Database, blobs: Blobs) -> Office:
    return Office(database, blobs)


@pytest.fixture
def on_chunk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Run], object]], None]:
    """Have something done behind every chunk that was committed, in the thread of its job."""
    chunk = Run.chunk

    def install(act: Callable[[Run], object]) -> None:
        @contextmanager
        def watched(run: Run, **how: bool) -> Iterator[Chunk]:
            with chunk(run, **how) as made:
                yield made
            act(run)

        monkeypatch.setattr(Run, "chunk", watched)

    return install


def wait_for(happened: Callable[[], object]) -> None:
    """Look again and again until something has happened."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)
