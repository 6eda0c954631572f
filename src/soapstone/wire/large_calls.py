"""Turns of the calls that keep much in memory, so that many at once do not fill it."""

import asyncio
import time

TIERS = ((64 * 1024, 0), (1024 * 1024, 16), (0, 1))
"""Bytes that a call may keep, and how many calls at once may keep that much; 0 stands for no bound."""
SMALL = TIERS[0][0]
"""Bytes that every call may keep."""
RETRY_SECONDS = 5
"""When a call that did not get its turn may be made again."""
PATIENCE = 60.0
"""Seconds that a call waits for its turn, and that it may hold it at least."""
SLOWEST = 50_000
"""Bytes a second that a call must bring while it holds a turn that others wait for, on the whole."""


class Busy(Exception):
    """The turn of a call did not come in time, or is over; the message says so."""


class LargeCalls:
    """The turns of one process."""

    def __init__(self) -> None:
        self.turns = [asyncio.Semaphore(turns) for _, turns in TIERS[1:]]
        self.waiting = 0

    def turn(self) -> "Turn":
        """Return the turn of one call. A small call waits for nothing."""
        return Turn(self)


class Turn:
    """How much one call may keep now. It is to be ended."""

    def __init__(self, large_calls: LargeCalls) -> None:
        self._calls = large_calls
        self._tier = 0
        self._began = time.monotonic()

    async def hold(self, kept: int, received: int) -> None:
        """Wait until the call may keep so many bytes. `received` is all that came in of it. Raises Busy.

        Turns are taken from the smallest to the largest, and a holder of the largest waits for none: all come to an
        end. The client waits too: what it sends is not read meanwhile. A call that comes slowly loses its turn when
        others wait.
        """
        if self._tier and self._calls.waiting and time.monotonic() - self._began > PATIENCE + received / SLOWEST:
            raise Busy("The rest of this large request comes too slowly while others wait. Try again later.")
        while 0 < TIERS[self._tier][0] < kept:
            self._calls.waiting += 1
            try:
                await asyncio.wait_for(self._calls.turns[self._tier].acquire(), PATIENCE)
            except TimeoutError:
                raise Busy("The server is busy with other large requests. Try again later.") from None
            finally:
                self._calls.waiting -= 1
            self._tier += 1
            self._began = time.monotonic()

    def end(self) -> None:
        """Let others have their turn."""
        while self._tier:
            self._tier -= 1
            self._calls.turns[self._tier].release()
