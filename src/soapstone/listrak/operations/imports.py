"""Imports, setting an attribute of a whole list, and the reports of what came of imports."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import operation
from soapstone.wire.types import DateTime, Ignored, Int, Nillable, SpooledBase64, String, Struct


@operation(result=Int)
class BulkLoadContacts(Struct):
    """Starts the import of a delimited file into a list and answers the number of the process."""

    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    fileMappings: list[t.WSFileMappings] | None
    ImportFileStream: SpooledBase64


@operation(result=Int)
class BulkLoadContactsWithOptions(Struct):
    """Starts an import as BulkLoadContacts does; an option leaves out the mail about the result."""

    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    fileMappings: list[t.WSFileMappings] | None
    ImportFileStream: SpooledBase64
    WSBulkLoadOptions: Nillable[t.WSBulkLoadOptions]


@operation(result=Int)
class UpdateSubscribedContactAttribute(Struct):
    """Starts giving an attribute the same value at all subscribed contacts; answers the number of the process."""

    AttributeID: Int
    Value: String


@operation(result=Int)
class UpdateSubscribedContactAttributeWithOptions(Struct):
    """Starts giving an attribute the same value; an option leaves out the mail about the result."""

    AttributeID: Int
    Value: String
    WSUpdateSubcribedContactAttributeOptions: Nillable[t.WSUpdateSubcribedContactAttributeOptions]


@operation(result=Int)
class ConductorBulkLoadAndTriggerContacts(Struct):
    """Starts an import in which a column may name the events to raise for its row."""

    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    TriggerFileMappings: list[t.WSTriggerFileMappings] | None
    ImportFileStream: SpooledBase64


@operation(result=Int)
class ConductorBulkLoadAndTriggerContactsWithOptions(Struct):
    """Starts an import that raises events; an option leaves out the mail about the result."""

    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    TriggerFileMappings: list[t.WSTriggerFileMappings] | None
    ImportFileStream: SpooledBase64
    WSConductorBulkLoadOptions: Nillable[t.WSConductorBulkLoadOptions]


@fallible(result=list[t.WSImportHistory] | None)
class ReportListImportHistory(Struct):
    """Gives the import runs of a list within a range of dates, with their counters, page by page."""

    ListID: Int
    Page: Int
    StartDate: Nillable[DateTime]
    EndDate: Nillable[DateTime]
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSImportContact] | None)
class ReportImportContactDetail(Struct):
    """Gives the rows of an import that had one outcome, page by page."""

    ImportFileID: Int
    Page: Int
    ImportResult: t.WSImportResultEnum
    WSException: Ignored[t.WSException]
