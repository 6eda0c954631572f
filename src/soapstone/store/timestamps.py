"""Instants: aware UTC datetimes, stored as microseconds since 1970 so that both databases compare them alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, overload

from sqlalchemy import BigInteger
from sqlalchemy.types import TypeDecorator

from soapstone.clock import EPOCH as EPOCH

_MICROSECOND = timedelta(microseconds=1)


@overload
def microseconds(moment: datetime) -> int: ...
@overload
def microseconds(moment: datetime | None) -> int | None: ...
def microseconds(moment: datetime | None) -> int | None:
    """Return an instant as the database has it: microseconds since 1970."""
    return None if moment is None else (moment - EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """A column of instants; naive datetimes are refused, because their zone is unknown."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        return microseconds(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)
