"""A connection of a send and the task that hands mails over on it, one at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Protocol

from sqlalchemy import Row

from soapstone.sending.smtp.connection import Letter, NotConnected, Outcome, Refused, SmtpConnection
from soapstone.sending.smtp.replies import Stage, Verdict
from soapstone.sending.smtp.server import SmtpServer

# Seconds that a carrier rests when a server has taken nothing on a fresh connection; twice as long each further time,
# and at most.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 60.0
# Refusals of mails in a row after which a connection is left: postfix delays each further reply by a second, and exim
# closes the connection.
MOST_REFUSALS = 5
# Seconds for a refusal after which a connection is left: courier takes twice as long for each further reply.
LONGEST_REFUSAL = 2.0
# Seconds after the last look at a recipient within which MAIL is said.
LONGEST_WAY = 2.0


class Desk(Protocol):
    """What a carrier tells the send."""

    def ready(self, carrier: Carrier) -> None:
        """Tell that the carrier can take a mail."""

    def done(self, row: Row[Any], outcome: Outcome) -> None:
        """Tell what the server said of a mail."""

    def refused(self, why: str) -> None:
        """Tell that the server does not take mail from us at all."""

    def troubled(self, why: str) -> None:
        """Tell why the carrier rests."""


class Carrier:
    """A connection and the task that hands mails over on it.

    A connection that the server does not serve any more is left. Where mails went over it the next one is opened at
    once, otherwise after a pause that grows until a connection carries a mail again (RFC 5321 4.5.4.1).
    """

    def __init__(self, desk: Desk, server: SmtpServer) -> None:
        self._desk = desk
        self._server = server
        self._connection: SmtpConnection = server.connection()
        self._errand: asyncio.Queue[tuple[Row[Any], Letter, float] | None] = asyncio.Queue()
        self._wanted = True
        self._pause = FIRST_PAUSE
        # Mails over this connection of which the server said what it does with them, and the last refusals in a row.
        self._carried = self._refusals = 0
        self.resting = False
        self.task = asyncio.ensure_future(self._work())

    def take(self, row: Row[Any], letter: Letter, looked_at: float) -> None:
        """Hand this mail over next; the carrier was ready. `looked_at` is the loop's time of the last look."""
        self._errand.put_nowait((row, letter, looked_at))

    def dismiss(self) -> None:
        """End after the mail under way."""
        self._wanted = False
        self._errand.put_nowait(None)

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while self._wanted:
                if not self._connection.connected and not await self._connect():
                    continue
                self._desk.ready(self)
                errand = await self._errand.get()
                if errand is None:
                    break
                row, letter, looked_at = errand
                if clock() - looked_at > LONGEST_WAY:
                    outcome = Outcome(verdict=Verdict.BUSY, stage=Stage.MAIL, reply="")
                    self._desk.done(row, outcome)
                    continue
                began = clock()
                outcome = await self._connection.hand(letter, begin_by=looked_at + LONGEST_WAY)
                self._desk.done(row, outcome)
                await self._after(outcome, clock() - began)
        finally:
            await self._connection.close()

    async def _connect(self) -> bool:
        self._carried = self._refusals = 0
        try:
            await self._connection.open()
        except Refused as refused:
            self._wanted = False
            self._desk.refused(str(refused))
        except NotConnected as trouble:
            await self._rest(str(trouble))
        return self._connection.connected

    async def _after(self, outcome: Outcome, seconds: float) -> None:
        """Leave the connection where it is of no more use, and rest where it was of none.

        `seconds` is how long the server took for the mail.
        """
        left = not self._connection.connected
        accepted = outcome.verdict is Verdict.ACCEPTED
        if accepted or (outcome.took_up and not left):
            self._carried += 1
            self._pause = FIRST_PAUSE
        self._refusals = 0 if accepted else self._refusals + 1
        if outcome.verdict is Verdict.BUSY:
            await self._connection.close()
            left = True
        elif not accepted and seconds > LONGEST_REFUSAL:
            # The reply to QUIT would take as long.
            self._connection.drop()
        elif self._refusals >= MOST_REFUSALS:
            await self._connection.close()
        if left and not self._carried:
            await self._rest(outcome.reply)

    async def _rest(self, why: str) -> None:
        self._desk.troubled(why)
        self.resting = True
        with suppress(TimeoutError):
            # Only a dismissal comes while the carrier is not ready.
            await asyncio.wait_for(self._errand.get(), self._server.jittered(self._pause))
        self.resting = False
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
