"""Instants: aware UTC datetimes, stored as microseconds since 1970 so that both databases compare them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _system_clock() -> datetime:
    return datetime.now(UTC)


_clock = _system_clock


def now() -> datetime:
    """Return the current instant in UTC."""
    return _clock()


@contextmanager
def clock(read: Callable[[], datetime]) -> Iterator[None]:
    """Take the current instant from `read` in this process: for simulations with a time of their own."""
    global _clock
    before, _clock = _clock, read
    try:
        yield
    finally:
        _clock = before


class Instant(TypeDecorator[datetime]):
    """A column of instants; naive datetimes are refused, since nobody could say which zone they mean."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        return (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)
