"""What the lines of the log say of the request or job that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


def bind(**fields: object) -> None:
    """Add these fields to all further lines of this thread or task, and of those that it begins with its context."""
    _bound.set({**_bound.get(), **fields})


def bound() -> Mapping[str, object]:
    """Return the fields that were added."""
    return _bound.get()
