"""A loss of power takes away what was committed but not on the disk: the ledger says of whom nobody knows."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from tests.sending.smtp_trial import Sink, message_uid

from soapstone.jobs.worker import Worker
from soapstone.sending.runner import SendRunner
from soapstone.sending.smtp import delivery_log, scheduling
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import SmtpAddress

PEOPLE, AHEAD, CONNECTIONS = 60, 10, 2


class Disk:
    """What is surely on the disk after each commit that waited for it, and how many mails were accepted meanwhile."""

    def __init__(self, office: Any, sink: Sink, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.copies: list[Path] = []
        # How many mails had been accepted when the next of these commits began.
        self.accepted: list[int] = []
        self._path: Path = office.database.path
        write = office.database.write

        @contextmanager
        def watched(*, durable: bool = False, **how: Any) -> Iterator[Connection]:
            if durable and self.copies:
                self.accepted.append(len(sink.lines()))
            with write(durable=durable, **how) as inner:
                yield inner
            if durable:
                copy = folder / f"{len(self.copies)}.sqlite"
                with closing(sqlite3.connect(self._path)) as source, closing(sqlite3.connect(copy)) as target:
                    source.backup(target)
                self.copies.append(copy)

        monkeypatch.setattr(office.database, "write", watched)

    def restore(self, number: int) -> None:
        """The power was lost just before the commit after that one."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.copies[number], self._path)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    running = Sink(tmp_path / "accepted.jsonl")
    yield running
    running.stop()


# On PostgreSQL every commit is on the disk.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("noticed", [True, False])
def test_who_may_have_a_mail_after_a_loss_of_power_is_uncertain(
    office: Any, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noticed: bool
) -> None:
    monkeypatch.setattr(scheduling, "READ_AHEAD", AHEAD)
    monkeypatch.setattr(delivery_log, "boot_id", lambda: "first")
    server = SmtpServer(SmtpAddress.of(f"smtp://127.0.0.1:{sink.port}"), connections=CONNECTIONS)
    office.sender = SendRunner(office.database, office.mail, office.drafts, server=server)
    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    disk = Disk(office, sink, tmp_path, monkeypatch)
    office.work()
    assert office.job(ticket).counters["handed"] == PEOPLE
    # Few commits wait for the disk: those of reservations, the first and the last.
    assert len(disk.copies) <= PEOPLE // (AHEAD // 2) + 4
    sent, missed = len(sink.lines()), 0
    for number, accepted in enumerate(disk.accepted[1:], 1):
        office.database.engine.dispose()
        disk.restore(number)
        with monkeypatch.context() as patch:
            patch.setattr(delivery_log, "boot_id", lambda: "second" if noticed else "first")
            office.work()
        lines = sink.lines()
        times = Counter(line["id"] for line in [*lines[:accepted], *lines[sent:]])
        sent = len(lines)
        job = office.job(ticket)
        rows = office.rows(ticket)
        assert {row.state for row in rows} == {"handed"}
        assert job.counters["handed"] == PEOPLE
        assert job.counters.get("uncertain", 0) == 0
        found = [(times[message_uid(ticket.message, row.id)], row.doubts) for row in rows]
        assert min(count for count, _ in found) >= 1
        missed += sum(count > 1 + doubts for count, doubts in found)
        assert sum(doubts for _, doubts in found) <= 2 * AHEAD + CONNECTIONS
    # Without the reservations mails would be sent twice of which the ledger knows nothing.
    assert (missed == 0) == noticed


def test_a_send_that_was_stopped_in_good_order_has_no_doubts(
    office: Any, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "boot_id", lambda: "first")
    server = SmtpServer(SmtpAddress.of(f"smtp://127.0.0.1:{sink.port}"), connections=CONNECTIONS)
    office.sender = SendRunner(office.database, office.mail, office.drafts, server=server)
    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    store, stores = delivery_log.DeliveryLog.commit, 0

    def pausing(self: Any, *given: Any, **named: Any) -> Any:
        nonlocal stores
        looked = store(self, *given, **named)
        stores += 1
        if stores == 5:
            office.jobs.pause(None, ticket.job.id)
        return looked

    monkeypatch.setattr(delivery_log.DeliveryLog, "commit", pausing)
    Worker(office.database, office.blobs, office.sender.runners, idle=0.05).run(until=lambda: True)
    assert 0 < len(sink.lines()) < PEOPLE
    monkeypatch.setattr(delivery_log, "boot_id", lambda: "second")
    office.jobs.pause(None, ticket.job.id, paused=False)
    office.work()
    assert [(row.state, row.doubts) for row in office.rows(ticket)] == [("handed", 0)] * PEOPLE
    assert len(sink.lines()) == PEOPLE
