"""Imports: starting one, and the history of those that ran."""

from __future__ import annotations

from collections.abc import Sequence

from soapstone.imports.imports import KIND
from soapstone.imports.spec import Action, Column, ImportSpec, InvalidImport, Known
from soapstone.jobs.job import Job
from soapstone.listrak.call import PAGE_ROWS, Call, not_found
from soapstone.listrak.operations import BulkLoadContacts, ReportListImportHistory, ReportListImportHistoryResponse
from soapstone.listrak.types import ImportProfileTypeEnum, ImportTypeEnum, WSFileMappings, WSImportHistory
from soapstone.product import received
from soapstone.wire.faults import Fault

# Import type → what the import does, and whether it takes profile data (lk-73).
TYPES: dict[ImportTypeEnum, tuple[Action, bool]] = {
    ImportTypeEnum.AddSubscribers: ("add", False),
    ImportTypeEnum.AddSubscribersAndProfileData: ("add", True),
    ImportTypeEnum.UpdateSubscribers: ("update", True),
    ImportTypeEnum.RemoveSubscribers: ("remove", False),
    ImportTypeEnum.RemoveSubscribersAndDeleteProfileData: ("remove_with_profile", False),
}
# Profile kind → what happens to known values (lk-55); not saying is updating (lk-74).
KNOWN: dict[ImportProfileTypeEnum, Known] = {
    ImportProfileTypeEnum.NotDefined: "update",
    ImportProfileTypeEnum.Update: "update",
    ImportProfileTypeEnum.Append: "append",
    ImportProfileTypeEnum.Overwrite: "overwrite",
}
PROFILE_TEXTS = {"update": "Update", "append": "Append", "overwrite": "Overwrite"}
LARGEST_INT = 2147483647


def bulk_load_contacts(call: Call, request: BulkLoadContacts) -> int:
    """Start an import; the number of its process (lk-66 to lk-76)."""
    found = call.find_list(request.ListID)
    if found is None:
        raise Fault(not_found(request.ListID))
    directives = request.WSImportDirectives
    if directives is None:
        raise Fault("[InvalidArgument] WSImportDirectives is missing.")
    if request.ImportFileStream is None:
        raise Fault("[InvalidArgument] ImportFileStream is missing.")
    action, takes_profile = TYPES[directives.ImportTypeEnum]
    try:
        spec = ImportSpec(
            columns=_columns(call, found.id, request.fileMappings or [], takes_profile),
            header=directives.HasColumnNames,
            delimiter={"": ",", r"\t": "\t"}.get(directives.FileDelimiter or "", directives.FileDelimiter or ""),
            qualifier=directives.TextQualifier or "",
            action=action,
            known=KNOWN[directives.ImportProfileTypeEnum] if takes_profile else "keep",
            blocked="skip",
            identified_by="email",
        )
        job = call.product.imports.submit(
            account=call.account,
            login=call.login,
            contact_list=found,
            upload=call.product.imports.unwrapped(received(request.ImportFileStream), spec.delimiter),
            spec=spec,
            label=directives.FileName or "",
        )
    except InvalidImport as refusal:
        raise Fault(f"[InvalidArgument] {refusal}") from None
    return job.id


def report_list_import_history(call: Call, request: ReportListImportHistory) -> ReportListImportHistoryResponse:
    """The imports of a list that began within the range, oldest first (lk-25, lk-30, lk-34, lk-92)."""
    found = call.find_list(request.ListID)
    if found is None:
        failure = call.failure("ReportListImportHistory", not_found(request.ListID))
        return ReportListImportHistoryResponse(ReportListImportHistoryResult=None, WSException=failure)
    jobs = call.product.jobs.find(
        account_id=call.account.id,
        kinds=(KIND,),
        list_id=found.id,
        submitted_from=call.range_start(request.StartDate),
        submitted_before=call.range_end(request.EndDate),
        ascending=True,
        offset=(max(request.Page, 1) - 1) * PAGE_ROWS,
        limit=PAGE_ROWS,
    )
    rows = [_run(call, job) for job in jobs]
    return ReportListImportHistoryResponse(ReportListImportHistoryResult=rows, WSException=None)


def _columns(
    call: Call, list_id: int, mappings: Sequence[WSFileMappings | None], takes_profile: bool
) -> tuple[Column, ...]:
    """The mapped columns (lk-69, lk-70). An import without profile data reads only the addresses (lk-73)."""
    known = {attribute.id for attribute in call.product.profiles.attributes(list_id)}
    columns = []
    for mapping in mappings:
        if mapping is None:
            continue
        if mapping.FileColumn < 0:
            raise Fault(f"[InvalidArgument] FileColumn counts from 0; {mapping.FileColumn} is no column.")
        default = mapping.DefaultValue or ""
        if mapping.IsEmailAddressColumn:
            columns.append(Column(index=mapping.FileColumn, target="email", default=default))
        elif mapping.AttributeID not in known:
            raise Fault(f"[NotFound] Attribute {mapping.AttributeID} does not exist on list {list_id}.")
        elif takes_profile:
            columns.append(Column(index=mapping.FileColumn, target=f"attribute:{mapping.AttributeID}", default=default))
    if not any(column.target == "email" for column in columns):
        raise Fault("[InvalidArgument] No mapping names the column of the e-mail addresses.")
    return tuple(columns)


def _run(call: Call, job: Job) -> WSImportHistory:
    spec, counts = call.product.imports.spec(job), call.product.imports.counts(job)
    with_profile = any(column.target.startswith("attribute:") for column in spec.columns)
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
        ProfileImportType=PROFILE_TEXTS.get(spec.known, "") if with_profile or spec.action == "update" else "",
        FileName=job.label,
        FileSize=min(job.blob_size, LARGEST_INT),
        StartDate=call.wall_clock(job.started_at or job.submitted_at),
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
