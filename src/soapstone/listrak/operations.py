"""Operations of the Listrak contract that are built, in the order of the original port type."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.types import Boolean, DateTime, Ignored, Int, Nillable, SpooledBase64, String, Struct


class BulkLoadContacts(Struct):
    ListID: Int
    WSImportDirectives: Nillable[t.WSImportDirectives]
    fileMappings: list[t.WSFileMappings] | None
    ImportFileStream: SpooledBase64


class GetProcessStatus(Struct):
    ProcessID: Int


class GetProcessStatusResponse(Struct):
    WSProcessStatus: Nillable[t.WSProcessStatus]


class GetLegacyProcessStatus(Struct):
    ListID: Int


class GetContactList(Struct):
    ListID: Int


class GetContactListResponse(Struct):
    WSContactList: Nillable[t.WSContactList]


class GetContactListCollection(Struct):
    pass


class CreateContactList(Struct):
    ListName: String
    FromName: String
    FromEmail: String
    EnableRemovalLink: Boolean
    EnableBrowserLink: Boolean
    BounceHandling: Int
    EnableDoubleOptin: Boolean
    EnableListHygiene: Boolean
    VmtaID: Int
    ShowEmailList: Boolean
    ShowAdvancedPersonalization: Boolean
    BounceUnsubscribeCount: Int
    DomainAliasEmail: String
    DomainAliasLink: String
    EnableRSS: Boolean
    EnableGoogleAnalytics: Boolean
    GoogleTrackingDomains: list[String] | None
    EnableInternationalization: Boolean
    EnableDynamicContent: Boolean
    EnableListRemoveHeader: Boolean


class CreateContactListResponse(Struct):
    WSContactList: Nillable[t.WSContactList]


class ReportSubscribedContacts(Struct):
    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportSubscribedContactsResponse(Struct):
    ReportSubscribedContactsResult: list[t.WSContactSubscriptionInfo] | None
    WSException: Nillable[t.WSException]


class ReportListImportHistory(Struct):
    ListID: Int
    Page: Int
    StartDate: Nillable[DateTime]
    EndDate: Nillable[DateTime]
    WSException: Ignored[t.WSException]


class ReportListImportHistoryResponse(Struct):
    ReportListImportHistoryResult: list[t.WSImportHistory] | None
    WSException: Nillable[t.WSException]


CONTRACT = Contract(
    name="IntegrationService",
    namespace="http://webservices.listrak.com/v31/",
    path="/v31/IntegrationService.asmx",
    header=t.WSUser,
    soap_heading="separate",
    operations=(
        Operation(
            BulkLoadContacts,
            "Starts the import of a delimited file into a list and answers the number of the process.",
            result=Int,
        ),
        Operation(GetProcessStatus, "Tells how far a process is, by its number.", response=GetProcessStatusResponse),
        Operation(
            GetLegacyProcessStatus,
            "Tells how far the processes of a list are that were started through XML over HTTP.",
            result=list[t.WSLegacyProcessStatus] | None,
            deprecated="use GetProcessStatus.",
        ),
        Operation(GetContactList, "Gives the settings of one list.", response=GetContactListResponse),
        Operation(
            GetContactListCollection,
            "Gives every list that the user may work with, with its settings.",
            result=list[t.WSContactList] | None,
        ),
        Operation(CreateContactList, "Creates a list and answers its settings.", response=CreateContactListResponse),
        Operation(
            ReportSubscribedContacts,
            "Gives the subscribed contacts of a list, page by page.",
            response=ReportSubscribedContactsResponse,
        ),
        Operation(
            ReportListImportHistory,
            "Gives the import runs of a list within a range of dates, with their counters, page by page.",
            response=ReportListImportHistoryResponse,
        ),
    ),
)
