"""The results of an import, row by row."""

from __future__ import annotations

from soapstone.imports.outcomes import ImportCounts
from soapstone.jobs.job import Job
from soapstone.listrak.call import PAGE_ROWS, Call, answer, not_found, offset
from soapstone.listrak.operations import ReportImportContactDetail
from soapstone.listrak.types import WSImportContact, WSImportResultEnum
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.rows import ImportOutcome
from soapstone.wire.types import Struct

# Result class → the counter of the history that counts its rows (lk-93, lk-95).
COUNTERS = {
    WSImportResultEnum.Invalid: "invalid",
    WSImportResultEnum.All: "processed",
    WSImportResultEnum.Subscribed: "subscribed",
    WSImportResultEnum.UnSubscribed: "unsubscribed",
    WSImportResultEnum.AlreadySubscribed: "already_subscribed",
    WSImportResultEnum.AlreadyUnSubscribed: "already_unsubscribed",
    WSImportResultEnum.Suppressed: "suppressed",
    WSImportResultEnum.Banned: "banned",
    WSImportResultEnum.Skipped: "skipped",
}
# Result class → the outcomes of its rows: those that its counter counts.
RESULTS = {
    result: frozenset(outcome for outcome in ImportOutcome if getattr(ImportCounts.of({outcome: 1}), counter))
    for result, counter in COUNTERS.items()
}


def report_import_contact_detail(call: Call, request: ReportImportContactDetail) -> Struct:
    """Return the rows of an import that came to one result, in the order of the file (lk-30, lk-31, lk-95)."""
    job = _find(call, request.ImportFileID)
    wanted = None if request.ImportResult is WSImportResultEnum.All else RESULTS[request.ImportResult]
    before = offset(request.Page)
    rows = call.product.imports.outcomes(job.id, wanted, offset=before, limit=PAGE_ROWS, login=call.login)
    contacts = [WSImportContact(EmailAddress=row.email, ContactID=row.number or 0) for row in rows]
    return answer(request, contacts)


def _find(call: Call, import_id: int) -> Job:
    """Return the import. Raises NotFoundError, also if the login does not see it."""
    job = call.product.jobs.get([call.account.id], import_id)
    if job is None or job.kind != JobKind.IMPORT or not call.product.lists.sees_job(call.login, job):
        raise not_found("Import", import_id)
    return job
