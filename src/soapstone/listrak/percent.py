"""Percents of the contract."""

from __future__ import annotations

from decimal import Decimal


def percent(part: int, whole: int) -> Decimal:
    """Return a share from 0 to 100 with two decimals, half rounded up; 0 of nothing (lk-28).

    A late bounce lowers what percents are of, so that more may have opened than were delivered: that is 100.
    """
    if whole <= 0:
        return Decimal("0.00")
    hundredths = (2 * 10_000 * part + whole) // (2 * whole)
    return Decimal(min(hundredths, 10_000)).scaleb(-2)
