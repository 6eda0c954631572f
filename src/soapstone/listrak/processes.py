"""Processes: how far imports and sends are."""

from __future__ import annotations

from collections.abc import Mapping

from soapstone.jobs.job import Job
from soapstone.listrak.call import Call
from soapstone.listrak.operations import GetLegacyProcessStatus, GetProcessStatus
from soapstone.listrak.types import StatusEnum, WSLegacyProcessStatus, WSProcessStatus
from soapstone.vocabulary.jobs import JobKind, JobState

# Kind of job → the name of its process (lk-81, lk-84).
NAMES: Mapping[str, str] = {
    JobKind.IMPORT: "BulkLoadContacts",
    JobKind.TRIAL_IMPORT: "BulkLoadContacts",
    JobKind.ATTRIBUTE_UPDATE: "UpdateSubscribedContactAttribute",
    JobKind.SEND_TO_LIST: "Send to List",
    JobKind.SEND_TO_FILE: "Send to File",
}
# An import that was asked for by a call that may raise external events.
TRIGGERING = "ConductorBulkLoadAndTriggerContacts"
LEGACY_KINDS = (JobKind.SEND_TO_LIST, JobKind.SEND_TO_FILE)

# State of a job → state of a process (lk-80).
STATES: Mapping[str, StatusEnum] = {
    JobState.QUEUED: StatusEnum.DataReadyForProcessing,
    JobState.RUNNING: StatusEnum.ProcessingData,
    JobState.COMPLETED: StatusEnum.ProcessingCompleted,
    JobState.FAILED: StatusEnum.ProcessingFailed,
    JobState.CANCELLED: StatusEnum.ProcessingFailed,
}

# A list with more processes than this in the time of retention shows its newest.
MOST_ROWS = 10_000


def get_process_status(call: Call, request: GetProcessStatus) -> WSProcessStatus | None:
    """Return how far one process is; nil for an unknown one (lk-19, lk-79)."""
    job = call.product.jobs.get([call.account.id], request.ProcessID)
    if job is None or not _may_see(call, job):
        return None
    job = call.product.jobs.asked(job)
    return WSProcessStatus(
        ProcessID=job.id,
        ListID=job.list_id or 0,
        ProcessName=TRIGGERING if job.request.get("triggers") else NAMES[job.kind],
        ProcessStartTime=call.wall_clock(job.started_at or job.submitted_at),
        ProcessCompleteTime=call.wall_clock(job.finished_at),
        Status=STATES[job.state],
    )


def get_legacy_process_status(call: Call, request: GetLegacyProcessStatus) -> list[WSLegacyProcessStatus]:
    """Return the list's processes of the XML over HTTP interface, newest first; none for an unknown list (lk-83,
    lk-84)."""
    if call.find_list(request.ListID) is None:
        return []
    jobs = call.product.jobs.find(
        account_id=call.account.id, kinds=LEGACY_KINDS, list_id=request.ListID, limit=MOST_ROWS
    )
    return [
        WSLegacyProcessStatus(
            StatusID=job.id,
            ListID=request.ListID,
            ProcessType=NAMES[job.kind],
            CurrentStep=job.step,
            MaxStep=job.steps,
            ProcessStartTime=call.wall_clock(job.started_at or job.submitted_at),
            ProcessCompleteTime=call.wall_clock(job.finished_at),
        )
        for job in map(call.product.jobs.asked, jobs)
    ]


def _may_see(call: Call, job: Job) -> bool:
    return job.kind in NAMES and call.product.lists.sees_job(call.login, job)
