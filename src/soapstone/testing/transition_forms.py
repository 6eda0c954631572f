"""The form in which the control API takes transitions. Only it loads what checks it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from soapstone.api.values import LARGEST
from soapstone.clock import now
from soapstone.vocabulary.rows import REJECTED, ImportOutcome

# Rows that one transition rejects.
MOST_ROWS = 10_000


def _known(reason: str) -> str:
    if reason not in REJECTED:
        raise ValueError(f"no reason of this server; these are: {', '.join(sorted(REJECTED))}")
    return reason


RejectReason = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(REJECTED)})]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AfterPolls(_In):
    """The next state comes once this number of polls has seen the one before."""

    after_polls: int = Field(ge=0, le=1_000_000)

    def is_seen(self, polls: int) -> bool:
        """Return whether a poll, the last of so many, sees the next state."""
        return polls > self.after_polls

    def has_come(self, since: datetime | None) -> bool:
        """Return whether the time has come that the clock tells."""
        return False


class AfterSeconds(_In):
    """The next state comes this many seconds of the server's clock after the one before."""

    after_seconds: float = Field(ge=0, le=1e9, allow_inf_nan=False)

    def is_seen(self, polls: int) -> bool:
        """Return whether a poll, the last of so many, sees the next state."""
        return False

    def has_come(self, since: datetime | None) -> bool:
        """Return whether the seconds have passed since then, by the server's clock."""
        return since is not None and now() >= since + timedelta(seconds=self.after_seconds)


Moment = Literal["at_once", "told", "never"] | AfterPolls | AfterSeconds


class RejectRow(_In):
    """A row that an import rejects: the physical line that it begins on, from 1, and the reason as reports name it."""

    row: int = Field(ge=1, le=LARGEST)
    reason: RejectReason = ImportOutcome.INVALID_ADDRESS


class TransitionIn(_In):
    """When jobs begin (`start`) and end (`end`), and how.

    `jobs` is the number of a job, "next" for the next job that is submitted, or "all" for every job from now on that
    has no other transition. A job with the outcome "failed" ends with this `reason` and does no work.
    """

    jobs: Literal["next", "all"] | Annotated[int, Field(ge=1, le=LARGEST, strict=True)] = "next"
    start: Moment = "at_once"
    end: Moment = "at_once"
    outcome: Literal["completed", "failed"] = "completed"
    reason: str = Field("", max_length=1000)
    reject_rows: list[RejectRow] = Field([], max_length=MOST_ROWS)

    @model_validator(mode="after")
    def _check(self) -> TransitionIn:
        if self.outcome == "failed" and not self.reason.strip():
            raise ValueError("a job that fails needs a reason")
        if self.outcome != "failed" and self.reason:
            raise ValueError("a reason belongs to the outcome failed")
        if self.outcome == "failed" and self.reject_rows:
            raise ValueError("a job that fails reads no rows")
        return self
