"""The initial queue: uploads with explicit mappings, and their results (mm-62 to mm-65)."""

from __future__ import annotations

from soapstone.accounts.visibility import ONLY_GRANTED
from soapstone.errors import InvalidError
from soapstone.imports.spec import ImportSpec
from soapstone.lists.lists import ContactList
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE, Call, whole
from soapstone.magnetmail.columns import ENCODING, Heading, columns_of, heading_of
from soapstone.product import ReceivedUpload, received
from soapstone.wire.faults import Fault


def upload_list_initial_queue(call: Call, request: op.UploadListInitialQueue) -> t.UploadInitialJob:
    """Queue an upload, valid or not; return the job as it was sent, with its number (mm-62, mm-64).

    The account is the one that the job names (mm-16). Raises Fault for a request without a job (mm-27).
    """
    job = request.Job
    if job is None:
        raise Fault("[InvalidRequest] Job is missing.")
    call = call.for_account(job.UserId)
    return t.UploadInitialJob(
        InitialQueueId=_enter(call, job),
        UserId=job.UserId,
        LoginId=job.LoginId,
        CsvData=None,
        Settings=job.Settings,
    )


def get_upload_initial_queue_job_status(
    call: Call, request: op.GetUploadInitialQueueJobStatus
) -> t.UploadInitialQueueStatus | None:
    """Return which upload job an entry became, or why it was refused; nothing for an unknown entry (mm-65)."""
    number = whole(request.initialQueueId)
    job = call.product.jobs.get([call.account.id], number)
    entry = call.product.initial_queue.get(call.account.id, number)
    if job is None or entry is None or not call.product.lists.sees_job(call.login, job):
        return None
    return t.UploadInitialQueueStatus(
        UploadId=entry.id,
        MailUserId=call.account.name,
        UploadDate=call.local(entry.submitted_at) or NO_DATE,
        JobId=entry.job_id or 0,
        errorMessage=entry.error or None,
    )


def _enter(call: Call, job: t.UploadInitialJob) -> int:
    """Return the number of the upload's entry in the queue."""
    account, login, entries = call.account, call.identity.login, call.product.initial_queue
    settings, group, label = job.Settings, None, ""
    upload = None if job.CsvData is None else received(job.CsvData)
    if settings is not None:
        group, label = call.product.lists.get(account.id, settings.GroupId, login), settings.MappingName or ""
    try:
        if settings is None:
            raise InvalidError("Settings are missing.")
        if upload is None:
            raise InvalidError("CsvData is missing.")
        spec = _spec(call, group, upload, settings)
    except InvalidError as refusal:
        return entries.refuse(
            account=account, login=login, contact_list=group, upload=upload, label=label, reason=str(refusal)
        )
    return entries.admit(account=account, login=login, contact_list=group, upload=upload, spec=spec, label=label)


def _spec(call: Call, group: ContactList | None, upload: ReceivedUpload, settings: t.UploadJobSettings) -> ImportSpec:
    """Return what the settings ask for, in the words of uploadListQueue. Raises InvalidError."""
    replace = settings.AddReplace == t.UploadGroupOption.REPLACE
    if group is None and settings.GroupId:
        raise InvalidError(f"Group {settings.GroupId} does not exist.")
    if group is None and replace:
        raise InvalidError("REPLACE needs a group.")
    if group is None and call.sight is not None:
        raise InvalidError(f"{ONLY_GRANTED} Name one of them.")
    heading = Heading(_names(settings))
    if not heading.names:
        if not settings.HasHeaderRow:
            raise InvalidError("Without a header row ColumnMappings must say what the columns are.")
        heading = heading_of(call, group, upload)
    return ImportSpec(
        columns=columns_of(call, group, heading.names),
        opt_outs=heading.opt_outs,
        header=settings.HasHeaderRow,
        encoding=ENCODING,
        known="overwrite" if settings.UpdateExistingRecipients else "keep",
        replace=replace,
        reject_roles=True,
    )


def _names(settings: t.UploadJobSettings) -> dict[int, str]:
    """Return the names that the mappings give to columns, by column of the file (from 0); theirs count from 1
    (mm-63)."""
    names: dict[int, str] = {}
    for mapping in filter(None, settings.ColumnMappings or []):
        name, index = (mapping.RMColumnName or "").strip(), mapping.CsvColumnOrder - 1
        if not name:
            continue
        if index < 0:
            raise InvalidError("CsvColumnOrder counts the columns of the file from 1.")
        if index in names:
            raise InvalidError(f"Column {index + 1} of the file is mapped twice.")
        names[index] = name
    return names
