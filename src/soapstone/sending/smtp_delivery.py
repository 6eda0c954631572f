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
import threading
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import uvloop
from sqlalchemy import ColumnElement, Row, bindparam, func, select, update

from soapstone.jobs.run import JobFailed, Later, Run, Superseded
from soapstone.sending.boot import boot
from soapstone.sending.builder import MailBuilder
from soapstone.sending.ledger import within
from soapstone.sending.rates import Rates
from soapstone.sending.smtp_address import SmtpAddress
from soapstone.sending.smtp_connection import Letter, NotConnected, Outcome, Refused, SmtpConnection
from soapstone.store.instants import now
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
# Seconds that mails under way may take when the send is to stop.
GRACE = 10.0
# Seconds between two attempts at connecting; twice as many after each one, and at most.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 15.0
# Seconds without a connection after which the send goes back to the queue, and for how long.
WITHOUT_CONNECTION = 20.0
LONG_PAUSE = 20.0

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


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How a mail is tried again: after `first`, after twice as long each further time, at most `longest`.

    It is given up when `limit` has passed since the first attempt.
    """

    first: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(hours=1)
    limit: timedelta = timedelta(hours=24)

    def delay(self, attempts: int) -> timedelta | None:
        """How long to wait after so many attempts; None when it is given up."""
        waited = sum((self._step(number) for number in range(1, attempts)), timedelta())
        return self._step(attempts) if waited < self.limit else None

    def _step(self, attempt: int) -> timedelta:
        longest = max(self.first, self.longest)
        return min(self.first * 2.0 ** min(attempt - 1, 30), longest)


class SmtpServer:
    """The server that all sends of one worker share: its connections are divided among them, its limits hold for all.

    `timeout` is in seconds, for a connection and for each mail.
    """

    def __init__(
        self,
        address: SmtpAddress,
        *,
        connections: int = 8,
        rates: Rates | None = None,
        retries: Retries | None = None,
        timeout: float = 60.0,
        local_hostname: str | None = None,
    ) -> None:
        self.address = address
        self.rates = rates or Rates(0, 0)
        self.retries = retries or Retries()
        self._connections = connections
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._sends = 0
        self._lock = threading.Lock()

    @property
    def share(self) -> int:
        """How many connections one send may have now."""
        return max(1, self._connections // max(1, self._sends))

    @contextmanager
    def shared(self) -> Iterator[None]:
        """While a send uses the server."""
        with self._lock:
            self._sends += 1
        try:
            yield
        finally:
            with self._lock:
                self._sends -= 1

    def connection(self) -> SmtpConnection:
        """A new connection, not opened."""
        return SmtpConnection(self.address, timeout=self._timeout, local_hostname=self._local_hostname)


class SmtpDelivery:
    """One attempt at handing over the mails of one send whose recipients are chosen."""

    def __init__(self, run: Run, builder: MailBuilder, server: SmtpServer) -> None:
        self._run = run
        self._builder = builder
        self._server = server
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
        self._ready: deque[_Carrier] = deque()
        self._carriers: list[_Carrier] = []
        self._moved = asyncio.Event()
        # Whether no mail is under way.
        self._back = asyncio.Event()
        # Seconds of the last commit.
        self._commit = 0.0
        # Letters that were written ahead, by recipient.
        self._letters: dict[int, Letter] = {}
        self._trouble = ""
        self._refused = ""
        # Whether all that is in memory waits for its domain's turn: others may be found further on.
        self._held_up = False
        self._unconnected_since: float | None = None

    def hand_over(self) -> None:
        """Hand over all that is due. Raises Later when the rest is due later, and JobFailed when the server wants none.

        What the run's chunks raise passes, after what happened to the mails under way was stored.
        """
        self._take_stock()
        with self._server.shared(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._all())

    def _take_stock(self) -> None:
        """What the attempt before left in the middle of being handed over is uncertain."""
        moment = now()
        mine = (deliveries.c.job_id == self._run.job.id) & deliveries.c.next_try_at.is_not(None)
        with self._run.chunk(durable=True) as chunk:
            lost = chunk.connection.execute(select(deliveries).where(mine, deliveries.c.state == "handing")).all()
            outcome = Outcome(state="uncertain", reply="The sending process ended before the server's reply came.")
            self._record(chunk, [(row, outcome) for row in lost], moment)
            unknown = lost_with_power(self._run)
            if unknown is not None:
                forgotten = chunk.connection.execute(select(deliveries).where(unknown)).all()
                outcome = Outcome(state="uncertain", reply="The machine stopped before what became of it was stored.")
                self._record(chunk, [(row, outcome) for row in forgotten], moment)
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
        self._hire()
        await self._fill()
        wait, assigned = self._assign()
        self._held_up = bool(wait and self._ready)
        if self._results or assigned:
            await self._commit_beside_writing(assigned)
            for carrier, row, letter in assigned:
                carrier.take(row, letter)
            if assigned:
                return True
        if self._refused:
            raise JobFailed(f"The SMTP server {self._server.address.shown} refuses to work: {self._refused}")
        # Replies that came in while others were stored are looked at first: they may say when to come again.
        if not self._results and not self._under_way and not self._waiting and not self._due:
            if self._next_due is None:
                return False
            wait = (self._next_due - now()).total_seconds()
            if wait > SHORT_WAIT:
                raise Later(timedelta(seconds=wait), self._why_later())
        self._check_connections()
        self._moved.clear()
        may_go = self._ready and (self._waiting or self._due) and len(self._under_way) < self._server.share
        if not self._results and (not may_go or wait > 0):
            # A sign of life, and a look whether the send is still wanted, come at least this often.
            timeout = min(1.0, max(0.005, wait)) if wait else 1.0
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

    async def _commit_beside_writing(self, assigned: Sequence[tuple[_Carrier, Row[Any], Letter]]) -> None:
        """Commit; while that waits for the disk, write the letters that go out next."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        storing = loop.run_in_executor(None, self._store, assigned)
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
        await storing
        self._commit = loop.time() - began

    def _letter(self, row: Row[Any]) -> Letter:
        return self._letters.pop(row.id, None) or self._builder.letter(row)

    def _hire(self) -> None:
        """As many connections as are due to this send."""
        while len(self._carriers) < self._server.share:
            self._carriers.append(_Carrier(self, self._server.connection()))

    def _assign(self) -> tuple[float, list[tuple[_Carrier, Row[Any], Letter]]]:
        """Mails for the connections that are free, as far as the limits let them go; and how long others must wait."""
        assigned: list[tuple[_Carrier, Row[Any], Letter]] = []
        shortest = 0.0
        share = self._server.share
        for queue in (self._due, self._waiting):
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
                letter = self._letter(row)
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
        assigned: Sequence[tuple[_Carrier, Row[Any], Letter]],
        *,
        last_words: bool = False,
        durable: bool = False,
    ) -> None:
        """Commit what came back, and what goes out next."""
        results, moment = self._results[:], now()
        said = {row.id for _, row, _ in assigned}
        first_tries = [row.id for _, row, _ in assigned if row.state == "chosen"]
        again = len(first_tries) < len(assigned)
        reserve = self._read_to if self._boot and first_tries and max(first_tries) > self._reserved else 0
        durable = durable or again or bool(reserve) or not self._boot
        try:
            with self._run.chunk(last_words=last_words, durable=durable) as chunk:
                self._record(chunk, results, moment)
                if assigned:
                    chunk.connection.execute(
                        update(deliveries).where(deliveries.c.id.in_(said)).values(state="handing", next_try_at=moment)
                    )
                    for _, row, _ in assigned:
                        if row.state != "chosen":
                            chunk.count(**{row.state: -1})
                checkpoint = {**chunk.checkpoint, "place": self._place(said)}
                if last_words:
                    # Nothing is under way any more.
                    checkpoint["reserved"] = 0
                if reserve:
                    checkpoint |= {"reserved": reserve, "boot": self._boot}
                if results:
                    checkpoint.pop("away_since", None)
                chunk.checkpoint = checkpoint
                if self._read_to >= self._last and not self._waiting and self._unsaid <= said:
                    # Every mail has been built once.
                    chunk.step = max(chunk.step, self._run.job.steps - 1)
        except BaseException:
            for carrier, row, _ in assigned:
                self._under_way.pop(row.id, None)
                self._ready.append(carrier)
            raise
        self._unsaid -= said
        self._reserved = reserve or self._reserved
        del self._results[: len(results)]
        if any(outcome.state != "handed" and outcome.state != "failed" for _, outcome in results):
            self._look_ahead()

    def _place(self, said: Collection[int]) -> int:
        """All recipients up to this number had a first attempt, or have it now, as the same commit says of `said`.

        Not those whose commit was refused, such as by a pause: the next attempt finds them behind this place.
        """
        first = min((row.id for row in self._waiting), default=self._read_to + 1)
        return min([first, *self._unsaid.difference(said)]) - 1

    def _record(self, chunk: Any, results: Sequence[tuple[Row[Any], Outcome]], moment: datetime) -> None:
        values = []
        for row, outcome in results:
            state: str = outcome.state
            attempts, doubts = row.attempts, row.doubts
            again: datetime | None = None
            if state == "untouched":
                # The fault of the connection, not of the mail: it waits for nobody.
                state, again = ("uncertain" if doubts else "deferred"), moment
            elif state == "uncertain":
                attempts, doubts = attempts + 1, doubts + 1
                again = moment if doubts == 1 else None
            elif state == "deferred":
                attempts += 1
                delay = self._server.retries.delay(attempts)
                again = None if delay is None else moment + delay
                state = "failed" if again is None else state
            else:
                attempts += 1
            chunk.count(**{state: 1})
            values.append(
                {
                    "number": row.id,
                    "new_state": state,
                    "new_attempts": attempts,
                    "new_doubts": doubts,
                    "new_reply": outcome.reply,
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
            except Superseded:
                # Whoever has taken over holds them for uncertain, and says so.
                log.warning("job %d: %d replies came too late", self._run.job.id, len(self._results))

    def _check_connections(self) -> None:
        clock = asyncio.get_running_loop().time()
        if self._under_way or any(carrier.connected for carrier in self._carriers):
            self._unconnected_since = None
        elif self._unconnected_since is None:
            self._unconnected_since = clock
        elif clock - self._unconnected_since > WITHOUT_CONNECTION:
            self._give_way()

    def _give_way(self) -> None:
        """The server is away: the send waits, and fails when that is so for too long."""
        limit = self._server.retries.limit
        since = self._run.job.checkpoint.get("away_since")
        moment = now()
        if since is None:
            with self._run.chunk() as chunk:
                chunk.checkpoint = {**chunk.checkpoint, "away_since": moment.timestamp()}
                chunk.progress = False
        elif moment.timestamp() - since > limit.total_seconds():
            raise JobFailed(f"{self._why_later()} What is left goes out when the send is retried.")
        raise Later(timedelta(seconds=LONG_PAUSE), f"{self._why_later()} The send goes on by itself.")

    def _why_later(self) -> str:
        if self._trouble:
            return f"The SMTP server {self._server.address.shown} cannot be reached: {self._trouble}."
        return "The SMTP server asked to try some recipients again later."


def lost_with_power(run: Run) -> ColumnElement[bool] | None:
    """The recipients of a send to whom mails may have gone out without a trace, as the machine lost its power since.

    None when it did not, as far as can be told.
    """
    checkpoint = run.job.checkpoint
    reserved = int(checkpoint.get("reserved", 0))
    if not reserved or checkpoint["boot"] == boot():
        return None
    return within(run.job.id, int(checkpoint["place"]), reserved) & (deliveries.c.state == "chosen")


class _Carrier:
    """A connection and the task that hands mails over on it, one at a time."""

    def __init__(self, delivery: SmtpDelivery, connection: SmtpConnection) -> None:
        self._delivery = delivery
        self._connection = connection
        self._errand: asyncio.Queue[tuple[Row[Any], Letter] | None] = asyncio.Queue()
        self._wanted = True
        self.task = asyncio.ensure_future(self._work())

    @property
    def connected(self) -> bool:
        return self._connection.connected

    def take(self, row: Row[Any], letter: Letter) -> None:
        """Hand this mail over next; the carrier was ready."""
        self._errand.put_nowait((row, letter))

    def dismiss(self) -> None:
        """End after the mail under way."""
        self._wanted = False
        self._errand.put_nowait(None)

    async def _work(self) -> None:
        delivery, pause = self._delivery, FIRST_PAUSE
        try:
            while self._wanted:
                if not self._connection.connected:
                    try:
                        await self._connection.open()
                    except Refused as refused:
                        delivery._refused = str(refused)
                        delivery._moved.set()
                        return
                    except NotConnected as trouble:
                        delivery._trouble = str(trouble)
                        pause = await self._rest(pause)
                        continue
                    pause, delivery._trouble = FIRST_PAUSE, ""
                delivery._ready.append(self)
                delivery._moved.set()
                errand = await self._errand.get()
                if errand is None:
                    break
                row, letter = errand
                outcome = await self._connection.hand(letter)
                del delivery._under_way[row.id]
                delivery._results.append((row, outcome))
                delivery._moved.set()
                if not delivery._under_way:
                    delivery._back.set()
        finally:
            await self._connection.close()

    async def _rest(self, pause: float) -> float:
        with suppress(TimeoutError):
            # Only a dismissal comes while the carrier is not ready.
            await asyncio.wait_for(self._errand.get(), pause)
        return min(2 * pause, LONGEST_PAUSE)
