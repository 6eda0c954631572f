"""How long to wait between attempts: twice as long after each failure, up to a limit."""

from __future__ import annotations


def backoff(failures: int, first: float, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row, from 1: `first`, doubled up to `longest`."""
    return min(longest, first * 2.0 ** min(failures - 1, 30))
