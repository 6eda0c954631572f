"""What servers say at which stage, and what follows for the mail, for the connection and for the send (RFC 5321)."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from tests.sending.scripted import DROP, Answer, Said, ScriptedServer

from soapstone.clock import clock
from soapstone.jobs.worker import Worker
from soapstone.sending.runner import SendRunner
from soapstone.sending.smtp.replies import Stage, Verdict, classify, enhanced_code
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.server import SmtpServer


@pytest.mark.parametrize("stage", Stage)
def test_within_a_stage_the_first_digit_decides(stage: Stage) -> None:
    """RFC 5321 4.2.1: a client need not know a code to understand it."""
    special = {530, 535, 538, *((534, 552, 555) if stage is Stage.MAIL else ())}
    for hundred in range(2, 6):
        verdicts = {
            classify(code, "", stage) for code in range(100 * hundred, 100 * hundred + 100) if code not in special
        }
        assert len(verdicts) == 1
    assert classify(199, "", stage) is classify(600, "", stage) is classify(None, "", stage)


@pytest.mark.parametrize(
    ("stage", "code", "text", "verdict"),
    [
        (Stage.GREETING, 554, "no SMTP service here", Verdict.BUSY),
        (Stage.LOGIN, 454, "4.7.0 temporary failure", Verdict.BUSY),
        (Stage.LOGIN, 535, "5.7.8 bad password", Verdict.REFUSES_WORK),
        (Stage.MAIL, 452, "4.5.3 too many messages", Verdict.BUSY),
        (Stage.MAIL, 553, "5.1.8 sender", Verdict.REFUSES_SENDER),
        (Stage.MAIL, 550, "5.2.3 too large", Verdict.FAILED),
        (Stage.MAIL, 554, "5.3.4 too large", Verdict.FAILED),
        (Stage.MAIL, 554, "5.3.40 something else", Verdict.REFUSES_SENDER),
        (Stage.MAIL, 534, "too large", Verdict.FAILED),
        (Stage.MAIL, 552, "too large", Verdict.FAILED),
        (Stage.RCPT, 530, "5.7.0 authentication required", Verdict.REFUSES_WORK),
        (Stage.RCPT, 451, "4.1.8 Domain of sender address does not resolve", Verdict.BUSY),
        (Stage.RCPT, 550, "5.1.8 Sender address rejected: Domain not found", Verdict.REFUSES_SENDER),
        (Stage.RCPT, 550, "5.1.1 User unknown", Verdict.FAILED),
        (Stage.RCPT, 252, "cannot verify", Verdict.ACCEPTED),
        (Stage.RCPT, 421, "closing", Verdict.DEFERRED),
        (Stage.CONTENT, 200, "fine", Verdict.ACCEPTED),
        (Stage.CONTENT, 552, "5.2.2 full", Verdict.FAILED),
        (Stage.CONTENT, 354, "go on", Verdict.UNKNOWN),
    ],
)
def test_the_stage_decides_what_a_reply_is_about(stage: Stage, code: int, text: str, verdict: Verdict) -> None:
    assert classify(code, enhanced_code(text), stage) is verdict


def send(
    office: Any, answer: Answer, people: int = 1, *, pipelining: bool = True, connections: int = 1, **retries: float
) -> tuple[Any, ScriptedServer]:
    """Send to so many people and work until the send is over or waits; its job and what the server heard."""
    for number in range(people):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    given = {name: timedelta(seconds=value) for name, value in {"first": 0.05, "limit": 1, **retries}.items()}
    with ScriptedServer(answer, pipelining=pipelining) as server:
        smtp = SmtpServer(server.address, connections=connections, retries=Retries(**given), local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05)
        worker.run(until=lambda: True)
    return ticket, server


def states(office: Any, ticket: Any) -> Counter[str]:
    return Counter(row.state for row in office.rows(ticket))


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("stage", ["RCPT", "DATA", "END"])
@pytest.mark.parametrize("reply", [b"421 4.3.2 closing", DROP])
def test_a_server_that_leaves_in_the_middle_of_a_mail_puts_it_off(
    office: Any, pipelining: bool, stage: str, reply: bytes
) -> None:
    """It was tried 30 times a second and without end; other people's mails go on meanwhile."""

    def answer(said: Said) -> bytes | None:
        return reply if said.stage == stage and said.recipient == "p0@example.com" else None

    ticket, server = send(office, answer, 4, pipelining=pipelining, first=60)
    rows = office.rows(ticket)
    assert [row.state for row in rows[1:]] == ["handed"] * 3
    unknown = stage == "END" and reply == DROP
    assert (rows[0].state, rows[0].attempts, rows[0].doubts) == (
        "uncertain" if unknown else "deferred",
        1,
        int(unknown),
    )
    assert len(server.times("RCPT", "p0@example.com")) == 1
    delay = office.job(ticket).due_at - office.job(ticket).started_at
    assert delay > timedelta(seconds=30)


