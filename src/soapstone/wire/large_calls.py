"""Limits on calls that keep much in memory, so that many at once do not fill it."""

import asyncio
import time

TIERS = ((64 * 1024, 0), (1024 * 1024, 16), (0, 1))
"""Bytes that a call may keep, and the number of calls that may keep that much at once; 0 means no bound."""
SMALL = TIERS[0][0]
"""Bytes that any call may keep without a turn."""
RETRY_SECONDS = 5
"""Seconds for Retry-After of a call that got no turn."""
PATIENCE = 60.0
"""Seconds that a call waits for its turn, and may hold it at least."""
SLOWEST = 50_000
"""Average bytes per second that a call must send while others wait for its turn."""


class Busy(Exception):
    """A call got no turn in time, or lost it; the message says which."""


class LargeCalls:
    """The turns of one process."""

    def __init__(self) -> None:
        self.turns = [asyncio.Semaphore(turns) for _, turns in TIERS[1:]]
        self.waiting = 0

    def turn(self) -> "Turn":
        """Return the turn of one call. A small call never waits."""
        return Turn(self)


class Turn:
    """The amount that one call may keep now. Call `end` afterwards."""

    def __init__(self, large_calls: LargeCalls) -> None:
        self._calls = large_calls
        self._tier = 0
        self._began = time.monotonic()

    async def hold(self, kept: int, received: int) -> None:
        """Wait until the call may keep `kept` bytes; `received` is the number received. Raises Busy.

        Turns are taken from the smallest to the largest, and a holder of the largest waits for none: no deadlock.
        The client waits too, since its data is not read meanwhile. A slow call loses its turn if
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
        """Release the turn."""
        while self._tier:
            self._tier -= 1
            self._calls.turns[self._tier].release()
