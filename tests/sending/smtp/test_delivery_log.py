"""Replies of the SMTP server that come in while others are being stored: none of them is forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event
from tests.sending.scripted import Said, ScriptedServer
from tests.sending.sink import fate
from tests.sending.smtp_trial import Sink

from soapstone.jobs.worker import Worker
from soapstone.sending.runner import SendRunner
from soapstone.sending.smtp.client import Finished, Reports, SmtpClient
from soapstone.sending.smtp.delivery_log import DeliveryLog
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import SmtpAddress


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    running = Sink(tmp_path / "accepted.jsonl", "--deferred", "50")
    yield running
    running.stop()


def test_a_refusal_for_now_that_comes_last_is_tried_again(
    office: Any, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last reply comes when the one before it is being stored, and it is one that asks to come again."""
    commit, put, send = DeliveryLog.commit, Reports.put, SmtpClient.send
    under_way = 0

    def sending(self: SmtpClient, *given: Any) -> None:
        nonlocal under_way
        under_way += 1
        send(self, *given)

    def putting(self: Reports, report: Any) -> None:
        nonlocal under_way
        under_way -= isinstance(report, Finished)
        put(self, report)

    def slowly(self: DeliveryLog, results: Sequence[Any], *given: Any, **how: Any) -> Any:
        end = time.monotonic() + 10
        while results and under_way and time.monotonic() < end:
            time.sleep(0.005)
        return commit(self, results, *given, **how)

    monkeypatch.setattr(SmtpClient, "send", sending)
    monkeypatch.setattr(Reports, "put", putting)
    monkeypatch.setattr(DeliveryLog, "commit", slowly)
    wanted, emails = {"", "deferred"}, []
    while wanted:
        if (what := fate(email := f"{uuid4().hex}@example.com", 50, 0)) in wanted:
            wanted.remove(what)
            emails.append(email)
            office.contact(email)
    ticket = office.to_list()
    server = SmtpServer(
        SmtpAddress.of(f"smtp://127.0.0.1:{sink.port}"),
        connections=2,
        rates=Rates(0, 0),
        retries=Retries(first=timedelta(seconds=4), limit=timedelta(hours=1)),
        timeout=10,
        local_hostname=None,
    )
    sender = SendRunner(office.database, office.mail, office.drafts, server=server)
    worker = Worker(office.database, office.blobs, sender.runners, idle=0.05)
    worker.run(until=lambda: office.job(ticket).over)
    assert office.job(ticket).state == "completed"
    assert {state for _, state, _ in office.ledger(ticket)} == {"handed"}
    assert sorted(line["to"] for line in sink.lines()) == sorted(emails)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_accounts_are_locked_before_mails(office: Any) -> None:
    """As by whoever takes a bounce: otherwise each could wait for the other."""

    def answer(said: Said) -> bytes | None:
        return b"550 5.1.1 unknown" if said.recipient == "p1@example.com" and said.stage == "RCPT" else None

    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    def commit(connection: Any) -> None:
        asked.append("COMMIT")

    for number in range(3):
        office.contact(f"p{number}@example.com")
    with ScriptedServer(answer) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        ticket = office.to_list()
        event.listen(office.database.engine, "before_cursor_execute", note)
        event.listen(office.database.engine, "commit", commit)
        Worker(office.database, office.blobs, office.sender.runners, idle=0.05).run(until=lambda: True)
        event.remove(office.database.engine, "before_cursor_execute", note)
        event.remove(office.database.engine, "commit", commit)
    assert sorted(row.state for row in office.rows(ticket)) == ["failed", "handed", "handed"]
    refused = 0
    for transaction in "\n".join(asked).split("COMMIT"):
        locks = transaction.find("SELECT id FROM account WHERE id IN (SELECT account_id FROM delivery")
        refused += locks >= 0
        assert locks < 0 or locks < transaction.index("UPDATE delivery SET state")
    assert refused
