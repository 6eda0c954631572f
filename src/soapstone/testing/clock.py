"""The clock of a test server: the system's, until it is set. It goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from soapstone.clock import now
from soapstone.errors import InvalidError

# Range that a test may set: the server adds days and years to it.
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class Setting(BaseModel):
    """A change of the clock: `set` to an instant with its zone, or `advance` by seconds (back if negative)."""

    model_config = ConfigDict(extra="forbid")

    set: AwareDatetime | None = None
    advance: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Setting:
        if (self.set is None) == (self.advance is None):
            raise ValueError("give either set or advance")
        return self


class Moment(BaseModel):
    """The current instant of the clock."""

    now: datetime


def router(set_clock: Callable[[datetime], None]) -> APIRouter:
    """Return the calls about the clock; `set_clock` is called on the event loop."""
    routes = APIRouter(tags=["clock"])

    @routes.get("/clock", summary="Tell the time")
    async def clock() -> Moment:
        """Return the current instant of the clock that schedules, sessions, lock-outs and delays follow."""
        return Moment(now=now())

    @routes.post("/clock", summary="Set or advance the clock")
    async def set_or_advance(setting: Setting) -> Moment:
        """Set the clock, which then runs on. Jobs due by then start shortly.

        Time-outs of connections, leases and heartbeats stay on the system's clock.
        """
        try:
            moment = setting.set or now() + timedelta(seconds=setting.advance or 0)
        except OverflowError:
            moment = LATEST
        if not EARLIEST <= moment < LATEST:
            raise InvalidError(f"The clock goes from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}.")
        set_clock(moment)
        return Moment(now=now())

    return routes
