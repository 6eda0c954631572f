"""Log fields of the current request or job."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


def bind(**fields: object) -> None:
    """Add fields to all further log lines of this thread or task, and of those started in its context."""
    _bound.set({**_bound.get(), **fields})


def bound() -> Mapping[str, object]:
    """Return the added fields."""
    return _bound.get()
