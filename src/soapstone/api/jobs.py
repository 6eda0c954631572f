"""Jobs: progress, cancelling, retrying and watching."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from zlib import crc32

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from soapstone.api.authentication import CHECK, Caller, Calling
from soapstone.api.problems import not_found
from soapstone.api.values import LARGEST, PLAIN, Cursor, Limit, Moment, Number, Page, Shown, page
from soapstone.errors import ConflictError, SoapstoneError
from soapstone.imports.misfits import misfits_of
from soapstone.imports.surplus import surplus_of
from soapstone.jobs.job import Job
from soapstone.product import Product
from soapstone.vocabulary.jobs import IMPORTS, JobKind, JobState

router = APIRouter(prefix="/jobs", tags=["jobs"])

# Seconds between two reads of a watched job, and between two keep-alive comments.
LOOK, COMFORT = 0.5, 15.0
# Events pass at once, also through a proxy such as nginx.
UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class MisfitsOut(Shown):
    """Values that did not fit an attribute: left out, or `cut` if too long. `line` is the first such line."""

    attribute_id: int
    attribute: str
    values: int
    line: int
    cut: bool


class SurplusOut(Shown):
    """Rows with values beyond the last heading, which were left out. `line` is the first such row's line."""

    rows: int
    line: int


class JobOut(BaseModel):
    """A job. `progress` of an import has rows read and done, rate (rows a second) and seconds left, as far as known.

    `unused_columns` are headings of an import's file that nothing uses, 100 at most. Its `counters.repaired` are rows
    with addresses such as `Ann <ann@x.example>`, `misfits` values that did not fit their attributes, and
    `surplus` rows with values beyond the last heading, null without any.
    """

    id: int
    kind: str
    list_id: int | None
    state: str
    step: int
    steps: int
    label: str
    counters: dict[str, int]
    progress: dict[str, Any]
    unused_columns: list[str]
    misfits: list[MisfitsOut]
    surplus: SurplusOut | None
    submitted_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    error: str

    @classmethod
    def of(cls, product: Product, job: Job) -> JobOut:
        """Return the job as it is shown."""
        own = {name: getattr(job, name) for name in cls.model_fields if hasattr(job, name)}
        if job.kind not in IMPORTS:
            return cls(**own, progress={}, unused_columns=[], misfits=[], surplus=None)
        surplus = surplus_of(job)
        return cls(
            **own,
            progress=dict(product.imports.progress(job).__dict__),
            unused_columns=product.imports.unused(job),
            misfits=[MisfitsOut.of(each) for each in misfits_of(job)],
            surplus=None if surplus is None else SurplusOut.of(surplus),
        )


@router.get("")
def list_jobs(
    caller: Calling,
    list_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    kind: Annotated[JobKind | None, Query()] = None,
    state: Annotated[JobState | None, Query()] = None,
    submitted_since: Moment | None = None,
    submitted_before: Moment | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[JobOut]:
    """List the jobs of lists that the login may see, oldest first."""
    caller.require(list_id)
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.jobs.after(
            caller.account.id,
            after,
            most,
            list_id=list_id,
            kinds=[kind] if kind else [],
            state=state,
            submitted_from=submitted_since,
            submitted_before=submitted_before,
        ),
        lambda job: JobOut.of(caller.product, job),
    )


@router.get("/{job_id}")
def get_job(job_id: Number, caller: Calling) -> JobOut:
    """Return one job."""
    return JobOut.of(caller.product, asked(caller, job_id))


@router.post("/{job_id}/cancel", status_code=202)
def cancel_job(job_id: Number, caller: Calling) -> JobOut:
    """Cancel a job after the work under way; finished work is kept."""
    find(caller, job_id)
    if not caller.product.jobs.cancel([caller.account.id], job_id):
        raise ConflictError("The job is over.")
    return JobOut.of(caller.product, find(caller, job_id))


@router.post("/{job_id}/retry", status_code=202)
def retry_job(job_id: Number, caller: Calling) -> JobOut:
    """Retry a failed job from where it stopped."""
    find(caller, job_id)
    if not caller.product.jobs.retry([caller.account.id], job_id):
        raise ConflictError("Only a failed job can be retried, while its file exists.")
    return JobOut.of(caller.product, find(caller, job_id))


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": PLAIN}, "description": "Server-sent events"},
        204: {"description": "The job has ended, and its end was sent"},
    },
)
async def watch_job(
    job_id: Number, caller: Calling, last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None
) -> Response:
    """Stream a job: one server-sent event `job` for each change, until the job ends.

    With Last-Event-ID an unchanged job is not sent again, and after its end the answer is 204, so that an EventSource
    stops reconnecting. The stream ends within seconds after its login, token or password becomes invalid.
    """
    job = await run_in_threadpool(find, caller, job_id)
    if job.over and last == _mark(job):
        return Response(status_code=204)
    return StreamingResponse(_moving(caller, job_id, last), headers=UNBUFFERED, media_type="text/event-stream")


def find(caller: Caller, job_id: int) -> Job:
    """Return a job that the login may see. Raises NotFoundError."""
    job = caller.product.jobs.get([caller.account.id], job_id)
    if job is None or not caller.product.lists.sees_job(caller.login, job):
        raise not_found("job")
    return job


def asked(caller: Caller, job_id: int) -> Job:
    """Return a job that the login may see, with its progress. Raises NotFoundError."""
    return caller.product.jobs.asked(find(caller, job_id))


def _mark(job: Job) -> str:
    # Not the sum of the counters: one may lose what another gains.
    counted = crc32(repr((sorted(job.counters.items()), job.paused, job.error)).encode())
    return f"{job.attempt}-{job.step}-{counted:x}-{job.checkpoint.get('read', 0)}-{job.state}"


async def _moving(caller: Caller, job_id: int, last: str | None) -> AsyncIterator[str]:
    quiet, checked = 0.0, time.monotonic()
    while True:
        try:
            if time.monotonic() - checked >= CHECK:
                caller, checked = await run_in_threadpool(caller.again), time.monotonic()
            job = await run_in_threadpool(asked, caller, job_id)
        except SoapstoneError:
            return
        shown = JobOut.of(caller.product, job)
        mark = _mark(job)
        if mark != last:
            last, quiet = mark, 0.0
            yield f"id: {mark}\nevent: job\ndata: {json.dumps(shown.model_dump(mode='json'))}\n\n"
        if job.over:
            return
        if quiet >= COMFORT:
            quiet = 0.0
            yield ": still there\n\n"
        await asyncio.sleep(LOOK)
        quiet += LOOK
