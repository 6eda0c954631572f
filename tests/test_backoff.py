"""Pauses between attempts."""

from __future__ import annotations

from soapstone.backoff import backoff


def test_each_pause_is_twice_as_long_up_to_the_limit() -> None:
    assert [backoff(n, 1.5, 10.0) for n in (1, 2, 3, 4, 5)] == [1.5, 3.0, 6.0, 10.0, 10.0]
    assert backoff(10**9, 0.001, 60.0) == 60.0
