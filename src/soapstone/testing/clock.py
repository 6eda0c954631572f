"""The clock of a test server: the system's, moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from soapstone.clock import system_now

# Instants that a test may set: the rest of the server adds days and years to them.
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class OutOfRange(ValueError):
    """The clock does not go that far; the message is a sentence."""


class MovableClock:
    """The system's clock until it is set or advanced. It goes on from there."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        return system_now() + self._ahead

    def set(self, moment: datetime) -> None:
        """Go on from `moment`, which is aware. Raises OutOfRange."""
        if not EARLIEST <= moment < LATEST:
            raise OutOfRange(f"The clock goes from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}.")
        self._ahead = moment - system_now()

    def advance(self, seconds: float) -> None:
        """Go on from `seconds` later; a negative number goes back. Raises OutOfRange."""
        try:
            moment = self.now() + timedelta(seconds=seconds)
        except OverflowError:
            moment = LATEST
        self.set(moment)

    def clear(self) -> None:
        """Be the system's clock again."""
        self._ahead = timedelta(0)
