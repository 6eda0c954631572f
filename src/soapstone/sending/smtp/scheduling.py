"""Who gets a mail next: first attempts in order, then retries that are due, each when the limits of rate let it go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select

from soapstone.clock import now
from soapstone.jobs.run import Run
from soapstone.sending.mail.builder import MailBuilder
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.store.tables import deliveries

# Recipients that are looked up at once, and that wait in memory while their domains may get nothing yet.
READ_AHEAD = 250
MOST_WAITING = 2_000


class Progress(NamedTuple):
    """How far a send is.

    All recipients up to `place` had a first attempt, or have it now; recipients were read up to `read_to`. `all_begun`
    says that every recipient had a first attempt.
    """

    place: int
    read_to: int
    all_begun: bool


class Schedule:
    """The recipients of one attempt at a send, apart from those that are in the ledger only.

    `under_way` are the numbers of those whose mails are being sent. `wait` is for how many seconds the limits let no
    further one go, 0 where they do. `next_due` is when the next retry is due, of those in the ledger only.
    """

    def __init__(self, run: Run, builder: MailBuilder, rates: Rates) -> None:
        self._run = run
        self._builder = builder
        self._rates = rates
        # Recipients up to this number were taken out of the ledger for a first attempt; up to `last` there are any.
        self._read_to = int(run.job.checkpoint.get("place", 0))
        self._last = int(run.job.checkpoint["last"])
        self._queued: deque[Row[Any]] = deque()
        self._due: deque[Row[Any]] = deque()
        self.under_way: set[int] = set()
        # First attempts of which it is not committed yet that they begin.
        self._uncommitted: set[int] = set()
        self.wait = 0.0
        self.next_due: datetime | None = None
        self.look_ahead()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left in memory."""
        return not (self._queued or self._due)

    async def fill(self, *, is_idle: bool, finished: Collection[int]) -> None:
        """Read on in the ledger where few are left, or where all are held up by their domains and a client is idle.

        `finished` are the numbers of those whose outcome is not in the ledger yet.
        """
        held_up = bool(self.wait and is_idle)
        if len(self._queued) < READ_AHEAD // 2 or (held_up and len(self._queued) < MOST_WAITING):
            await asyncio.to_thread(self._read_on)
        if self.next_due is not None and self.next_due <= now() and len(self._due) < READ_AHEAD:
            await asyncio.to_thread(self._read_due, finished)

    def take(self, most: int) -> list[Row[Any]]:
        """Return recipients that get their mail now, at most so many; they are under way from now on."""
        taken = list(self._pick(most))
        self.under_way.update(row.id for row in taken)
        self._uncommitted.update(row.id for row in taken if row.state == "chosen")
        return taken

    def upcoming(self, most: int) -> Iterator[Row[Any]]:
        """Return those that are likely to be taken next."""
        return islice(self._queued, most)

    def put_back(self, row: Row[Any], *, last: bool) -> None:
        """Let a first attempt begin anew, before all others or behind those in memory."""
        if last:
            self._queued.append(row)
        else:
            self._queued.appendleft(row)

    def progress(self, settled: Collection[int], returned: Sequence[int]) -> Progress:
        """Return how far the send is after a commit.

        `settled` are those of which it says that they begin, or how they ended; `returned` those that are put back
        after it. Those whose commit was refused, such as by a pause, are found behind `place` by the next attempt.
        """
        uncommitted = self._uncommitted.difference(settled)
        first = min((row.id for row in self._queued), default=self._read_to + 1)
        place = min([first, *returned, *uncommitted]) - 1
        all_begun = self._read_to >= self._last and not (self._queued or returned or uncommitted)
        return Progress(place, self._read_to, all_begun)

    def commit(self, settled: Collection[int]) -> None:
        """Note that a commit with these has succeeded."""
        self._uncommitted.difference_update(settled)

    def look_ahead(self) -> None:
        """Find out when the next retry is due."""
        query = select(func.min(deliveries.c.next_try_at)).where(
            deliveries.c.job_id == self._run.job.id,
            deliveries.c.next_try_at.is_not(None),
            deliveries.c.state != "handing",
            deliveries.c.id.not_in([row.id for row in self._due]),
        )
        with self._run.database.read() as connection:
            self.next_due = connection.execute(query).scalar_one()

    def _pick(self, most: int) -> Iterator[Row[Any]]:
        self.wait = 0.0
        for queue in (self._queued, self._due):
            for _ in range(len(queue)):
                if most <= 0:
                    return
                wait = self._rates.take(queue[0].email_key.rpartition("@")[2])
                if not wait:
                    most -= 1
                    yield queue.popleft()
                    continue
                self.wait = min(self.wait or wait, wait)
                queue.rotate(-1)
                if self._rates.total_wait():
                    return

    def _read_on(self) -> None:
        if self._read_to >= self._last:
            return
        rows = self._builder.queued(self._read_to, self._last, READ_AHEAD)
        self._read_to = rows[-1].id if rows else self._last
        self._queued.extend(rows)

    def _read_due(self, finished: Collection[int]) -> None:
        taken = self.under_way.union((row.id for row in self._due), finished)
        rows = self._builder.due(now(), READ_AHEAD + len(taken))
        self._due.extend(row for row in rows if row.id not in taken)
        self.look_ahead()
