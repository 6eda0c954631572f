"""Figures are written as people read them."""

from __future__ import annotations

import pytest

from soapstone.console.number_format import left, number, rate, size, span


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (number(1234567), "1,234,567"),
        (number(1234.56), "1,234.6"),
        (size(999), "999 bytes"),
        (size(1500), "1.5 KB"),
        (size(2_500_000_000_000), "2,500.0 GB"),
        (span(0.0001), "under 1 ms"),
        (span(0.25), "250 ms"),
        (span(59.94), "59.9 s"),
        (span(60.4), "1 min 0 s"),
        (span(3725), "1 h 2 min"),
        (left(0.2), "under 1 s"),
        (left(59.4), "59 s"),
        (left(59.6), "1 min 0 s"),
        (left(7200), "2 h 0 min"),
        (rate(0.25, "rows"), "0.2 rows/s"),
        (rate(1234.5, "mails"), "1,234 mails/s"),
    ],
)
def test_figures(written: str, read: str) -> None:
    assert written == read
