"""The delivery log of a send by SMTP: keeps the ledger correct even if the process dies.

That mails are on their way is committed before the server gets the first byte of them. On SQLite this is done for many
mails at once, and their journal (`journal`) says which of them the server may have; what it says outlives the process.
On PostgreSQL, where an attempt on another host may follow, a mail is committed for each idle connection, and the
server's reply before the same connection takes the next mail. Either way at most one mail per connection is `uncertain`
after a crash: its result is unknown. It is retried once, with the same Message-ID.

A power loss is worse than a crash: it loses the journal, and commits that are not yet on the disk. On SQLite a
commit waits for the disk only to store a reservation, once for some hundred recipients: the highest number whose mail
may go out. After a reboot, recipients up to that number that the disk has as `chosen` become `uncertain`, and so do all
whose mails were on their way. If reboots cannot be detected there is no journal; then, and for retries, each commit
waits for the disk.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, bindparam, select, update

from soapstone.clock import now
from soapstone.jobs.job import Job
from soapstone.jobs.run import Chunk, Run
from soapstone.sending import ledger
from soapstone.sending.final_check import Checked, FinalCheck
from soapstone.sending.ledger import Recipient
from soapstone.sending.smtp import journal as journals
from soapstone.sending.smtp.boot_id import boot_id
from soapstone.sending.smtp.journal import Journal
from soapstone.sending.smtp.replies import UNTOUCHED, Outcome, Stage, Verdict
from soapstone.sending.smtp.retries import Earlier, Retries, after
from soapstone.sending.smtp.scheduling import Progress
from soapstone.store.blobs import Blobs
from soapstone.store.bulk import among, listed, update_rows
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, jobs
from soapstone.store.timestamps import EPOCH, microseconds
from soapstone.store.wal_index import WalIndex
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import FinalResult, record_results
from soapstone.tracking.sent_mails import lock_accounts
from soapstone.vocabulary.jobs import SENDS

# Checkpoint keys while the server accepts nothing: since when, time of the last try, and how often in a row the
# send has gone back to the queue.
_AWAY = ("away_since", "away_at", "rests")

# The number of a mail, the columns of its Standing, and when it was sent.
_COLUMNS = ("id", "state", "attempts", "doubts", "reply", "next_try_at", "handed_at")


# A mail that the journal does not know.
_NOT_SENT = journals.Heard(Outcome(verdict=Verdict.BUSY, stage=Stage.MAIL, reply=""), EPOCH)


class Result(NamedTuple):
    """The outcome for the recipient of a row (or an Earlier) whose mail was on its way, and when it was known."""

    row: Any
    outcome: Outcome
    at: datetime


class DeliveryLog:
    """The log of one attempt at a send: commits which mails go out, and their results.

    `journal` is None where the next attempt could not read it.
    """

    def __init__(self, run: Run, final_check: FinalCheck, retries: Retries) -> None:
        self._run = run
        self._final_check = final_check
        self._retries = retries
        self._boot_id = boot_id() if run.database.kind == "sqlite" else ""
        self._begin = _beginning(run.database.kind)
        self.journal = Journal(run.database, run.job) if self._boot_id else None
        # The database's state in which the mails that are taken and not yet sent were checked.
        self._checked_in: int | None = None
        # The driver's connection that stored it.
        self._driver: Any = None
        # The WAL index, and a header of it at which that was the state.
        self._index = WalIndex(run.database.path) if self.journal and run.database.path else None
        self._unchanged = b""
        # Highest delivery id durably reserved for sending; 0 if none.
        self.reserved = 0

    def commit(
        self,
        results: Sequence[Result],
        beginning: Sequence[Recipient],
        progress: Progress,
        *,
        again: Sequence[Recipient] = (),
        refused_for: int | None,
        last_words: bool = False,
        durable: bool = False,
    ) -> Checked:
        """Store results and the recipients to send to next; return the final check of the latter.

        It is made `again` for recipients that were taken before. `refused_for` is as in Availability. `last_words`
        means that no mail is under way.
        """
        moment = now()
        first_tries = [row.id for row in beginning if row.state == "chosen"]
        tries_again = len(first_tries) < len(beginning)
        reserve = progress.read_to if self._boot_id and first_tries and max(first_tries) > self.reserved else 0
        durable = durable or tries_again or bool(reserve) or not self._boot_id
        checked, began = Checked(), 0.0
        with self._run.chunk(last_words=last_words, durable=durable) as chunk:
            if chunk.is_in_doubt:
                results = _on_their_way(chunk, results)
            _record(chunk, results, self._retries, moment)
            if checking := [*again, *beginning]:
                began = time.monotonic()
                checked = self._final_check.settle(chunk, checking)
                begin = [row.id for row in beginning if row.id not in checked.gone]
                numbers = listed(chunk.connection, begin)
                chunk.connection.execute(self._begin, {"numbers": numbers, "moment": moment})
                _uncount(chunk, beginning)
            works = any(result.outcome.took_up for result in results)
            dropped = (*(_AWAY if works else ()), "refused_for", *(("journal",) if last_words else ()))
            checkpoint = {name: value for name, value in chunk.checkpoint.items() if name not in dropped}
            checkpoint["place"] = progress.place
            if last_words:
                checkpoint["reserved"] = 0
            elif self.journal is not None:
                checkpoint |= {"journal": self.journal.name, "boot": self._boot_id}
            if reserve:
                checkpoint["reserved"] = reserve
            if refused_for is not None:
                # The last recipients of a send may come due one by one, each in an attempt of its own.
                checkpoint["refused_for"] = refused_for
            chunk.checkpoint = checkpoint
            if progress.all_begun:
                # Every mail has been built once.
                chunk.step = max(chunk.step, self._run.job.steps - 1)
            # If the process ends before it sends any of these mails, the next attempt takes them again.
            chunk.progress = bool(results) or self.journal is None
            self._driver = chunk.connection.connection.driver_connection
            version = self._version()
        if not progress.in_hand or again:
            self._checked_in = version
        self.reserved = reserve or self.reserved
        if self._run.database.kind != "sqlite":
            # On SQLite no other process can write before the commit.
            checked = replace(checked, age=time.monotonic() - began)
        return checked

    def is_current(self) -> bool:
        """Return whether nobody has changed the database since the mails in hand were checked, as far as known."""
        if self._index is None:
            return True
        header = self._index.header()
        if header and header == self._unchanged:
            # Mostly nobody has committed anything, not even the run.
            return True
        try:
            is_current = self._version() == self._checked_in
        except sqlite3.Error:
            return False
        if is_current:
            # It was read before, so what it shows is in this version.
            self._unchanged = header
        return is_current

    def holds(self, rows: Sequence[Recipient], moved: Mapping[int, str]) -> bool:
        """Return whether the final check of mails in hand gives the same again: these changed addresses, nobody gone.

        Raises what a chunk raises.
        """
        version = self._version()
        self._run.heed()
        with self._run.database.read() as connection:
            gone, found = self._final_check.check(connection, rows)
        if gone or moved != {number: email for number, (email, _) in found.items()}:
            return False
        self._checked_in = version
        return True

    @property
    def is_open(self) -> bool:
        """Whether the records name a reservation or a journal."""
        return self.reserved > 0 or "journal" in self._run.job.checkpoint

    def close(self) -> None:
        """Close the journal. Without last words it is kept: the next attempt reads it."""
        if self.journal is not None:
            self.journal.close(remove="journal" not in self._run.job.checkpoint)

    def _version(self) -> int | None:
        """Return what changes with each commit of other connections than that of the run; None on PostgreSQL."""
        if self.journal is None:
            return None
        version: int = self._driver.execute("PRAGMA data_version").fetchone()[0]
        return version

    @property
    def rests(self) -> int:
        """How often in a row the send has gone back to the queue because the server accepts nothing."""
        return int(self._run.job.checkpoint.get("rests", 0))

    def rest(self, longest_gap: float) -> bool:
        """Record that the send goes back to the queue; False if this has gone on for too long.

        `longest_gap`: seconds without a try after which the server no longer counts as continuously unavailable.
        """
        moment, rests, checkpoint = now().timestamp(), self.rests, self._run.job.checkpoint
        # While a send is paused or its worker is off, it does not try the server.
        was_tried = moment - checkpoint.get("away_at", moment) <= longest_gap
        since = checkpoint.get("away_since", moment) if was_tried else moment
        may_go_on = moment - since <= self._retries.limit.total_seconds()
        with self._run.chunk() as chunk:
            kept = {name: value for name, value in chunk.checkpoint.items() if name not in _AWAY}
            if may_go_on:
                kept |= {"away_since": since, "away_at": moment, "rests": rests + 1}
            # A failed send may be retried a little early.
            chunk.checkpoint = kept
            chunk.progress = False
        return may_go_on


def adopt(run: Run, retries: Retries) -> None:
    """Take over from the previous attempt: mails that it was sending, or may have sent, are uncertain.

    Its journal tells which of them it did not send, and the results of others.
    """
    checkpoint, database = run.job.checkpoint, run.database
    name, heard = checkpoint.get("journal", "") if database.kind == "sqlite" else "", None
    if name and checkpoint["boot"] == boot_id():
        heard = journals.take_over(database, name)
    mine = (deliveries.c.job_id == run.job.id) & deliveries.c.next_try_at.is_not(None)
    begun, lost = mine & (deliveries.c.state == "handing"), _lost_with_power(run)
    with run.chunk(last_words=True, durable=True) as chunk:
        results = _unknown(chunk, begun, "The sending process ended before the server's reply came.")
        if heard is not None:
            results = [_as_heard(result, heard) for result in results]
        if lost is not None:
            results += _unknown(chunk, lost, "The machine stopped before the server's reply was stored.")
        _record(chunk, results, retries, now(), at_once=True)
        kept = {key: value for key, value in checkpoint.items() if key not in ("journal", "reserved")}
        untouched = [row.id for row, outcome, _ in results if outcome.verdict in UNTOUCHED and row.state == "chosen"]
        if untouched:
            kept["place"] = min(kept["place"], min(untouched) - 1)
        chunk.checkpoint = kept
        chunk.progress = len(results) > len(untouched)
    if name:
        journals.forget(database, name)


def adopt_all(database: Database, blobs: Blobs, retries: Retries) -> None:
    """Take over from the last attempts of all sends that may go on, so that none of them needs its journal.

    For an installation without a worker: they were killed, given up, or wait since their results could not be stored.
    The sends stay in their states, and their next attempts go on from there.
    """
    query = select(jobs).where(jobs.c.state.in_(("queued", "running", "failed")), jobs.c.kind.in_(SENDS))
    with database.read() as connection:
        found = [Job.of(row) for row in connection.execute(query).mappings()]
    for job in found:
        if "journal" in job.checkpoint:
            run = Run(database, blobs, job, lease=timedelta(0), stopping=lambda: False, state=job.state)
            adopt(run, retries)


def release(run: Run, phase: str) -> None:
    """Hand unsent mails over to another transport, whose first phase is `phase`."""
    adopt(run, Retries())
    first, last = run.job.checkpoint["first"], run.job.checkpoint["last"]
    with run.chunk() as chunk:
        these = ledger.within(run.job.id, first - 1, last)
        at_no_time: dict[str, Any] = {"next_try_at": None}
        chunk.count(deferred=-ledger.move(chunk, these, "deferred", "chosen", **at_no_time))
        # No other transport retries them.
        ledger.move(chunk, these, "uncertain", "uncertain", **at_no_time)
        chunk.checkpoint = {**chunk.checkpoint, "phase": phase, "place": first - 1}


def _unknown(chunk: Chunk, these: ColumnElement[bool], why: str) -> list[Result]:
    """Return an unknown outcome for rows of the ledger."""
    outcome, moment = Outcome(verdict=Verdict.UNKNOWN, stage=Stage.CONTENT, reply=why), now()
    return [Result(row, outcome, moment) for row in chunk.connection.execute(select(deliveries).where(these))]


def _on_their_way(chunk: Chunk, results: Sequence[Result]) -> list[Result]:
    """Return the results of mails that the ledger still has as on their way; those of the others are stored."""
    connection = chunk.connection
    these = among(deliveries.c.id, connection.dialect.name, "numbers") & (deliveries.c.state == "handing")
    numbers = {"numbers": listed(connection, [result.row.id for result in results])}
    found = set(connection.execute(select(deliveries.c.id).where(these), numbers).scalars())
    return [result for result in results if result.row.id in found]


def _as_heard(result: Result, heard: Mapping[int, journals.Heard | None]) -> Result:
    """Return the result of a mail that was on its way, by the journal."""
    found = heard.get(result.row.id, _NOT_SENT)
    if found is None:
        return result
    if found.outcome.verdict in UNTOUCHED:
        return Result(Earlier.of(result.row), found.outcome, result.at)
    return Result(result.row, found.outcome, found.at)


def _record(
    chunk: Chunk, results: Sequence[Result], retries: Retries, moment: datetime, *, at_once: bool = False
) -> None:
    """Write the results of mails; `at_once` is as in `after`."""
    values = []
    final: list[FinalResult] = []
    counts: Counter[str] = Counter()
    for row, outcome, at in results:
        if outcome.verdict is Verdict.ACCEPTED:
            # As `after` has it, in a fraction of the time.
            values.append((row.id, "handed", row.attempts + 1, row.doubts, outcome.reply, None, microseconds(at)))
            final.append(FinalResult(row.id))
            continue
        standing = after(row, outcome, retries, moment, at_once=at_once)
        if standing.state == "failed":
            final.append(FinalResult(row.id, of_reply(standing.reply)))
        if standing.state != "chosen":
            counts[standing.state] += 1
        *known, next_try_at = standing
        values.append((row.id, *known, microseconds(next_try_at), None))
    if handed := len(final) - counts["failed"]:
        counts["handed"] = handed
    chunk.count(**counts)
    # A refusal for good may change its recipient. Bounces lock the accounts before the mails, too.
    lock_accounts(chunk.connection, [each.delivery_id for each in final if each.refusal and each.refusal.is_hard])
    update_rows(chunk.connection, deliveries, _COLUMNS, values)
    record_results(chunk.connection, final)


@cache
def _beginning(kind: str) -> Executable:
    """Return the statement that marks mails as on their way, for a kind of database."""
    moment = bindparam("moment", type_=deliveries.c.next_try_at.type)
    these = among(deliveries.c.id, kind, "numbers")
    return update(deliveries).where(these).values(state="handing", next_try_at=moment)


def _uncount(chunk: Chunk, rows: Sequence[Recipient]) -> None:
    """Uncount recipients in the states they were read in; `chosen` keeps counting all ever chosen."""
    for row in rows:
        if row.state != "chosen":
            chunk.count(**{row.state: -1})


def _lost_with_power(run: Run) -> ColumnElement[bool] | None:
    """Return the condition for recipients whose mails may have gone out unrecorded before a power loss.

    None if no reboot is known.
    """
    checkpoint = run.job.checkpoint
    reserved = int(checkpoint.get("reserved", 0))
    if not reserved or checkpoint["boot"] == boot_id():
        return None
    these = ledger.within(run.job.id, int(checkpoint["place"]), reserved)
    return these & (deliveries.c.state == "chosen")
