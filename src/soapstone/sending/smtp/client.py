"""One SMTP client of a send: a connection and the task that sends mails over it, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from soapstone.backoff import backoff
from soapstone.sending.ledger import Recipient
from soapstone.sending.smtp.connection import Envelope
from soapstone.sending.smtp.errors import SmtpConnectError, SmtpRefusedError
from soapstone.sending.smtp.journal import Journal
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict
from soapstone.sending.smtp.server import SmtpServer

# Seconds that a client pauses if a fresh connection carried no mail: the first time (doubled each further time)
# and at most.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 60.0
# Consecutive refusals after which the client reconnects: postfix delays each further reply by a second, and exim
# closes the connection.
MOST_REFUSALS = 5
# Seconds for one refusal after which the client reconnects: courier doubles the delay of each further reply.
LONGEST_REFUSAL = 2.0
# Seconds after the final check of a recipient within which MAIL is sent.
LONGEST_WAY = 2.0


class Idle(NamedTuple):
    """The client is ready to send a mail."""

    client: SmtpClient


class Finished(NamedTuple):
    """The attempt for a recipient (a row of the ledger) has ended."""

    row: Recipient
    outcome: Outcome


class Refused(NamedTuple):
    """The server accepts no mail from us at all."""

    why: str


class Resting(NamedTuple):
    """The client pauses because its last connection carried no mail."""

    why: str


Report = Idle | Finished | Refused | Resting


class Reports:
    """Gives each report of a send's clients to `hear` at once, and wakes the consumer when that returns True.

    For tasks of one event loop, with one consumer.
    """

    def __init__(self, hear: Callable[[Report], bool]) -> None:
        self._hear = hear
        # Whether a report calls for the consumer, and how many mails must finish before; negative for none.
        self._calls = False
        self._left = -1
        self._waiter: asyncio.Future[None] | None = None

    def put(self, report: Report) -> None:
        """Hear a report."""
        self._calls |= self._hear(report)
        self._left -= isinstance(report, Finished)
        if self._left == 0 or (self._calls and self._left < 0):
            self.wake()

    def wake(self) -> None:
        """Wake the consumer, now or when it waits next."""
        self._calls = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, seconds: float, *, finished: int = 0) -> bool:
        """Wait for a report that calls for the consumer, or for this number of finished mails; False on timeout."""
        if self._calls and not finished:
            self._calls = False
            return True
        self._left, self._waiter = finished or -1, asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._waiter
        except TimeoutError:
            return False
        finally:
            self._left, self._waiter = -1, None
        self._calls = False
        return True


class SmtpClient:
    """An SMTP connection and the task that sends mails over it.

    A connection that the server no longer serves is closed. If it carried mails, the next one is opened at
    once; otherwise after a pause that grows until a connection carries a mail again (RFC 5321 4.5.4.1).
    """

    def __init__(self, reports: Reports, server: SmtpServer) -> None:
        self._reports = reports
        self._server = server
        self._connection = server.connection()
        self._next: asyncio.Queue[tuple[Recipient, Envelope, float, Journal | None] | None] = asyncio.Queue()
        self._wanted = True
        # Consecutive connections that carried no mail.
        self._failures = 0
        # Mails over this connection with a definite reply, and the current number of consecutive refusals.
        self._carried = self._refusals = 0
        self.task = asyncio.ensure_future(self._work())

    def send(self, row: Recipient, envelope: Envelope, checked_at: float, journal: Journal | None) -> None:
        """Send this mail next; the client must be idle. `checked_at` is the loop's time of the final check."""
        self._next.put_nowait((row, envelope, checked_at, journal))

    def dismiss(self) -> None:
        """End after the current mail."""
        self._wanted = False
        self._next.put_nowait(None)

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while self._wanted:
                if not self._connection.connected and not await self._connect():
                    continue
                self._reports.put(Idle(self))
                given = await self._next.get()
                if given is None:
                    break
                row, envelope, checked_at, journal = given
                if clock() - checked_at > LONGEST_WAY:
                    outcome = Outcome(verdict=Verdict.BUSY, stage=Stage.MAIL, reply="")
                    self._reports.put(Finished(row, outcome))
                    continue
                began = clock()
                begin_by = checked_at + LONGEST_WAY
                outcome = await self._connection.send(envelope, begin_by=begin_by, journal=journal, number=row.id)
                self._reports.put(Finished(row, outcome))
                if outcome.verdict is Verdict.ACCEPTED:
                    self._carried += 1
                    self._failures = self._refusals = 0
                else:
                    await self._after(outcome, clock() - began)
        finally:
            await self._connection.close()

    async def _connect(self) -> bool:
        self._carried = self._refusals = 0
        try:
            await self._connection.open()
        except SmtpRefusedError as error:
            self._wanted = False
            self._reports.put(Refused(str(error)))
        except SmtpConnectError as error:
            await self._rest(str(error))
        return self._connection.connected

    async def _after(self, outcome: Outcome, seconds: float) -> None:
        """Close the connection if it is of no more use after a refusal; pause if it carried no mail.

        `seconds` is the time that the server took for the mail.
        """
        left = not self._connection.connected
        if outcome.took_up and not left:
            self._carried += 1
            self._failures = 0
        self._refusals += 1
        if outcome.verdict is Verdict.BUSY:
            await self._connection.close()
            left = True
        elif seconds > LONGEST_REFUSAL:
            # The reply to QUIT would be as slow.
            self._connection.drop()
        elif self._refusals >= MOST_REFUSALS:
            await self._connection.close()
        if left and not self._carried:
            await self._rest(outcome.reply)

    async def _rest(self, why: str) -> None:
        self._reports.put(Resting(why))
        self._failures += 1
        with suppress(TimeoutError):
            # Only a dismissal arrives while the client is busy.
            pause = backoff(self._failures, FIRST_PAUSE, LONGEST_PAUSE)
            await asyncio.wait_for(self._next.get(), self._server.jittered(pause))
