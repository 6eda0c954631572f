"""The history of a list's imports."""

from __future__ import annotations

from soapstone.jobs.job import Job
from soapstone.listrak.call import PAGE_ROWS, Call, answer, offset
from soapstone.listrak.operations import ReportListImportHistory
from soapstone.listrak.types import WSImportHistory
from soapstone.vocabulary.jobs import JobKind
from soapstone.wire.types import Struct

PROFILE_TEXTS = {"update": "Update", "append": "Append", "overwrite": "Overwrite"}
LARGEST_INT = 2147483647


def report_list_import_history(call: Call, request: ReportListImportHistory) -> Struct:
    """Return the imports of a list that were submitted within the range, oldest first (lk-25, lk-30, lk-34, lk-92)."""
    found = call.require_list(request.ListID)
    jobs = call.product.jobs.find(
        account_id=call.account.id,
        kinds=(JobKind.IMPORT,),
        list_id=found.id,
        submitted_from=call.range_start(request.StartDate),
        submitted_before=call.range_end(request.EndDate),
        ascending=True,
        offset=offset(request.Page),
        limit=PAGE_ROWS,
    )
    rows = [_run(call, job) for job in jobs]
    return answer(request, rows)


def _run(call: Call, job: Job) -> WSImportHistory:
    spec, counts = call.product.imports.spec(job), call.product.imports.counts(job)
    with_profile = spec.known != "keep" or any(column.attribute_id is not None for column in spec.columns)
    texts = {
        "add": "Add Subscriber and Segment Data" if with_profile else "Add Subscriber",
        "update": "Update Subscriber",
        "remove": "Remove Subscriber",
        "remove_with_profile": "Remove Subscriber and Segment Data",
    }
    return WSImportHistory(
        ImportFileID=job.id,
        ImportSource=spec.source,
        ImportType=texts[spec.action],
        ProfileImportType=PROFILE_TEXTS.get(spec.known, ""),
        FileName=job.label,
        FileSize=min(job.blob_size, LARGEST_INT),
        StartDate=call.wall_clock(job.submitted_at),
        EndDate=call.wall_clock(job.finished_at),
        ProcessedCount=counts.processed,
        InvalidEmailCount=counts.invalid,
        SubscribedCount=counts.subscribed,
        UnSubscribedCount=counts.unsubscribed,
        AlreadySubscribedCount=counts.already_subscribed,
        AlreadyUnsubscribedCount=counts.already_unsubscribed,
        PreviouslyUnsubscribedCount=counts.previously_unsubscribed,
        SuppressedCount=counts.suppressed,
        BannedCount=counts.banned,
        SkippedCount=counts.skipped,
    )
