"""Percents: half rounded up on exact decimals (lk-28, lk-108)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.listrak.percent import percent


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(0, 0, "0"), (5, 0, "0"), (1, 3, "33.33"), (2, 3, "66.67"), (1, 800, "0.13"), (1, 20_000, "0.01"), (7, 5, "100")],
)
def test_percent(part: int, whole: int, expected: str) -> None:
    assert percent(part, whole) == Decimal(expected)


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_the_nearest_hundredth(part: int, whole: int) -> None:
    found = percent(part, whole)
    assert found == found.quantize(Decimal("0.01"), ROUND_HALF_UP)
    exact = min(Fraction(100 * part, whole), Fraction(100))
    # Half goes up, so the difference may be half a hundredth upwards only.
    assert Fraction(found) - exact <= Fraction(1, 200)
    assert exact - Fraction(found) < Fraction(1, 200)
