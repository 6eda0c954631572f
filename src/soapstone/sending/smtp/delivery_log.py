"""The delivery log of a send by SMTP: keeps the ledger correct even if the process dies.

The start of a mail is committed before the server gets its first byte, and the server's reply before the
same connection takes the next mail. So after a crash at most one mail per connection is `uncertain`: its result is
unknown. It is retried once, with the same Message-ID.

A power loss is worse than a crash: it loses commits that are not yet on the disk. On SQLite a
commit waits for the disk only to store a reservation, once for some hundred recipients: the highest number whose mail
may go out. After a reboot, recipients up to that number that the disk has as `chosen` become `uncertain`.
If reboots cannot be detected, and for retries, each commit waits for the disk.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, Row, bindparam, select, update

from soapstone.clock import now
from soapstone.jobs.run import Chunk, Run
from soapstone.sending import ledger
from soapstone.sending.final_check import Checked, FinalCheck
from soapstone.sending.smtp.boot_id import boot_id
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict
from soapstone.sending.smtp.retries import Retries, after
from soapstone.sending.smtp.scheduling import Progress
from soapstone.store.bulk import among, listed, update_rows
from soapstone.store.tables import deliveries
from soapstone.store.timestamps import microseconds
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import FinalResult, record_results

# Checkpoint keys while the server accepts nothing: since when, time of the last try, and how often in a row the
# send has gone back to the queue.
_AWAY = ("away_since", "away_at", "rests")

# The number of a mail, the columns of its Standing, and when it was sent.
_COLUMNS = ("id", "state", "attempts", "doubts", "reply", "next_try_at", "handed_at")


class Result(NamedTuple):
    """The outcome for the recipient of a row; `begun` unless the row is still counted in its state."""

    row: Row[Any]
    outcome: Outcome
    begun: bool = True


class DeliveryLog:
    """The log of one attempt at a send: commits which mails go out, and their results."""

    def __init__(self, run: Run, final_check: FinalCheck, retries: Retries) -> None:
        self._run = run
        self._final_check = final_check
        self._retries = retries
        self._boot_id = boot_id() if run.database.kind == "sqlite" else ""
        self._begin = _beginning(run.database.kind)
        # Highest delivery id durably reserved for sending; 0 if none.
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
        """Store results and the recipients to send to next; return the final check of the latter.

        `refused_for` is as in Availability. `last_words` means that no mail is under way.
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
                numbers = listed(chunk.connection, begin)
                chunk.connection.execute(self._begin, {"numbers": numbers, "moment": moment})
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
                # The last recipients of a send may come due one by one, each in an attempt of its own.
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
    """Mark mails that the previous attempt was sending, or may have sent, as uncertain."""
    mine = (deliveries.c.job_id == run.job.id) & deliveries.c.next_try_at.is_not(None)
    begun, lost = mine & (deliveries.c.state == "handing"), _lost_with_power(run)
    with run.chunk(last_words=True, durable=True) as chunk:
        found = _note_unknown(chunk, begun, "The sending process ended before the server's reply came.", retries)
        if lost is not None:
            found += _note_unknown(chunk, lost, "The machine stopped before the server's reply was stored.", retries)
            chunk.checkpoint = {**chunk.checkpoint, "reserved": 0}
        chunk.progress = found > 0


def release(run: Run, phase: str) -> None:
    """Hand unsent mails over to another transport, whose first phase is `phase`."""
    first, last = run.job.checkpoint["first"], run.job.checkpoint["last"]
    with run.chunk() as chunk:
        these = ledger.within(run.job.id, first - 1, last)
        at_no_time: dict[str, Any] = {"next_try_at": None}
        lost = _lost_with_power(run)
        if lost is not None:
            chunk.count(uncertain=ledger.move(chunk, lost, "chosen", "uncertain", doubts=1, attempts=1))
        chunk.count(deferred=-ledger.move(chunk, these, "deferred", "chosen", **at_no_time))
        chunk.count(uncertain=ledger.move(chunk, these, "handing", "uncertain", **at_no_time))
        # No other transport retries them.
        ledger.move(chunk, these, "uncertain", "uncertain", **at_no_time)
        chunk.checkpoint = {**chunk.checkpoint, "phase": phase, "place": first - 1, "reserved": 0}


def _note_unknown(chunk: Chunk, these: ColumnElement[bool], why: str, retries: Retries) -> int:
    """Give rows of the ledger an unknown outcome; return their number."""
    outcome = Outcome(verdict=Verdict.UNKNOWN, stage=Stage.CONTENT, reply=why)
    rows = chunk.connection.execute(select(deliveries).where(these)).all()
    _record(chunk, [Result(row, outcome) for row in rows], retries, now(), at_once=True)
    return len(rows)


def _record(
    chunk: Chunk, results: Sequence[Result], retries: Retries, moment: datetime, *, at_once: bool = False
) -> None:
    """Write the results of mails; `at_once` is as in `after`."""
    values = []
    final: list[FinalResult] = []
    for row, outcome, _ in results:
        standing = after(row, outcome, retries, moment, at_once=at_once)
        if standing.state == "handed":
            final.append(FinalResult(delivery_id=row.id))
        elif standing.state == "failed":
            final.append(FinalResult(delivery_id=row.id, refusal=of_reply(standing.reply)))
        if standing.state != "chosen":
            chunk.count(**{standing.state: 1})
        sent_at = moment if standing.state == "handed" else None
        *known, next_try_at = standing
        values.append((row.id, *known, microseconds(next_try_at), microseconds(sent_at)))
    update_rows(chunk.connection, deliveries, _COLUMNS, values)
    record_results(chunk.connection, final)


@cache
def _beginning(kind: str) -> Executable:
    """Return the statement that marks mails as on their way, for a kind of database."""
    moment = bindparam("moment", type_=deliveries.c.next_try_at.type)
    these = among(deliveries.c.id, kind, "numbers")
    return update(deliveries).where(these).values(state="handing", next_try_at=moment)


def _uncount(chunk: Chunk, rows: Sequence[Row[Any]]) -> None:
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
