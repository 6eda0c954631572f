"""Imports whose file is in a bucket: they read a copy, and wait while the bucket is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore

from soapstone.accounts.account import Account
from soapstone.imports.runner import run_import
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Cancelled, Run, Stopped
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList
from soapstone.store.blobs import Blobs
from soapstone.store.bucket import Bucket
from soapstone.store.bucket_blobs import PART, BucketBlobs
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import IMPORTS

SPEC = ImportSpec(columns=(Column(index=0, target="email"),))
ROWS = 600
# More than two parts.
FILE = b"".join(b"p%d@example.com,%s\n" % (row, b"x" * (PART // 250)) for row in range(ROWS))
GOOD = {"added": ROWS}


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """Blobs in a bucket, also those that the other fixtures use."""
    return BucketBlobs(tmp_path / "blobs", Bucket(MemoryStore()))


@pytest.fixture
def job(submit: Callable[..., Job], account: Account, newsletter: ContactList) -> Job:
    """An import of a file in the bucket."""
    return submit(account, newsletter, FILE, SPEC)


def claimed(database: Database, blobs: Blobs, stopping: Callable[[], bool] = lambda: False) -> Run:
    found = Jobs(database).claim("test", IMPORTS, timedelta(minutes=5))
    assert found is not None
    return Run(database, blobs, found, lease=timedelta(minutes=5), stopping=stopping)


def ended(database: Database, job: Job) -> Job:
    found = Jobs(database).get(None, job.id)
    assert found is not None
    assert found.over
    return found


def test_it_reads_a_copy_that_goes(database: Database, blobs: Blobs, job: Job, work_off: Callable[..., None]) -> None:
    work_off()
    done = ended(database, job)
    assert (done.state, {name: done.counters[name] for name in GOOD}) == ("completed", GOOD)
    assert list(blobs.folder.iterdir()) == []


def test_it_waits_for_the_bucket(database: Database, blobs: Blobs, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = obstore.get, list[str]()

    def failing(store: Any, key: str, *given: Any, **named: Any) -> Any:
        asked.append(key)
        if len(asked) in (2, 3):
            raise GenericError("a bucket that is away")
        return real(store, key, *given, **named)

    monkeypatch.setattr(obstore, "get", failing)
    worker = Worker(database, blobs, dict.fromkeys(IMPORTS, run_import), idle=0.05, shortest_wait=0.05)
    worker.run(until=lambda: all(each.over for each in Jobs(database).find()))
    done = ended(database, job)
    assert (done.state, {name: done.counters[name] for name in GOOD}) == ("completed", GOOD)
    assert done.attempt == 3
    assert list(blobs.folder.iterdir()) == []


def test_its_file_is_gone(database: Database, blobs: Blobs, job: Job, work_off: Callable[..., None]) -> None:
    blobs.remove(job.blob or "")
    work_off()
    failed = ended(database, job)
    assert (failed.state, failed.error) == ("failed", "The file of this import is gone.")
    assert not failed.counters


@pytest.mark.parametrize("asks", ["stop", "cancel"])
def test_it_heeds_requests_while_it_copies(database: Database, blobs: Blobs, job: Job, asks: str) -> None:
    parts: list[Path] = []

    def stopping() -> bool:
        """Ask in the middle of the copy."""
        copies = list(blobs.folder.glob("import-*/copy"))
        if not parts and copies and copies[0].stat().st_size >= PART:
            parts.extend(copies)
            if asks == "cancel":
                Jobs(database).cancel([job.account_id], job.id)
        return bool(parts) and asks == "stop"

    with pytest.raises(Stopped if asks == "stop" else Cancelled):
        run_import(claimed(database, blobs, stopping))
    assert parts
    # Its copy is gone, and nothing was read from it.
    assert list(blobs.folder.iterdir()) == []
    found = Jobs(database).get(None, job.id)
    assert found is not None
    assert not found.counters
