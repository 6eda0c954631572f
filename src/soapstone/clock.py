"""The clock: the one module that asks the system for the time of day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime


def system_now() -> datetime:
    """Return the system's current instant in UTC: for leases, heartbeats and files, whose time nobody sets."""
    return datetime.now(UTC)


_read: ContextVar[Callable[[], datetime]] = ContextVar("clock", default=system_now)


def now() -> datetime:
    """Return the current instant in UTC."""
    return _read.get()()


@contextmanager
def clock(read: Callable[[], datetime]) -> Iterator[None]:
    """Take the current instant from `read` in this context: for simulations and servers with a time of their own.

    Threads that are started inside follow where they are given a copy of the context.
    """
    token = _read.set(read)
    try:
        yield
    finally:
        _read.reset(token)