@pytest.mark.parametrize("reply", [b"452 4.5.3 too many messages", b"421 4.7.0 too many messages", DROP])
def test_a_limit_of_mails_per_connection_puts_nothing_off(office: Any, reply: bytes) -> None:
    """OpenSMTPD answers 452 4.5.3 to each MAIL after the hundredth mail, and leaves the connection open."""
    ticket, server = send(office, lambda said: reply if said.stage == "MAIL" and said.accepted >= 5 else None, 23)
    assert [(row.state, row.attempts) for row in office.rows(ticket)] == [("handed", 1)] * 23
    assert server.connections == 5
    assert Counter(server.accepted).most_common(1)[0][1] == 1


def test_a_server_that_takes_nothing_for_now_is_left_alone(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses grow, nothing is counted against a recipient, and the send goes on by itself."""
    monkeypatch.setattr("soapstone.sending.smtp.availability.WITHOUT_SUCCESS", 1.0)
    monkeypatch.setattr("soapstone.sending.smtp.delivery.LONG_PAUSE", 0.5)
    refusing = True

    def answer(said: Said) -> bytes | None:
        nonlocal refusing
        refusing = said.connection < 6
        return b"450 4.3.2 try later" if said.stage == "MAIL" and refusing else None

    ticket, server = send(office, answer, 3)
    job = office.job(ticket)
    if not job.over:
        assert "takes no mail now: 450 4.3.2 try later" in job.error
        assert [(row.state, row.attempts) for row in office.rows(ticket)] == [("chosen", 0)] * 3
    greetings = server.times("GREETING")
    pauses = [after - before for before, after in pairwise(greetings)]
    assert pauses[0] > 0.1
    assert pauses[1] > 0.25
    assert len(greetings) <= 6


class Away:
    """A send to a server that takes nothing, tried once each time that it is due."""

    def __init__(self, office: Any, server: ScriptedServer, **retries: timedelta) -> None:
        self.office = office
        office.contact("ann@example.com")
        self.ticket = office.to_list()
        smtp = SmtpServer(server.address, connections=1, retries=Retries(**retries), local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        self.passed = timedelta()

    def run(self, after: timedelta = timedelta(minutes=20)) -> Any:
        """Let time pass and the send be tried; the job then."""
        self.passed += after
        with clock(lambda: datetime.now(UTC) + self.passed):
            Worker(self.office.database, self.office.blobs, self.office.sender.runners, idle=0.05).run(
                until=lambda: True
            )
        return self.office.job(self.ticket)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soapstone.sending.smtp.availability.WITHOUT_SUCCESS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_send_that_is_retried_waits_for_the_server_anew(office: Any) -> None:
    """It failed because the server was away for too long; the person who retries it may be a little early."""
    with ScriptedServer(lambda said: b"421 not now" if said.stage == "GREETING" else None) as server:
        away = Away(office, server, limit=timedelta(minutes=30))
        assert [away.run().state for _ in range(3)] == ["queued", "queued", "failed"]
        assert office.jobs.retry(None, away.ticket.job.id)
        assert [away.run().state for _ in range(3)] == ["queued", "queued", "failed"]


@pytest.mark.usefixtures("impatient")
def test_a_server_is_away_only_while_it_is_tried(office: Any) -> None:
    """A send that was paused for days, or whose worker was off, does not fail at the first refusal afterwards."""
    with ScriptedServer(lambda said: b"421 not now" if said.stage == "GREETING" else None) as server:
        away = Away(office, server)
        assert away.run().state == "queued"
        assert away.run(timedelta(days=3)).state == "queued"
        assert away.run(timedelta(minutes=20)).state == "queued"


@pytest.mark.parametrize(
    ("stage", "reply"),
    [("MAIL", b"530 5.7.0 log in first"), ("MAIL", b"553 5.1.8 no such sender"), ("RCPT", b"530 5.7.0 log in first")],
)
def test_a_server_that_refuses_to_work_stops_the_send(office: Any, stage: str, reply: bytes) -> None:
    """A forgotten password made 100,000 people `failed`, and the job `completed`."""
    ticket, server = send(office, lambda said: reply if said.stage == stage else None, 40, connections=4)
    job = office.job(ticket)
    assert job.state == "failed"
    assert f"refuses to work: {reply.decode()}" in job.error
    assert [(row.state, row.attempts, row.next_try_at) for row in office.rows(ticket)] == [("chosen", 0, None)] * 40
    assert len(server.times("MAIL")) <= 8
    # The operator mends it, and the send goes on where it stood.
    assert office.jobs.retry([office.account.id], job.id)
    with ScriptedServer(lambda said: None) as mended:
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=SmtpServer(mended.address))
        office.work()
    assert states(office, ticket) == {"handed": 40}
    assert sorted(mended.accepted) == sorted(f"p{number}@example.com" for number in range(40))


def test_a_refusal_of_one_sender_line_among_many_is_about_one_mail(office: Any) -> None:
    """Only a second refusal in a row speaks of the sender; who is refused twice has failed."""
    refused = 0

    def answer(said: Said) -> bytes | None:
        nonlocal refused
        if said.stage == "MAIL" and said.accepted == 2 and not refused:
            refused += 1
            return b"550 5.7.1 not this one"
        return None

    ticket, _ = send(office, answer, 5)
    assert states(office, ticket) == {"handed": 5}


def test_the_only_recipient_of_a_refused_sender_has_failed(office: Any) -> None:
    ticket, server = send(office, lambda said: b"550 5.7.1 not you" if said.stage == "MAIL" else None)
    assert [(row.state, row.reply) for row in office.rows(ticket)] == [("failed", "550 5.7.1 not you")]
    assert len(server.times("MAIL")) == 2


@pytest.mark.parametrize("reply", [b"552 5.3.4 too large", b"534 too large"])
def test_a_mail_that_is_too_large_has_failed_alone(office: Any, reply: bytes) -> None:
    ticket, _ = send(office, lambda said: reply if said.stage == "MAIL" else None, 3)
    assert office.job(ticket).state == "completed"
    assert states(office, ticket) == {"failed": 3}


def test_retries_wait_for_people_who_wait_for_their_first_attempt(office: Any) -> None:
    first: set[str] = set()

    def answer(said: Said) -> bytes | None:
        if said.stage == "RCPT" and said.recipient not in first:
            first.add(said.recipient)
            return b"450 4.2.0 later" if int(said.recipient[1:].partition("@")[0]) < 20 else None
        return None

    ticket, server = send(office, answer, 60, first=0.001, limit=60)
    assert states(office, ticket) == {"handed": 60}
    # In any order: a batch that is looked through again may go on with its next mail.
    assert set(server.accepted[:40]) == {f"p{number}@example.com" for number in range(20, 60)}


def test_a_connection_is_left_after_five_refusals_in_a_row(office: Any) -> None:
    """Postfix answers each further command a second later."""
    ticket, server = send(office, lambda said: b"550 5.1.1 unknown" if said.stage == "RCPT" else None, 20)
    assert states(office, ticket) == {"failed": 20}
    assert Counter(said.connection for said in server.said if said.stage == "RCPT") == {1: 5, 2: 5, 3: 5, 4: 5}


def test_a_connection_that_answers_slowly_after_a_refusal_is_left(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Courier takes 8 seconds for the first refusal, and twice as long for each further one on the connection."""
    monkeypatch.setattr("soapstone.sending.smtp.client.LONGEST_REFUSAL", 0.1)
    refused: Counter[int] = Counter()

    def answer(said: Said) -> bytes | None:
        if refused[said.connection]:
            time.sleep(1.5)
        if said.stage == "RCPT" and said.recipient in ("p1@example.com", "p2@example.com", "p3@example.com"):
            time.sleep(0.2)
            refused[said.connection] += 1
            return b"550 5.1.1 unknown"
        return None

    began = time.monotonic()
    ticket, server = send(office, answer, 6, pipelining=False)
    assert states(office, ticket) == {"handed": 3, "failed": 3}
    assert server.connections == 4
    assert set(refused.values()) <= {0, 1}
    assert time.monotonic() - began < 10
