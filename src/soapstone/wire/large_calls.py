"""Turns of the calls that keep much in memory, so that many at once do not fill it."""

import asyncio

TIERS = ((64 * 1024, 0), (1024 * 1024, 16), (0, 1))
"""Bytes that a call may keep, and how many calls at once may keep that much; 0 stands for no bound."""
RETRY_SECONDS = 5
"""When a call that did not get its turn may be made again."""
PATIENCE = 60.0
"""Seconds that a call waits for its turn."""


class Busy(Exception):
    """The turn of a call did not come in time; the message says so."""


class LargeCalls:
    """The turns of one process."""

    def __init__(self) -> None:
        self.turns = [asyncio.Semaphore(turns) for _, turns in TIERS[1:]]

    def turn(self) -> "Turn":
        """The turn of one call. A small call waits for nothing."""
        return Turn(self)


class Turn:
    """How much one call may keep now. It is to be ended."""

    def __init__(self, large_calls: LargeCalls) -> None:
        self._turns = large_calls.turns
        self._tier = 0

    def too_small(self, kept: int) -> bool:
        """Whether the call keeps more bytes than it may."""
        most = TIERS[self._tier][0]
        return 0 < most < kept

    async def widen(self, kept: int) -> None:
        """Wait until the call may keep so many bytes. Raises Busy.

        Turns are taken from the smallest to the largest, and a holder of the largest waits for none: all come to an
        end. The client waits too: what it sends is not read meanwhile.
        """
        while self.too_small(kept):
            try:
                await asyncio.wait_for(self._turns[self._tier].acquire(), PATIENCE)
            except TimeoutError:
                raise Busy("The server is busy with other large requests. Try again later.") from None
            self._tier += 1

    def end(self) -> None:
        """Let others have their turn."""
        while self._tier:
            self._tier -= 1
            self._turns[self._tier].release()
