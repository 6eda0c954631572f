"""Uploads: queueing an import, and telling how far it is."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import cast

from soapstone.accounts.visibility import ONLY_GRANTED
from soapstone.errors import InvalidError
from soapstone.imports.spec import ImportSpec
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import Call
from soapstone.magnetmail.columns import ENCODING, Heading, columns_of, heading_of
from soapstone.magnetmail.errors import (
    ACCESS_DENIED,
    IMPORT_FAILED,
    INVALID_ARGUMENT,
    NOT_FOUND,
    SEE_ERROR_OBJECT,
    error_object,
    no_error,
)
from soapstone.product import ReceivedUpload, received
from soapstone.vocabulary.jobs import IMPORTS, JobState

# State of a job → status number (mm-47).
STATUS: Mapping[str, int] = {
    JobState.QUEUED: 0,
    JobState.RUNNING: 1,
    JobState.COMPLETED: 2,
    JobState.FAILED: 3,
    JobState.CANCELLED: 4,
}
COMPONENT = "Upload"


def upload_list_queue(call: Call, request: op.uploadListQueue) -> t.UploadListResult:
    """Queue an upload (mm-41)."""
    return _queue(call, request, "uploadListQueue", dry_run=False)


def upload_list_queue_test(call: Call, request: op.uploadListQueueTest) -> t.UploadListResult:
    """Queue a dry run (mm-52)."""
    return _queue(call, cast(op.uploadListQueue, request), "uploadListQueueTest", dry_run=True)


def get_upload_job_status(call: Call, request: op.getUploadJobStatus) -> t.UploadListResult:
    """Return how far an upload is, dates in the account's zone."""
    return _status(call, request.jobid, "getUploadJobStatus", call.local)


def get_upload_job_status_utc(call: Call, request: op.getUploadJobStatusUTC) -> t.UploadListResult:
    """Return how far an upload is, dates in UTC."""
    return _status(call, request.jobid, "getUploadJobStatusUTC", call.utc)


def _queue(call: Call, request: op.uploadListQueue, function: str, *, dry_run: bool) -> t.UploadListResult:
    def refused(number: int, sentence: str) -> t.UploadListResult:
        return _refused(call, number, sentence, function, groupid=request.groupid)

    if request.csvData is None:
        return refused(INVALID_ARGUMENT, "csvData is missing.")
    group = None
    if request.groupid != 0:
        group = call.product.lists.get(call.account.id, request.groupid, call.identity.login)
        if group is None:
            return refused(NOT_FOUND, f"Group {request.groupid} does not exist.")
    elif request.replace_group:
        return refused(INVALID_ARGUMENT, "replace_group needs a group.")
    elif call.sight is not None:
        return refused(ACCESS_DENIED, f"{ONLY_GRANTED} Name one of them.")
    upload = received(request.csvData)
    try:
        heading = _heading(call, request, group, upload)
        spec = ImportSpec(
            columns=columns_of(call, group, heading.names),
            opt_outs=heading.opt_outs,
            header=request.header_line,
            encoding=ENCODING,
            known="overwrite" if request.update_dups else "keep",
            replace=request.replace_group,
            dry_run=dry_run,
            reject_roles=True,
        )
        job = call.product.imports.submit(
            account=call.account,
            login=call.identity.login,
            contact_list=group,
            upload=upload,
            spec=spec,
            label=request.mapping_name or "",
        )
    except InvalidError as refusal:
        return refused(INVALID_ARGUMENT, str(refusal))
    return _record(call, job, function, call.local)


def _heading(call: Call, request: op.uploadListQueue, group: ContactList | None, upload: ReceivedUpload) -> Heading:
    """Return the names that the request gives to columns (mm-44), or those in the header line (mm-45)."""
    if names := request.mapping():
        return Heading(names)
    if not request.header_line:
        raise InvalidError("Without a header line the members MM_1 to MM_42 must say what the columns are.")
    return heading_of(call, group, upload)


def _status(
    call: Call, job_id: int, function: str, date: Callable[[datetime.datetime | None], datetime.datetime | None]
) -> t.UploadListResult:
    job = call.product.jobs.get([call.account.id], job_id)
    if job is None or job.kind not in IMPORTS or not call.product.lists.sees_job(call.login, job):
        return _refused(call, NOT_FOUND, f"There is no upload job {job_id}.", function, jobid=job_id)
    return _record(call, call.product.jobs.asked(job), function, date)


def _record(
    call: Call, job: Job, function: str, date: Callable[[datetime.datetime | None], datetime.datetime | None]
) -> t.UploadListResult:
    """Return the record of a job, whichever contract it came in by (mm-47 to mm-50)."""
    spec, counts = call.product.imports.spec(job), call.product.imports.counts(job)
    failed = job.state == "failed"
    particulars = (
        error_object(IMPORT_FAILED, job.error, component=COMPONENT, function=function) if failed else no_error()
    )
    return t.UploadListResult(
        complete_date=date(job.finished_at),
        error=SEE_ERROR_OBJECT if failed else 0,
        errorObj=particulars,
        good_records=counts.good,
        group_count=counts.list_members,
        groupid=job.list_id or 0,
        header=int(spec.header),
        jobid=job.id,
        loginid=job.login_id or 0,
        mm_filename=f"upload_{job.id}.csv",
        msg=job.error,
        new_added=counts.new_contacts,
        old_updated=counts.changed_contacts,
        replace_group=int(spec.replace),
        status=STATUS[job.state],
        total_records=counts.total,
        update_dups=int(spec.known != "keep"),
        upload_date=date(job.submitted_at),
        user_filename=job.label,
        user_id=call.account.name,
    )


def _refused(
    call: Call, number: int, sentence: str, function: str, *, groupid: int | None = None, jobid: int | None = None
) -> t.UploadListResult:
    """Return an answer without a job: the error, what was asked for, and nothing else (mm-51)."""
    return t.UploadListResult(
        error=SEE_ERROR_OBJECT,
        errorObj=error_object(number, sentence, component=COMPONENT, function=function),
        groupid=groupid,
        jobid=jobid,
        msg=sentence,
        user_id=call.account.name,
    )
