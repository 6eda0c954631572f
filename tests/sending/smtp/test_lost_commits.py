"""The connection to the database breaks while a send commits: nothing is counted twice, whether it is stored or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.sending.conftest import Office
from tests.sending.sink import fate
from tests.sending.smtp_trial import Sink

from soapstone.jobs.run import Run, Runner
from soapstone.jobs.worker import Worker
from soapstone.sending.runner import SendRunner
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import SmtpAddress
from soapstone.store.database import Database
from soapstone.store.transient_errors import NO_ANSWER, RecordsUnavailable
from soapstone.tracking import figures
from soapstone.vocabulary.jobs import JobKind

SHARES = (25, 25)


class Breaking:
    """A database whose connection breaks once, behind the commit with this number."""

    def __init__(self, database: Database, broken: int) -> None:
        self._database = database
        self._left = broken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def write(self, **given: Any) -> Iterator[Any]:
        with self._database.write(**given) as connection:
            yield connection
        self._left -= 1
        if self._left == 0:
            raise RecordsUnavailable(NO_ANSWER, undone=False)

    @property
    def has_broken(self) -> bool:
        return self._left <= 0


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    found = Sink(tmp_path / "accepted.jsonl", "--deferred", str(SHARES[0]), "--refused", str(SHARES[1]))
    yield found
    found.stop()


@pytest.fixture
def sender(office: Office, sink: Sink) -> SendRunner:
    server = SmtpServer(
        SmtpAddress.of(f"smtp://127.0.0.1:{sink.port}"),
        connections=3,
        retries=Retries(first=timedelta(milliseconds=20)),
        local_hostname="client.example",
    )
    return SendRunner(office.database, office.mail, office.drafts, server=server)


def test_no_commit_counts_twice(office: Office, sender: SendRunner) -> None:
    """lk-108, mm-112"""
    has_broken, broken = True, 0
    while has_broken:
        broken += 1
        has_broken = _sent_with_a_break(office, sender, broken)
    assert broken > 5


def _sent_with_a_break(office: Office, sender: SendRunner, broken: int) -> bool:
    """Send once, with a break behind that commit of the first attempt; return whether there were so many."""
    # Others each time: who is refused twice is suppressed.
    people = [f"user{number}.{broken}@example.org" for number in range(20)]
    fates = Counter(fate(each, *SHARES) for each in people)
    opened: list[Breaking] = []

    def run(run: Run) -> None:
        if not opened:
            opened.append(Breaking(office.database, broken))
            run.database = opened[0]  # type: ignore[assignment]
        sender.run_file(run)

    ticket = office.to_file("\n".join(["EmailAddress", *people]))
    runners: dict[str, Runner] = {JobKind.SEND_TO_FILE: run}
    worker = Worker(office.database, office.blobs, runners, idle=0.01, shortest_wait=0.01)
    worker.run(until=lambda: all(job.over for job in office.jobs.find()))
    job, rows = office.job(ticket), office.rows(ticket)
    assert (job.state, job.error) == ("completed", ""), broken
    states = Counter(row.state for row in rows)
    assert states["failed"] == fates["refused"], broken
    assert [row.doubts for row in rows] == [0] * len(people), broken
    counted = {name: job.counters.get(name, 0) for name in ("handed", "failed", "skipped", "deferred", "uncertain")}
    assert counted == {name: states[name] for name in counted}, broken
    assert (len(rows), job.counters["chosen"]) == (len(people), len(people)), broken
    found = figures.of_sends(office.database, [job.id])[job.id]
    assert (found.sent, found.bounced) == (states["handed"] + states["failed"], states["failed"]), broken
    return opened[0].has_broken
