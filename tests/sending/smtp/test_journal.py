"""The journal of an attempt: whatever it was doing when it ended, the next one knows what the server may have."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from tests.sending.scripted import Said, ScriptedServer

from soapstone.accounts.link_keys import LinkKeys
from soapstone.clock import Shift, now, shifted
from soapstone.jobs.job import Job
from soapstone.jobs.run import LeaseLost, Run
from soapstone.jobs.worker import MOST_CRASHES, Worker
from soapstone.sending.mail.builder import MailOptions
from soapstone.sending.runner import SendRunner
from soapstone.sending.signed_links import Links
from soapstone.sending.smtp import delivery, delivery_log, journal
from soapstone.sending.smtp.journal import Heard, Journal, JournalError
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.server import SmtpServer
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, jobs
from soapstone.store.transient_errors import RecordsUnavailable

TAKEN = Outcome(verdict=Verdict.ACCEPTED, stage=Stage.CONTENT, reply="250 2.0.0 Zoë is glad")
LATER = Outcome(verdict=Verdict.DEFERRED, stage=Stage.RCPT, reply="450 4.2.1 busy")

ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def written(office: Any) -> Iterator[Journal]:
    """The journal of a running send."""
    office.contact("ann@example.com")
    office.to_list()
    made = Journal(office.database, office.jobs.find()[0])
    yield made
    made.close()


def heard(database: Database, name: str) -> dict[int, Outcome | None]:
    found = journal.take_over(database, name)
    assert found is not None
    return {number: each and each.outcome for number, each in found.items()}


@ONLY_SQLITE
def test_the_last_word_about_a_mail_counts(office: Any, written: Journal) -> None:
    moment = now()
    written.intend(1)
    written.intend(2)
    written.note(1, TAKEN, moment)
    written.note(3, LATER, moment)
    assert journal.take_over(office.database, written.name) == {
        1: Heard(TAKEN, moment),
        2: None,
        3: Heard(LATER, moment),
    }


@ONLY_SQLITE
def test_a_mail_that_is_taken_again_begins_anew(office: Any, written: Journal) -> None:
    """What the file says of its last attempt is in the ledger; what is open of others is kept."""
    written.intend(1)
    written.note(1, LATER, now())
    written.intend(2)
    written.settle([1])
    written.begin([1])
    assert heard(office.database, written.name) == {2: None}


@ONLY_SQLITE
def test_a_journal_does_not_grow_with_the_send(office: Any, written: Journal) -> None:
    path = journal._folder(office.database) / written.name
    for number in range(1, 10_001):
        written.intend(number)
        written.note(number, TAKEN, now())
        if number % 100 == 0:
            written.settle(range(number - 99, number))
            written.begin([number + 1])
    assert path.stat().st_size < 1.1 * journal.MOST_BYTES
    assert heard(office.database, written.name)[10_000] == TAKEN
    assert list(path.parent.iterdir()) == [path]


@ONLY_SQLITE
def test_a_journal_whose_folder_was_removed_is_written_anew(office: Any, written: Journal) -> None:
    written.intend(1)
    shutil.rmtree(journal._folder(office.database))
    written.begin([1])
    written.intend(2)
    assert written.trouble is None
    assert heard(office.database, written.name) == {1: None, 2: None}


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([None, TAKEN, LATER])), max_size=8))
@settings(max_examples=30)
def test_a_journal_that_ends_in_the_middle_of_a_record_says_what_was_written_before(
    said: list[tuple[int, Outcome | None]],
) -> None:
    """Torn at every byte, and with zeros, or with other bytes, in place of the rest."""
    parts = []
    for number, outcome in said:
        kind = journal._INTENT_KIND if outcome is None else journal._OUTCOME_KIND
        if outcome is None:
            content = journal._NUMBER.pack(kind, number)
        else:
            codes = journal._VERDICTS.index(outcome.verdict), journal._STAGES.index(outcome.stage)
            content = journal._OUTCOME.pack(kind, number, 0, *codes) + outcome.reply.encode()
        parts.append(journal._record(content))
    whole = b"".join(parts)
    ends = [sum(map(len, parts[:count])) for count in range(len(parts) + 1)]
    for end in range(len(whole) + 1):
        for rest in (b"", bytes(len(whole) - end)):
            data = whole[:end] + rest
            # Zeros may be what stood there.
            count = max(place for place, each in enumerate(ends) if data[:each] == whole[:each])
            found = [(number, each and each.outcome) for number, each in journal.read(data)]
            assert found == said[:count]


@ONLY_SQLITE
def test_an_attempt_that_was_taken_over_sends_nothing_that_the_next_one_does_not_know(
    office: Any, written: Journal
) -> None:
    written.intend(1)
    assert heard(office.database, written.name) == {1: None}
    with pytest.raises(JournalError):
        written.intend(2)
    assert isinstance(written.trouble, LeaseLost)


@ONLY_SQLITE
def test_an_attempt_that_only_notes_outcomes_after_it_was_taken_over_sends_nothing_more(
    office: Any, written: Journal
) -> None:
    written.intend(1)
    assert heard(office.database, written.name) == {1: None}
    written.note(1, TAKEN, now())
    with pytest.raises(JournalError):
        written.intend(2)
    assert isinstance(written.trouble, LeaseLost)


@ONLY_SQLITE
def test_an_attempt_that_was_taken_over_notices_it_when_it_writes_its_journal_anew(
    office: Any, written: Journal
) -> None:
    written.intend(1)
    assert heard(office.database, written.name) == {1: None}
    written.begin([1])
    assert isinstance(written.trouble, LeaseLost)
    with pytest.raises(JournalError):
        written.intend(1)


@ONLY_SQLITE
def test_a_journal_that_is_written_anew_while_it_is_taken_over_is_read_again(
    office: Any, written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.intend(1)
    write, times = os.write, 0

    def writing(file: int, data: bytes) -> int:
        nonlocal times
        times += 1
        if times == 1:
            # The writer goes on before the mark is in the file.
            written.begin([1])
            written.intend(2)
        return write(file, data)

    monkeypatch.setattr(os, "write", writing)
    found = heard(office.database, written.name)
    monkeypatch.undo()
    assert found == {1: None, 2: None}
    with pytest.raises(JournalError):
        written.intend(3)


@ONLY_SQLITE
def test_a_mail_whose_intent_does_not_fit_on_the_disk_is_not_sent(
    office: Any, written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.intend(1)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
    with pytest.raises(JournalError):
        written.intend(2)
    monkeypatch.undo()
    assert isinstance(written.trouble, RecordsUnavailable)
    with pytest.raises(JournalError):
        written.intend(3)
    assert heard(office.database, written.name) == {1: None}


@ONLY_SQLITE
def test_a_journal_that_cannot_be_written_anew_leaves_no_file_open(
    office: Any, written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.intend(1)
    opened: list[int] = []
    create, write = journal._create, os.write

    def creating(path: Path) -> int:
        opened.append(create(path))
        return opened[-1]

    monkeypatch.setattr(journal, "_create", creating)
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
    written.begin([1])
    monkeypatch.undo()
    assert isinstance(written.trouble, RecordsUnavailable)
    (file,) = opened
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


# --- whole sends -----------------------------------------------------------------------------------------------------


class Copy:
    """The records and the journal as they were at a moment, and how many mails the server had accepted."""

    def __init__(self, office: Any, folder: Path, server: ScriptedServer) -> None:
        self._path: Path = office.database.path
        self._copy = folder / f"{len(list(folder.iterdir()))}.sqlite"
        with closing(sqlite3.connect(self._path)) as source, closing(sqlite3.connect(self._copy)) as target:
            source.backup(target)
        place = journal._folder(office.database)
        self.journals = {path.name: path.read_bytes() for path in place.iterdir()}
        self.accepted = list(server.accepted)

    def restore(self, office: Any, *, cut: int = 0) -> None:
        """Let it be as it was, without the last bytes of the journal."""
        office.database.engine.dispose()
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self._copy, self._path)
        place = journal._folder(office.database)
        shutil.rmtree(place)
        place.mkdir()
        for name, content in self.journals.items():
            (place / name).write_bytes(content[: len(content) - cut])


def begin(
    office: Any,
    server: ScriptedServer,
    people: int,
    connections: int,
    parts: dict[str, str] | None = None,
    options: MailOptions | None = None,
) -> Any:
    smtp = SmtpServer(server.address, connections=connections, local_hostname="c.example")
    office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp, options=options)
    for number in range(people):
        office.contact(f"p{number}@example.com")
    return office.to_list(**(parts or {}))


def copies(office: Any, folder: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> list[Copy]:
    """Copies after each record that the journal got, made during the send. Its batches grow, however slow it is."""
    made: list[Copy] = []
    append = Journal._append
    folder.mkdir()

    def appending(self: Journal, number: int, record: bytes) -> None:
        append(self, number, record)
        made.append(Copy(office, folder, server))

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_append", appending)
        patch.setattr(delivery, "BATCH_SECONDS", 3600.0)
        work_to_a_pause(office)
    return made


@ONLY_SQLITE
@pytest.mark.parametrize("connections", [1, 3])
def test_a_send_that_is_killed_between_two_records_misses_nobody_and_repeats_only_intents(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    people = 14

    def answer(said: Said) -> bytes | None:
        return b"450 busy" if said.recipient == "p3@example.com" and said.stage == "RCPT" else None

    with ScriptedServer(answer) as server:
        ticket = begin(office, server, people, connections)
        made = copies(office, tmp_path / "copies", server, monkeypatch)
    several = 0
    for copy in made[:: max(1, len(made) // 16)]:
        copy.restore(office)
        (name,) = copy.journals
        known = heard(office.database, name)
        intents = {number for number, each in known.items() if each is None}
        in_hand = [row.id for row in office.rows(ticket) if row.state == "handing"]
        several += len(in_hand) > connections
        with ScriptedServer(lambda said: None) as server:
            smtp = SmtpServer(server.address, connections=connections, local_hostname="c.example")
            office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
            run_to_end(office)
        rows = office.rows(ticket)
        times = Counter([*copy.accepted, *server.accepted])
        for row in rows:
            assert row.state == "handed"
            assert 1 <= times[row.email] <= 1 + row.doubts
            assert row.doubts == (row.id in intents and row.id in in_hand)
        assert len(intents) <= connections
        assert office.job(ticket).counters == {"chosen": people, "skipped": 0, "handed": people} | {
            name: 0 for name in office.job(ticket).counters if name not in ("chosen", "skipped", "handed")
        }
        assert list(journal._folder(office.database).iterdir()) == []
    # Otherwise no batch was larger than what is under way anyhow.
    assert several


def run_to_end(office: Any) -> None:
    """As if time went by between the attempts: nothing is left to wait for."""
    for hours in (1, 2):
        with shifted(Shift(timedelta(hours=hours))):
            work_to_a_pause(office)
    assert all(job.over for job in office.jobs.find())


def work_to_a_pause(office: Any) -> None:
    """Run the jobs until none may run now: a recipient that is refused for now is due a minute later."""
    Worker(office.database, office.blobs, office.sender.runners, idle=0.05).run(until=lambda: True)


@ONLY_SQLITE
def test_a_journal_torn_at_any_byte_makes_nobody_lose_a_mail(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill leaves whole writes; whatever is missing at the end, the server had not been given the mail then."""
    with ScriptedServer(lambda said: None) as server:
        ticket = begin(office, server, 9, 1)
        made = copies(office, tmp_path / "copies", server, monkeypatch)
    # An intent is the last record: its mail has not been sent.
    copy = next(each for each in made if journal_ends_with_intent(each) and len(each.accepted) >= 3)
    (content,) = copy.journals.values()
    length = len(journal._record(journal._NUMBER.pack(1, 1)))
    for cut in range(1, length + 1):
        copy.restore(office, cut=cut)
        with ScriptedServer(lambda said: None) as server:
            smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
            office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
            office.work()
        assert Counter([*copy.accepted, *server.accepted]) == Counter(f"p{number}@example.com" for number in range(9))
        assert {(row.state, row.doubts) for row in office.rows(ticket)} == {("handed", 0)}
    assert content


