"""The order of recipients: first attempts in order, then due retries, each as rate limits allow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import func, select

from soapstone.clock import now
from soapstone.jobs.run import Run
from soapstone.sending.ledger import Recipient
from soapstone.sending.mail.builder import MailBuilder
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.store.tables import deliveries

# Recipients read at once, and most that wait in memory while their domains are rate-limited.
READ_AHEAD = 500
MOST_WAITING = 2_000


class Progress(NamedTuple):
    """The progress of a send.

    First attempts have begun for all recipients up to `place`; recipients are read up to `read_to`. `all_begun`
    says that every first attempt has begun. `in_hand` mails are taken and not yet given to a client.
    """

    place: int
    read_to: int
    all_begun: bool
    in_hand: int


class Schedule:
    """The recipients that one attempt at a send has read from the ledger.

    `under_way` holds the numbers of those being sent to. `wait` is the number of seconds for which rate limits hold
    everything back, 0 if they do not. `next_due` is the time of the next retry that is only in the ledger.
    """

    def __init__(self, run: Run, builder: MailBuilder, rates: Rates) -> None:
        self._run = run
        self._builder = builder
        self._rates = rates
        # Recipients up to this number are read for a first attempt; `last` is the send's last one.
        self._read_to = int(run.job.checkpoint.get("place", 0))
        self._last = int(run.job.checkpoint["last"])
        self._queued: deque[Recipient] = deque()
        # Whether they are in the order of their numbers.
        self._ascends = True
        self._due: deque[Recipient] = deque()
        self.under_way: set[int] = set()
        # First attempts whose start is not committed yet.
        self._uncommitted: set[int] = set()
        self.wait = 0.0
        self.next_due: datetime | None = None
        self.look_ahead()

    @property
    def most(self) -> int:
        """The most recipients that may be taken at once: fewer than are read ahead, which bounds a power loss."""
        return READ_AHEAD * 4 // 5

    @property
    def is_empty(self) -> bool:
        """Whether no recipient is left in memory."""
        return not (self._queued or self._due)

    async def fill(self, *, is_idle: bool, finished: Collection[int]) -> None:
        """Read more of the ledger if few recipients are left, or all are rate-limited and a client is idle.

        `finished` holds the numbers of those whose outcome is not in the ledger yet.
        """
        held_up = bool(self.wait and is_idle)
        if len(self._queued) < READ_AHEAD // 2 or (held_up and len(self._queued) < MOST_WAITING):
            await asyncio.to_thread(self._read_on)
        if self.next_due is not None and self.next_due <= now() and len(self._due) < READ_AHEAD:
            await asyncio.to_thread(self._read_due, finished)

    def take(self, most: int) -> list[Recipient]:
        """Return at most `most` recipients to send to now, and mark them as under way."""
        taken = list(self._pick(most))
        self.under_way.update(row.id for row in taken)
        self._uncommitted.update(row.id for row in taken if row.state == "chosen")
        return taken

    def upcoming(self, most: int) -> Iterator[Recipient]:
        """Return the recipients likely to be taken next."""
        return islice(self._queued, most)

    def put_back(self, row: Recipient, *, last: bool) -> None:
        """Requeue a first attempt, before all others or (`last`) behind those in memory."""
        self._ascends = False
        if last:
            self._queued.append(row)
        else:
            self._queued.appendleft(row)

    def progress(self, settled: Collection[int], returned: Sequence[int], in_hand: int) -> Progress:
        """Return the progress after a commit.

        `settled` holds the recipients that it records as begun or ended; `returned` those put back
        after it. If it is refused, such as by a pause, the next attempt finds its recipients behind `place`.
        """
        uncommitted = self._uncommitted.difference(settled)
        first = self._lowest()
        place = min([first, *returned, *uncommitted]) - 1
        all_begun = self._read_to >= self._last and not (self._queued or returned or uncommitted)
        return Progress(place, self._read_to, all_begun and not in_hand, in_hand)

    def commit(self, settled: Collection[int]) -> None:
        """Record that the commit of these succeeded."""
        self._uncommitted.difference_update(settled)

    def look_ahead(self) -> None:
        """Look up when the next retry is due."""
        query = select(func.min(deliveries.c.next_try_at)).where(
            deliveries.c.job_id == self._run.job.id,
            deliveries.c.next_try_at.is_not(None),
            deliveries.c.state != "handing",
            deliveries.c.id.not_in([row.id for row in self._due]),
        )
        with self._run.database.read() as connection:
            self.next_due = connection.execute(query).scalar_one()

    def _lowest(self) -> int:
        """Return the lowest number in the queue, or the next one that is read."""
        if not self._queued:
            self._ascends = True
            return self._read_to + 1
        lowest: int = self._queued[0].id if self._ascends else min(row.id for row in self._queued)
        return lowest

    def _pick(self, most: int) -> Iterator[Recipient]:
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
                self._ascends = False
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
