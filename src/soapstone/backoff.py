"""Exponential backoff between attempts."""

from __future__ import annotations


def backoff(failures: int, first: float, longest: float) -> float:
    """Return the seconds to wait after this number (from 1) of failures in a row: `first`, doubled up to `longest`."""
    return min(longest, first * 2.0 ** min(failures - 1, 30))
