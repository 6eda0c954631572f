"""Handing a send's mails to an SMTP server, so that the ledger tells the truth whenever the process dies.

That a mail is being handed over is committed before the server gets the first byte of it, and the server's reply before
the same connection takes the next mail. So after a sudden end at most one mail for each connection is `uncertain`:
nobody knows whether it arrived. It is tried once more, with the same Message-ID.

A loss of power is no sudden end of a process: it takes away what was committed but not yet on the disk. On SQLite a
commit waits for the disk only where a reservation is made, once for some hundred recipients: up to which number mails
may go out. Everybody up to there whom the disk knows as `chosen` after the machine has started anew is `uncertain`.
Where nobody can tell whether it has, and for mails that are tried again, each commit waits for the disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, select, update

from soapstone.clock import now
from soapstone.jobs.run import Chunk, JobFailed, LeaseLost, Run, Snooze
from soapstone.sending.final_check import LastLook, Looked
from soapstone.sending.ledger import within
from soapstone.sending.mail.builder import MailBuilder
from soapstone.sending.messages.message import MergedTooLarge
from soapstone.sending.smtp.boot_id import boot
from soapstone.sending.smtp.client import Carrier
from soapstone.sending.smtp.connection import Letter, Outcome
from soapstone.sending.smtp.replies import UNTOUCHED, Stage, Verdict
from soapstone.sending.smtp.server import SmtpServer
from soapstone.store.tables import deliveries

log = logging.getLogger(__name__)

# Recipients that are looked up at once, and that wait in memory while their domains may get nothing yet.
READ_AHEAD = 250
MOST_WAITING = 2_000
# Seconds at most that the first replies wait for others, so that one commit tells all of them.
LONGEST_GATHERING = 0.02
# Seconds that a commit has for its own work before letters are written beside it, while it waits for the disk.
COMMIT_START = 0.001
# Seconds that a send with nothing else to do waits inside its run; for longer it goes back to the queue.
SHORT_WAIT = 3.0
# Seconds between two signs of life, each with a look whether the send is still wanted.
LOOK_PAUSE = 1.0
# Seconds that mails under way may take when the send is to stop.
GRACE = 10.0
# Seconds in which the server takes nothing after which the send goes back to the queue; for how long it does so the
# first time, twice as long each further time, and at most.
WITHOUT_SUCCESS = 20.0
LONG_PAUSE = 20.0
LONGEST_PAUSE = 900.0
# Seconds without a try after which it is unknown whether the server was away all the time.
LONGEST_GAP = 2 * LONGEST_PAUSE
# What a checkpoint keeps while the server takes nothing: since when, when it was tried last, and `_rests`.
_AWAY = ("away_since", "away_at", "rests")

_RECORD = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("number"))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        doubts=bindparam("new_doubts"),
        reply=bindparam("new_reply"),
        next_try_at=bindparam("new_next", type_=deliveries.c.next_try_at.type),
        handed_at=bindparam("new_handed", type_=deliveries.c.handed_at.type),
    )
)


_HANDING = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("numbers", expanding=True)))
    .values(state="handing", next_try_at=bindparam("moment", type_=deliveries.c.next_try_at.type))
)

# What the ledger says of a mail of which the server said something.
STATES = {
    Verdict.ACCEPTED: "handed",
    Verdict.DEFERRED: "deferred",
    Verdict.FAILED: "failed",
    Verdict.UNKNOWN: "uncertain",
}


class SmtpDelivery:
    """One attempt at handing over the mails of one send whose recipients are chosen."""

    def __init__(self, run: Run, builder: MailBuilder, server: SmtpServer, look: LastLook) -> None:
        self._run = run
        self._builder = builder
        self._server = server
        self._look = look
        checkpoint = run.job.checkpoint
        # Recipients up to this number were taken out of the ledger for a first attempt; up to `last` there are any.
        self._read_to = int(checkpoint.get("place", 0))
        self._last = int(checkpoint["last"])
        self._waiting: deque[Row[Any]] = deque()
        self._due: deque[Row[Any]] = deque()
        # On the disk itself: up to this number mails may go out. 0 where there is no such reservation.
        self._reserved = 0
        self._boot = boot() if run.database.kind == "sqlite" else ""
        self._next_due: datetime | None = None
        self._under_way: dict[int, Row[Any]] = {}
        # Those of them that were chosen and of which it is not committed yet that they are being handed over.
        self._unsaid: set[int] = set()
        self._results: list[tuple[Row[Any], Outcome]] = []
        # Those of them for whom no mail could be made: they still count in the state that they had.
        self._uncounted: set[int] = set()
        # First attempts that did not get as far as the server hearing of the mail; committed as chosen again.
        self._returned: list[tuple[Row[Any], Outcome]] = []
        self._ready: deque[Carrier] = deque()
        self._carriers: list[Carrier] = []
        self._moved = asyncio.Event()
        # Whether no mail is under way.
        self._back = asyncio.Event()
        # Seconds of the last commit.
        self._commit = 0.0
        # Letters that were written ahead, by recipient.
        self._letters: dict[int, Letter] = {}
        self._trouble = ""
        # Since when, by the loop's clock, the server has taken nothing; None while it does.
        self._trouble_since: float | None = None
        # Whether the server has taken or refused a mail in this attempt.
        self._works = False
        self._refused = ""
        # Recipients whose MAIL got a 5xx reply, and the last one if no MAIL was accepted since.
        self._sender_refused: set[int] = set()
        self._last_refused: int | None = checkpoint.get("refused_for")
        # Mails that were under way then: the server may have accepted their sender before.
        self._before_refusal: set[int] = set()
        # Whether all that is in memory waits for its domain's turn: others may be found further on.
        self._held_up = False

    def hand_over(self) -> None:
        """Hand over all that is due. Raises Snooze when the rest is due later, JobFailed when the server wants none.

        What the run's chunks raise passes, after what happened to the mails under way was stored.
        """
        self._take_stock()
        with self._server.shared(), asyncio.Runner(loop_factory=self._server.loop_factory) as runner:
            runner.run(self._all())

    # --- what carriers tell -------------------------------------------------------------------------------------------

    def ready(self, carrier: Carrier) -> None:
        """Note that a carrier can take a mail."""
        self._ready.append(carrier)
        self._moved.set()

    def done(self, row: Row[Any], outcome: Outcome) -> None:
        """Note what the server said of a mail."""
        del self._under_way[row.id]
        if outcome.verdict is Verdict.REFUSES_WORK:
            self._refused = self._refused or outcome.reply
        elif outcome.verdict is Verdict.REFUSES_SENDER:
            outcome = self._judge_sender(row, outcome)
        elif outcome.took_up:
            self._works, self._trouble, self._trouble_since = True, "", None
            if row.id not in self._before_refusal:
                # The server has accepted this sender.
                self._last_refused = None
        self._before_refusal.discard(row.id)
        self._results.append((row, outcome))
        self._moved.set()
        if not self._under_way:
            self._back.set()

    def refused(self, why: str) -> None:
        """Note that the server takes no mail from us at all."""
        self._refused = self._refused or why
        self._moved.set()

    def troubled(self, why: str) -> None:
        """Note why a carrier rests."""
        self._trouble = why
        if self._trouble_since is None:
            self._trouble_since = asyncio.get_running_loop().time()
        self._moved.set()

    def _judge_sender(self, row: Row[Any], outcome: Outcome) -> Outcome:
        """Tell a server that refuses our sender from one that refuses one mail: the next mail gets the same, or not."""
        if self._last_refused is not None and self._last_refused != row.id:
            self._refused = self._refused or outcome.reply
        elif row.id in self._sender_refused:
            # It came last: no other recipient is left to compare it with.
            outcome = replace(outcome, verdict=Verdict.FAILED)
        self._sender_refused.add(row.id)
        self._last_refused = row.id
        self._before_refusal = set(self._under_way)
        return outcome

    # --- the send -----------------------------------------------------------------------------------------------------

    def _take_stock(self) -> None:
        """What the attempt before left in the middle of being handed over is uncertain."""
        moment = now()
        mine = (deliveries.c.job_id == self._run.job.id) & deliveries.c.next_try_at.is_not(None)
        with self._run.chunk(last_words=True, durable=True) as chunk:
            lost = list(chunk.connection.execute(select(deliveries).where(mine, deliveries.c.state == "handing")))
            self._record(
                chunk,
                [(row, _unknown("The sending process ended before the server's reply came.")) for row in lost],
                moment,
                at_once=True,
            )
            unknown = lost_with_power(self._run)
            if unknown is not None:
                forgotten = chunk.connection.execute(select(deliveries).where(unknown)).all()
                self._record(
                    chunk,
                    [(row, _unknown("The machine stopped before the server's reply was stored.")) for row in forgotten],
                    moment,
                    at_once=True,
                )
                lost = [*lost, *forgotten]
                chunk.checkpoint = {**chunk.checkpoint, "reserved": 0}
            chunk.progress = bool(lost)
        self._look_ahead()

    async def _all(self) -> None:
        try:
            while await self._turn():
                pass
            await asyncio.to_thread(partial(self._store, [], durable=True))
        finally:
            await self._end()

    async def _turn(self) -> bool:
        """Store what came back, send out what may go; False when there is nothing left to do in this run."""
        self._take_back()
        self._hire()
        await self._fill()
        wait, assigned = self._assign()
        self._held_up = bool(wait and self._ready)
        if self._results or assigned:
            self._hand_out(assigned, await self._commit_beside_writing(assigned))
            if assigned:
                return True
        if self._refused:
            raise JobFailed(f"The SMTP server {self._server.address.shown} refuses to work: {self._refused}")
        # Replies that came in while others were stored are looked at first: they may say when to come again.
        if not (self._results or self._returned or self._under_way or self._waiting or self._due):
            if self._next_due is None:
                return False
            wait = (self._next_due - now()).total_seconds()
            if wait > SHORT_WAIT:
                raise Snooze(timedelta(seconds=wait), "The SMTP server asked to try some recipients again later.")
        self._check_server()
        self._moved.clear()
        may_go = self._ready and (self._waiting or self._due) and len(self._under_way) < self._server.share
        if not self._results and not self._returned and (not may_go or wait > 0):
            timeout = min(LOOK_PAUSE, max(0.005, wait)) if wait else LOOK_PAUSE
            try:
                await asyncio.wait_for(self._moved.wait(), timeout)
            except TimeoutError:
                await asyncio.to_thread(self._store, [])
        if self._results:
            await self._gather()
        return True

    async def _gather(self) -> None:
        """Let the replies that are about to come join those that came, no longer than another commit would take."""
        if self._under_way:
            self._back.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._back.wait(), min(self._commit, LONGEST_GATHERING))

    async def _commit_beside_writing(self, assigned: Sequence[tuple[Carrier, Row[Any], Letter]]) -> Looked:
        """Commit; while that waits for the disk, write the letters that go out next."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        storing = loop.run_in_executor(None, copy_context().run, self._store, assigned)
        try:
            await asyncio.wait((storing,), timeout=COMMIT_START)
            for row in islice(self._waiting, self._server.share):
                if storing.done() or len(self._letters) >= self._server.share:
                    break
                if row.id not in self._letters:
                    self._letters[row.id] = self._builder.letter(row)
                    await asyncio.sleep(0)
        except Exception:
            # The same happens when this letter's turn comes, where nothing is under way that it could harm.
            log.debug("a letter could not be written ahead", exc_info=True)
        looked = await storing
        self._commit = loop.time() - began
        return looked

    def _hand_out(self, assigned: Sequence[tuple[Carrier, Row[Any], Letter]], looked: Looked) -> None:
        """Give mails to their carriers, but for people who are mailed no more; those who moved get theirs anew."""
        looked_at = asyncio.get_running_loop().time() - looked.age
        for carrier, row, letter in assigned:
            if row.id in looked.gone:
                del self._under_way[row.id]
                self._ready.append(carrier)
            elif row.id in looked.moved:
                try:
                    letter = self._builder.letter(row, looked.moved[row.id])
                except MergedTooLarge as error:
                    del self._under_way[row.id]
                    self._ready.append(carrier)
                    self._give_up(row, str(error))
                    continue
                carrier.take(row, letter, looked_at)
            else:
                carrier.take(row, letter, looked_at)

    def _give_up(self, row: Row[Any], why: str) -> None:
        """Note that no mail can be made for a recipient, who may have an earlier one where that is uncertain."""
        verdict = Verdict.UNKNOWN if row.state == "uncertain" else Verdict.FAILED
        self._results.append((row, Outcome(verdict=verdict, stage=Stage.MAIL, reply=why)))

    def _take_back(self) -> None:
        """Put first attempts that were returned before all others; behind them where the sender may be refused."""
        for row, outcome in self._returned:
            if outcome.verdict is Verdict.REFUSES_SENDER:
                self._waiting.append(row)
            else:
                self._waiting.appendleft(row)
        self._returned.clear()

    def _letter(self, row: Row[Any]) -> Letter:
        return self._letters.pop(row.id, None) or self._builder.letter(row)

    def _hire(self) -> None:
        """As many connections as are due to this send; a server that had taken nothing is tried with one."""
        wanted = self._server.share if self._works or not self._rests else 1
        while len(self._carriers) < wanted:
            self._carriers.append(Carrier(self, self._server))

    def _assign(self) -> tuple[float, list[tuple[Carrier, Row[Any], Letter]]]:
        """Mails for the connections that are free, as far as the limits let them go; and how long others must wait.

        People who wait for their first attempt go before those who are tried again.
        """
        assigned: list[tuple[Carrier, Row[Any], Letter]] = []
        shortest = 0.0
        share = self._server.share if not self._refused else 0
        for queue in (self._waiting, self._due):
            for _ in range(len(queue)):
                if not self._ready or len(self._under_way) >= share:
                    return shortest, assigned
                row = queue[0]
                wait = self._server.rates.take(row.email_key.rpartition("@")[2])
                if wait:
                    shortest = min(shortest or wait, wait)
                    queue.rotate(-1)
                    if self._server.rates.total_wait():
                        return shortest, assigned
                    continue
                try:
                    letter = self._letter(row)
                except MergedTooLarge as error:
                    self._give_up(queue.popleft(), str(error))
                    self._uncounted.add(row.id)
                    continue
                assigned.append((self._ready.popleft(), queue.popleft(), letter))
                self._under_way[row.id] = row
                if row.state == "chosen":
                    self._unsaid.add(row.id)
        return shortest, assigned

    async def _fill(self) -> None:
        if len(self._waiting) < READ_AHEAD // 2 or (self._held_up and len(self._waiting) < MOST_WAITING):
            await asyncio.to_thread(self._read_on)
        if self._next_due is not None and self._next_due <= now() and len(self._due) < READ_AHEAD:
            await asyncio.to_thread(self._read_due)

    def _read_on(self) -> None:
        if self._read_to >= self._last:
            return
        rows = self._builder.chosen(self._read_to, self._last, READ_AHEAD)
        self._read_to = rows[-1].id if rows else self._last
        self._waiting.extend(rows)

    def _read_due(self) -> None:
        taken = {row.id for row in self._due} | self._under_way.keys() | {row.id for row, _ in self._results}
        rows = self._builder.due(now(), READ_AHEAD + len(taken))
        self._due.extend(row for row in rows if row.id not in taken)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """When the next mail is due that is tried again, but for those in memory."""
        taken = [row.id for row in self._due]
        query = select(func.min(deliveries.c.next_try_at)).where(
            deliveries.c.job_id == self._run.job.id,
            deliveries.c.next_try_at.is_not(None),
            deliveries.c.state != "handing",
            deliveries.c.id.not_in(taken),
        )
        with self._run.database.read() as connection:
            self._next_due = connection.execute(query).scalar_one()

    def _store(
        self,
        assigned: Sequence[tuple[Carrier, Row[Any], Letter]],
        *,
        last_words: bool = False,
        durable: bool = False,
    ) -> Looked:
        """Commit what came back, and what goes out next; return what the last look at the latter saw."""
        results, moment = self._results[:], now()
        returned = [
            (row, outcome) for row, outcome in results if outcome.verdict in UNTOUCHED and row.state == "chosen"
        ]
        rows = [row for _, row, _ in assigned]
        said = {row.id for row in rows}
        first_tries = [row.id for row in rows if row.state == "chosen"]
        again = len(first_tries) < len(assigned)
        reserve = self._read_to if self._boot and first_tries and max(first_tries) > self._reserved else 0
        durable = durable or again or bool(reserve) or not self._boot
        looked, began = Looked(), 0.0
        try:
            with self._run.chunk(last_words=last_words, durable=durable) as chunk:
                self._record(chunk, results, moment)
                for row, _ in results:
                    if row.id in self._uncounted and row.state != "chosen":
                        chunk.count(**{row.state: -1})
                if rows:
                    began = time.monotonic()
                    looked = self._look.settle(chunk, rows)
                    goes = list(said - looked.gone.keys())
                    chunk.connection.execute(_HANDING, {"numbers": goes, "moment": moment})
                    for row in rows:
                        if row.state != "chosen":
                            chunk.count(**{row.state: -1})
                back = [row.id for row, _ in (*returned, *self._returned)]
                checkpoint = {**chunk.checkpoint, "place": self._place(said, back)}
                if last_words:
                    # Nothing is under way any more.
                    checkpoint["reserved"] = 0
                if reserve:
                    checkpoint |= {"reserved": reserve, "boot": self._boot}
                if any(outcome.took_up for _, outcome in results):
                    checkpoint = {name: value for name, value in checkpoint.items() if name not in _AWAY}
                checkpoint.pop("refused_for", None)
                # A person who sends a stopped send on its way again has mended something.
                if self._last_refused is not None and not self._refused:
                    # The last people of a send may come due one by one, each in an attempt of its own.
                    checkpoint["refused_for"] = self._last_refused
                chunk.checkpoint = checkpoint
                if self._read_to >= self._last and not self._waiting and not back and self._unsaid <= said:
                    # Every mail has been built once.
                    chunk.step = max(chunk.step, self._run.job.steps - 1)
        except BaseException:
            for carrier, row, _ in assigned:
                self._under_way.pop(row.id, None)
                self._ready.append(carrier)
            raise
        if self._run.database.kind != "sqlite":
            # On SQLite no other process can write before the commit.
            looked = replace(looked, age=time.monotonic() - began)
        self._unsaid -= said
        self._reserved = reserve or self._reserved
        self._returned += returned
        self._uncounted.difference_update(row.id for row, _ in results)
        del self._results[: len(results)]
        if any(outcome.verdict not in (Verdict.ACCEPTED, Verdict.FAILED) for _, outcome in results):
            self._look_ahead()
        return looked

    def _place(self, said: Collection[int], back: Sequence[int]) -> int:
        """All recipients up to this number had a first attempt, or have it now, as the same commit says of `said`.

        Not those who are `back`, nor those whose commit was refused, such as by a pause: the next attempt finds them
        behind this place.
        """
        first = min((row.id for row in self._waiting), default=self._read_to + 1)
        return min([first, *back, *self._unsaid.difference(said)]) - 1

    def _record(
        self, chunk: Chunk, results: Sequence[tuple[Row[Any], Outcome]], moment: datetime, *, at_once: bool = False
    ) -> None:
        """Write the results of mails; `at_once` retries mails with an unknown result without a pause."""
        values = []
        for row, outcome in results:
            attempts, doubts, reply = row.attempts + 1, row.doubts, outcome.reply
            again: datetime | None = None
            if outcome.verdict in UNTOUCHED:
                # Nothing was said of the mail: it waits for nobody.
                state, attempts, reply = row.state, row.attempts, row.reply
                again = moment if state != "chosen" else None
            else:
                state = STATES[outcome.verdict]
            if outcome.verdict is Verdict.UNKNOWN:
                doubts += 1
                delay = timedelta() if at_once else self._server.retries.delay(attempts)
                # It is tried once more: who has it already gets it twice, and not more often.
                again = moment + delay if doubts == 1 and delay is not None else None
            elif outcome.verdict is Verdict.DEFERRED:
                delay = self._server.retries.delay(attempts)
                again = None if delay is None else moment + delay
                state = "failed" if again is None else state
            if state != "chosen":
                chunk.count(**{state: 1})
            values.append(
                {
                    "number": row.id,
                    "new_state": state,
                    "new_attempts": attempts,
                    "new_doubts": doubts,
                    "new_reply": reply,
                    "new_next": again,
                    "new_handed": moment if state == "handed" else None,
                }
            )
        if values:
            chunk.connection.execute(_RECORD, values)

    async def _end(self) -> None:
        """Let the mails under way end, for a while, and store what became of them."""
        for carrier in self._carriers:
            carrier.dismiss()
        tasks = [carrier.task for carrier in self._carriers]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if self._results or self._reserved:
            try:
                await asyncio.to_thread(partial(self._store, [], last_words=True, durable=True))
            except LeaseLost:
                # Whoever has taken over holds them for uncertain, and says so.
                log.warning("job %d: %d replies came too late", self._run.job.id, len(self._results))

    @property
    def _rests(self) -> int:
        """How often in a row the send has gone back to the queue because the server takes nothing."""
        return int(self._run.job.checkpoint.get("rests", 0))

    def _check_server(self) -> None:
        """Let the send rest when the server has taken nothing for a while; at once where it has rested before."""
        if self._trouble_since is None or self._under_way or self._ready:
            return
        patience = 0.0 if self._rests else WITHOUT_SUCCESS
        if asyncio.get_running_loop().time() - self._trouble_since >= patience:
            self._give_way()

    def _give_way(self) -> None:
        """The server takes nothing: the send waits, and fails when that is so for too long."""
        moment, rests, checkpoint = now().timestamp(), self._rests, self._run.job.checkpoint
        trouble = f"The SMTP server {self._server.address.shown} takes no mail now: {self._trouble}."
        # A send that was paused, or whose worker was off, did not try the server.
        was_tried = moment - checkpoint.get("away_at", moment) <= LONGEST_GAP
        since = checkpoint.get("away_since", moment) if was_tried else moment
        lasts_too_long = moment - since > self._server.retries.limit.total_seconds()
        with self._run.chunk() as chunk:
            kept = {name: value for name, value in chunk.checkpoint.items() if name not in _AWAY}
            if not lasts_too_long:
                kept |= {"away_since": since, "away_at": moment, "rests": rests + 1}
            # The person who retries a failed send may be a little early.
            chunk.checkpoint = kept
            chunk.progress = False
        if lasts_too_long:
            raise JobFailed(f"{trouble} What is left goes out when the send is retried.")
        pause = min(LONG_PAUSE * 2.0 ** min(rests, 30), LONGEST_PAUSE)
        raise Snooze(timedelta(seconds=self._server.jittered(pause)), f"{trouble} The send goes on by itself.")


def _unknown(why: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, stage=Stage.CONTENT, reply=why)


def lost_with_power(run: Run) -> ColumnElement[bool] | None:
    """The recipients of a send to whom mails may have gone out without a trace, as the machine lost its power since.

    None when it did not, as far as can be told.
    """
    checkpoint = run.job.checkpoint
    reserved = int(checkpoint.get("reserved", 0))
    if not reserved or checkpoint["boot"] == boot():
        return None
    return within(run.job.id, int(checkpoint["place"]), reserved) & (deliveries.c.state == "chosen")
