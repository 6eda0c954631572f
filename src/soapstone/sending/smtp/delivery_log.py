"""What the records say of a send by SMTP, so that they tell the truth whenever the process dies.

That a mail is being sent is committed before the server gets the first byte of it, and the server's reply before the
same connection takes the next mail. So after a sudden end at most one mail for each connection is `uncertain`: nobody
knows whether it arrived. It is tried once more, with the same Message-ID.

A loss of power is no sudden end of a process: it takes away what was committed but not yet on the disk. On SQLite a
commit waits for the disk only where a reservation is made, once for some hundred recipients: up to which number mails
may go out. Everybody up to there whom the disk knows as `chosen` after the machine has started anew is `uncertain`.
Where nobody can tell whether it has, and for mails that are tried again, each commit waits for the disk.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, bindparam, select, update

from soapstone.clock import now
from soapstone.jobs.run import Chunk, Run
from soapstone.sending import ledger
from soapstone.sending.final_check import Checked, FinalCheck
from soapstone.sending.smtp.boot_id import boot_id
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict
from soapstone.sending.smtp.retries import Retries, after
from soapstone.sending.smtp.scheduling import Progress
from soapstone.store.tables import deliveries

# What a checkpoint keeps while the server takes nothing: since when, when it was tried last, and how often in a row the
# send has gone back to the queue since.
_AWAY = ("away_since", "away_at", "rests")

# The columns of a Standing, and when the mail was sent.
_COLUMNS = [deliveries.c[name] for name in ("state", "attempts", "doubts", "reply", "next_try_at", "handed_at")]
_GIVEN = ["number", *(f"new_{column.name}" for column in _COLUMNS)]
_RECORD = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("number"))
    .values({column: bindparam(f"new_{column.name}", type_=column.type) for column in _COLUMNS})
)
_BEGIN = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("numbers", expanding=True)))
    .values(state="handing", next_try_at=bindparam("moment", type_=deliveries.c.next_try_at.type))
)


class Result(NamedTuple):
    """The outcome for the recipient of a row; `begun` unless the row still counts in the state that it has."""

    row: Row[Any]
    outcome: Outcome
    begun: bool = True


class DeliveryLog:
    """The records of one attempt at a send: commits what goes out, and what came of it."""

    def __init__(self, run: Run, final_check: FinalCheck, retries: Retries) -> None:
        self._run = run
        self._final_check = final_check
        self._retries = retries
        self._boot_id = boot_id() if run.database.kind == "sqlite" else ""
        # On the disk itself: up to this number mails may go out. 0 where there is no such reservation.
        self.reserved = 0

    def commit(
        self,
        results: Sequence[Result],
        beginning: Sequence[Row[Any]],
        progress: Progress,
        *,
        refused_for: int | None,
        last_words: bool = False,
        durable: bool = False,
    ) -> Checked:
        """Store what came back, and whose mails go out next; return what the last look at the latter saw.

        `refused_for` is as in Availability. With `last_words` nothing is under way any more.
        """
        moment = now()
        first_tries = [row.id for row in beginning if row.state == "chosen"]
        tries_again = len(first_tries) < len(beginning)
        reserve = progress.read_to if self._boot_id and first_tries and max(first_tries) > self.reserved else 0
        durable = durable or tries_again or bool(reserve) or not self._boot_id
        checked, began = Checked(), 0.0
        with self._run.chunk(last_words=last_words, durable=durable) as chunk:
            _record(chunk, results, self._retries, moment)
            _uncount(chunk, [result.row for result in results if not result.begun])
            if beginning:
                began = time.monotonic()
                checked = self._final_check.settle(chunk, beginning)
                begin = [row.id for row in beginning if row.id not in checked.gone]
                chunk.connection.execute(_BEGIN, {"numbers": begin, "moment": moment})
                _uncount(chunk, beginning)
            works = any(result.outcome.took_up for result in results)
            dropped = (*(_AWAY if works else ()), "refused_for")
            checkpoint = {name: value for name, value in chunk.checkpoint.items() if name not in dropped}
            checkpoint["place"] = progress.place
            if last_words:
                checkpoint["reserved"] = 0
            if reserve:
                checkpoint |= {"reserved": reserve, "boot": self._boot_id}
            if refused_for is not None:
                # The last people of a send may come due one by one, each in an attempt of its own.
                checkpoint["refused_for"] = refused_for
            chunk.checkpoint = checkpoint
            if progress.all_begun:
                # Every mail has been built once.
                chunk.step = max(chunk.step, self._run.job.steps - 1)
        self.reserved = reserve or self.reserved
        if self._run.database.kind != "sqlite":
            # On SQLite no other process can write before the commit.
            checked = replace(checked, age=time.monotonic() - began)
        return checked

    @property
    def rests(self) -> int:
        """How often in a row the send has gone back to the queue because the server takes nothing."""
        return int(self._run.job.checkpoint.get("rests", 0))

    def rest(self, longest_gap: float) -> bool:
        """Note that the send goes back to the queue once more; False when that has been so for too long.

        `longest_gap` is after how many seconds without a try it is unknown whether the server was away all the time.
        """
        moment, rests, checkpoint = now().timestamp(), self.rests, self._run.job.checkpoint
        # A send that was paused, or whose worker was off, did not try the server.
        was_tried = moment - checkpoint.get("away_at", moment) <= longest_gap
        since = checkpoint.get("away_since", moment) if was_tried else moment
        may_go_on = moment - since <= self._retries.limit.total_seconds()
        with self._run.chunk() as chunk:
            kept = {name: value for name, value in chunk.checkpoint.items() if name not in _AWAY}
            if may_go_on:
                kept |= {"away_since": since, "away_at": moment, "rests": rests + 1}
            # The person who retries a failed send may be a little early.
            chunk.checkpoint = kept
            chunk.progress = False
        return may_go_on


def adopt(run: Run, retries: Retries) -> None:
    """Note that mails which the attempt before was sending, or may have sent, have an unknown outcome."""
    mine = (deliveries.c.job_id == run.job.id) & deliveries.c.next_try_at.is_not(None)
    begun, lost = mine & (deliveries.c.state == "handing"), _lost_with_power(run)
    with run.chunk(last_words=True, durable=True) as chunk:
        found = _note_unknown(chunk, begun, "The sending process ended before the server's reply came.", retries)
        if lost is not None:
            found += _note_unknown(chunk, lost, "The machine stopped before the server's reply was stored.", retries)
            chunk.checkpoint = {**chunk.checkpoint, "reserved": 0}
        chunk.progress = found > 0


def release(run: Run, phase: str) -> None:
    """Give what did not get to the server to another transport, whose first phase is `phase`."""
    first, last = run.job.checkpoint["first"], run.job.checkpoint["last"]
    with run.chunk() as chunk:
        these = ledger.within(run.job.id, first - 1, last)
        at_no_time: dict[str, Any] = {"next_try_at": None}
        lost = _lost_with_power(run)
        if lost is not None:
            chunk.count(uncertain=ledger.move(chunk, lost, "chosen", "uncertain", doubts=1, attempts=1))
        chunk.count(deferred=-ledger.move(chunk, these, "deferred", "chosen", **at_no_time))
        chunk.count(uncertain=ledger.move(chunk, these, "handing", "uncertain", **at_no_time))
        # No other transport tries them again.
        ledger.move(chunk, these, "uncertain", "uncertain", **at_no_time)
        chunk.checkpoint = {**chunk.checkpoint, "phase": phase, "place": first - 1, "reserved": 0}


def _note_unknown(chunk: Chunk, these: ColumnElement[bool], why: str, retries: Retries) -> int:
    """Give rows of the ledger an unknown outcome; return how many there were."""
    outcome = Outcome(verdict=Verdict.UNKNOWN, stage=Stage.CONTENT, reply=why)
    rows = chunk.connection.execute(select(deliveries).where(these)).all()
    _record(chunk, [Result(row, outcome) for row in rows], retries, now(), at_once=True)
    return len(rows)


def _record(
    chunk: Chunk, results: Sequence[Result], retries: Retries, moment: datetime, *, at_once: bool = False
) -> None:
    """Write the results of mails; `at_once` is as in `after`."""
    values = []
    for row, outcome, _ in results:
        standing = after(row, outcome, retries, moment, at_once=at_once)
        if standing.state != "chosen":
            chunk.count(**{standing.state: 1})
        sent_at = moment if standing.state == "handed" else None
        values.append(dict(zip(_GIVEN, (row.id, *standing, sent_at), strict=True)))
    if values:
        chunk.connection.execute(_RECORD, values)


def _uncount(chunk: Chunk, rows: Sequence[Row[Any]]) -> None:
    """Recipients leave the states that they were read in. All that were ever chosen count as such."""
    for row in rows:
        if row.state != "chosen":
            chunk.count(**{row.state: -1})


def _lost_with_power(run: Run) -> ColumnElement[bool] | None:
    """Return the recipients of a send to whom mails may have gone out without a trace, as the machine lost its power
    since.

    None when it did not, as far as can be told.
    """
    checkpoint = run.job.checkpoint
    reserved = int(checkpoint.get("reserved", 0))
    if not reserved or checkpoint["boot"] == boot_id():
        return None
    these = ledger.within(run.job.id, int(checkpoint["place"]), reserved)
    return these & (deliveries.c.state == "chosen")
