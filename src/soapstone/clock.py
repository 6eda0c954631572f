"""The clock: the only module that reads the system's time of day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Shift:
    """The offset of a clock from the system's."""

    ahead: timedelta = timedelta(0)


# It is read for each mail, and a function of our own would take as long again.
_ask_system = partial(datetime.now, UTC)
# Servers in one process may each have a clock of their own: a thread inherits that of its starter.
_system: ContextVar[Callable[[], datetime]] = ContextVar("system_clock", default=_ask_system)
_shift: ContextVar[Shift | None] = ContextVar("shift", default=None)


def now() -> datetime:
    """Return the current instant in UTC."""
    shift = _shift.get()
    moment = _system.get()()
    return moment if shift is None else moment + shift.ahead


def system_now() -> datetime:
    """Return the system's current instant in UTC: for leases, heartbeats and files, which `shifted` does not move."""
    return _system.get()()


def instant_of(local: datetime, zone: tzinfo, *, later: bool = False) -> datetime:
    """Return the instant in UTC at which a zone's clocks show `local`, which has no zone.

    A time that occurs twice in autumn is the earlier instant, or the `later`. One that does not exist in spring moves
    forward.
    """
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # Inside the gap of spring the first, by the offset before the gap, is behind the second.
    return max(first, second) if later else first


@contextmanager
def clock(read: Callable[[], datetime]) -> Iterator[None]:
    """Read the system's current instant from `read` in this context, for simulations."""
    token = _system.set(read)
    try:
        yield
    finally:
        _system.reset(token)


@contextmanager
def shifted(shift: Shift) -> Iterator[None]:
    """Move what `now` returns in this context by the current value of `shift`."""
    token = _shift.set(shift)
    try:
        yield
    finally:
        _shift.reset(token)
