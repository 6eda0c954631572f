"""Jobs and their events, as read from the database."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from soapstone.vocabulary.jobs import ENDED

log = logging.getLogger(__name__)


# Fields whose column has another name.
_COLUMNS = {"crashes": "deaths", "releases_list": "passes"}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job as it stood when it was read.

    `state` is one of JobState; those in ENDED are final, but a failed job may be retried. `step` counts finished steps,
    up to `steps`. `request`, `checkpoint` and `counters` are documents that belong to the kind of work. `blob_size` is
    in bytes. `crashes` counts the last attempts in a row whose worker died before they made progress. A `paused` job is
    queued and not claimed; one that `releases_list` no longer needs its list.
    """

    id: int
    account_id: int
    login_id: int | None
    kind: str
    list_id: int | None
    state: str
    step: int
    steps: int
    request: Mapping[str, Any]
    checkpoint: Mapping[str, Any]
    counters: Mapping[str, int]
    blob: str | None
    blob_size: int
    label: str
    submitted_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    crashes: int
    lease_until: datetime | None
    worker: str
    cancel_asked: bool
    paused: bool
    releases_list: bool
    error: str

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.state in ENDED

    def is_due(self, moment: datetime) -> bool:
        """Return whether the job may begin at this moment; one that was to begin at once may, whatever the clock says
        now."""
        return self.due_at <= max(moment, self.submitted_at)

    @classmethod
    def of(cls, row: RowMapping) -> Job:
        """Build the job from a row with at least the columns of the table."""
        return cls(**{name: row[_COLUMNS.get(name, name)] for name in cls.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """A change of a job's state, step or attempt."""

    state: str
    step: int
    attempt: int
    at: datetime


def log_end(job_id: int, kind: str, account_id: int, state: str, error: str = "") -> None:
    """Write the end of a job to the log. The line begins in a fixed form, for programs that read it."""
    fields = {"job": job_id, "kind": kind, "state": state, "account": account_id}
    log.log(
        logging.WARNING if state == "failed" else logging.INFO,
        "job ended",
        extra=fields | ({"reason": error} if error else {}),
    )
