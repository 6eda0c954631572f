"""Imports, setting an attribute of a whole list, and the reports of what came of imports."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import Operation
from soapstone.wire.types import DateTime, Ignored, Int, Nillable, SpooledBase64, String, Struct


class BulkLoadContacts(Struct):
    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    fileMappings: list[t.WSFileMappings] | None
    ImportFileStream: SpooledBase64


class BulkLoadContactsWithOptions(Struct):
    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    fileMappings: list[t.WSFileMappings] | None
    ImportFileStream: SpooledBase64
    WSBulkLoadOptions: Nillable[t.WSBulkLoadOptions]


class UpdateSubscribedContactAttribute(Struct):
    AttributeID: Int
    Value: String


class UpdateSubscribedContactAttributeWithOptions(Struct):
    AttributeID: Int
    Value: String
    WSUpdateSubcribedContactAttributeOptions: Nillable[t.WSUpdateSubcribedContactAttributeOptions]


class ConductorBulkLoadAndTriggerContacts(Struct):
    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    TriggerFileMappings: list[t.WSTriggerFileMappings] | None
    ImportFileStream: SpooledBase64


class ConductorBulkLoadAndTriggerContactsWithOptions(Struct):
    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    TriggerFileMappings: list[t.WSTriggerFileMappings] | None
    ImportFileStream: SpooledBase64
    WSConductorBulkLoadOptions: Nillable[t.WSConductorBulkLoadOptions]


class ReportListImportHistory(Struct):
    ListID: Int
    Page: Int
    StartDate: Nillable[DateTime]
    EndDate: Nillable[DateTime]
    WSException: Ignored[t.WSException]


class ReportImportContactDetail(Struct):
    ImportFileID: Int
    Page: Int
    ImportResult: t.WSImportResultEnum
    WSException: Ignored[t.WSException]


IMPORT_OPERATIONS = (
    Operation(
        BulkLoadContacts,
        "Starts the import of a delimited file into a list and answers the number of the process.",
        result=Int,
    ),
    Operation(
        BulkLoadContactsWithOptions,
        "Starts an import as BulkLoadContacts does; an option leaves out the mail about the result.",
        result=Int,
    ),
    Operation(
        UpdateSubscribedContactAttribute,
        "Starts giving an attribute the same value at all subscribed contacts; answers the number of the process.",
        result=Int,
    ),
    Operation(
        UpdateSubscribedContactAttributeWithOptions,
        "Starts giving an attribute the same value; an option leaves out the mail about the result.",
        result=Int,
    ),
    Operation(
        ConductorBulkLoadAndTriggerContacts,
        "Starts an import in which a column may name the events to raise for its row.",
        result=Int,
    ),
    Operation(
        ConductorBulkLoadAndTriggerContactsWithOptions,
        "Starts an import that raises events; an option leaves out the mail about the result.",
        result=Int,
    ),
    fallible(
        ReportListImportHistory,
        "Gives the import runs of a list within a range of dates, with their counters, page by page.",
        result=list[t.WSImportHistory] | None,
    ),
    fallible(
        ReportImportContactDetail,
        "Gives the rows of an import that had one outcome, page by page.",
        result=list[t.WSImportContact] | None,
    ),
)