def journal_ends_with_intent(copy: Copy) -> bool:
    (content,) = copy.journals.values()
    found = list(journal.read(content))
    return bool(found) and found[-1][1] is None


FOREIGN: dict[str, Callable[[Any, pytest.MonkeyPatch], object]] = {
    "another host": lambda office, patch: shutil.rmtree(journal._folder(office.database)),
    "another boot": lambda office, patch: patch.setattr(delivery_log, "boot_id", lambda: "later"),
    "no boot id": lambda office, patch: patch.setattr(delivery_log, "boot_id", lambda: ""),
}


@ONLY_SQLITE
@pytest.mark.parametrize("how", FOREIGN)
def test_where_the_journal_counts_for_nothing_all_mails_on_their_way_are_uncertain(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with ScriptedServer(lambda said: None) as server:
        ticket = begin(office, server, 30, 1)
        made = copies(office, tmp_path / "copies", server, monkeypatch)

    def in_hand() -> set[int]:
        return {row.id for row in office.rows(ticket) if row.state == "handing"}

    for copy in made[20::7]:
        copy.restore(office)
        if len(before := in_hand()) > 3:
            break
    FOREIGN[how](office, monkeypatch)
    with ScriptedServer(lambda said: None) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        office.work()
    rows = office.rows(ticket)
    assert {row.id for row in rows if row.doubts} >= before
    times = Counter([*copy.accepted, *server.accepted])
    assert all(1 <= times[row.email] <= 1 + row.doubts for row in rows)


@ONLY_SQLITE
def test_a_send_that_cannot_begin_again_does_not_forget_what_was_sent(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill the server starts without its address, which the mails need. That is mended later, and retried."""
    letter = {"html": "<a href='{{ unsubscribe_link }}'>no more</a>"}
    links = MailOptions(links=Links("https://lists.example", LinkKeys.single("key")))
    with ScriptedServer(lambda said: None) as server:
        ticket = begin(office, server, 30, 1, letter, links)
        made = copies(office, tmp_path / "copies", server, monkeypatch)
    # Whatever the batches were, some mails of one have been sent.
    copy = next(each for each in made[30:] if journal_ends_with_intent(each))
    copy.restore(office)
    with ScriptedServer(lambda said: None) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        office.work()
        assert "SOAPSTONE_PUBLIC_URL" in office.job(ticket).error
        # As the hourly maintenance does.
        office.sender.sweep()
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp, options=links)
        assert office.jobs.retry(None, ticket.job.id)
        office.work()
    times = Counter([*copy.accepted, *server.accepted])
    assert times == Counter(f"p{number}@example.com" for number in range(30))
    assert office.job(ticket).state == "completed"


def left_behind(office: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Copy]:
    """A send of one client, of 30 mails, as it is when its worker dies after many of them, and what it had sent."""
    with ScriptedServer(lambda said: None) as server:
        ticket = begin(office, server, 30, 1)
        made = copies(office, folder, server, monkeypatch)
    copy = next(each for each in made[30:] if journal_ends_with_intent(each))
    copy.restore(office)
    return ticket, copy


@contextmanager
def another_server(office: Any) -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda said: None) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        yield server


@ONLY_SQLITE
def test_a_send_that_is_given_up_after_crashes_does_not_forget_what_was_sent(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker died ten times before it could store anything; the send is retried when that is mended."""
    ticket, copy = left_behind(office, tmp_path / "copies", monkeypatch)
    with office.database.write() as connection:
        connection.execute(update(jobs).values(deaths=MOST_CRASHES))
    with another_server(office) as server:
        office.work()
        assert office.job(ticket).state == "failed"
        assert "died" in office.job(ticket).error
        # As the hourly maintenance does.
        office.sender.sweep()
        assert office.jobs.retry(None, ticket.job.id)
        office.work()
    assert Counter([*copy.accepted, *server.accepted]) == Counter(f"p{number}@example.com" for number in range(30))
    assert office.job(ticket).state == "completed"
    assert list(journal._folder(office.database).iterdir()) == []


@ONLY_SQLITE
@pytest.mark.parametrize("state", ["running", "queued", "failed"])
def test_records_that_are_moved_need_no_journal(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """A killed send, one that could not store its results, and one that was given up."""
    ticket, copy = left_behind(office, tmp_path / "copies", monkeypatch)
    ended = {"finished_at": now(), "error": "Its worker died."} if state == "failed" else {}
    with office.database.write() as connection:
        connection.execute(update(jobs).values(state=state, **ended))
    delivery_log.adopt_all(office.database, office.blobs, Retries())
    job = office.job(ticket)
    assert (job.state, job.error, "journal" in job.checkpoint) == (state, ended.get("error", ""), False)
    assert (job.finished_at is None) == (state != "failed")
    shutil.rmtree(journal._folder(office.database))
    with another_server(office) as server:
        assert office.jobs.retry(None, ticket.job.id) == (state == "failed")
        office.jobs.expire_leases()
        office.work()
    # The one whose intent alone is known is tried again.
    sent = Counter([*copy.accepted, *server.accepted])
    assert len(sent) == 30
    assert sent.total() <= 31
    assert office.job(ticket).state == "completed"


@ONLY_SQLITE
@pytest.mark.parametrize("how", ["during its attempt", "while it waits"])
def test_a_send_that_is_cancelled_stores_first_what_was_sent(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It could not store the last results, since the disk was full."""
    ticket, copy = left_behind(office, tmp_path / "copies", monkeypatch)
    office.jobs.expire_leases()
    run = Run(office.database, office.blobs, office.job(ticket), lease=timedelta(0), stopping=lambda: False)
    if how == "during its attempt":
        assert office.jobs.cancel(None, ticket.job.id)
    run.release(timedelta(hours=1), "The disk is full.")
    if how == "while it waits":
        assert office.jobs.cancel(None, ticket.job.id)
    with another_server(office) as server:
        office.work()
        office.sender.sweep()
    job = office.job(ticket)
    assert (job.state, server.accepted) == ("cancelled", [])
    with office.database.read() as connection:
        states = Counter(connection.execute(select(deliveries.c.state)).scalars())
    assert states["handing"] == 0
    assert states["handed"] >= len(copy.accepted) - 1
    assert list(journal._folder(office.database).iterdir()) == []


@ONLY_SQLITE
def test_a_folder_that_takes_over_gets_what_the_server_surely_does_not_have(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(lambda said: None) as server:
        ticket = begin(office, server, 14, 1)
        made = copies(office, tmp_path / "copies", server, monkeypatch)
    copy = next(each for each in made if journal_ends_with_intent(each) and len(each.accepted) >= 4)
    copy.restore(office)
    office.sender = SendRunner(office.database, office.mail, office.drafts)
    office.work()
    rows = office.rows(ticket)
    (unknown,) = [row for row in rows if row.state == "uncertain"]
    assert (unknown.doubts, unknown.next_try_at) == (1, None)
    others = {row.email for row in rows if row.state == "handed"}
    assert len(others) == 13
    assert office.mails().keys() == others - set(copy.accepted)
    counters = {name: count for name, count in office.job(ticket).counters.items() if count}
    assert counters["handed"] == 13
    assert counters["uncertain"] == 1


@ONLY_SQLITE
def test_journals_of_sends_that_are_over_are_removed(office: Any) -> None:
    office.contact("ann@example.com")
    ticket = office.to_list()
    job: Job = office.job(ticket)
    left = Journal(office.database, job)
    left.close()
    office.sender.sweep()
    assert (journal._folder(office.database) / left.name).exists()
    office.work()
    office.sender.sweep()
    assert not (journal._folder(office.database) / left.name).exists()
