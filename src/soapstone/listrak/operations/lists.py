"""Contact lists."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Boolean, Ignored, Int, Nillable, String, Struct


class GetAccountVmtaCollection(Struct):
    WSException: Ignored[t.WSException]


class GetAccountVmtaCollectionResponse(Struct):
    GetAccountVmtaCollectionResult: list[t.WSVmta] | None
    WSException: Nillable[t.WSException]


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


class UpdateContactList(Struct):
    WSUpdateContactList: Nillable[t.WSUpdateContactList]


class UpdateContactListResponse(Struct):
    WSUpdateContactList: Nillable[t.WSUpdateContactList]


class CreateList(Struct):
    WSList: Nillable[t.WSList]
    WSException: Ignored[t.WSException]


class CreateListResponse(Struct):
    CreateListResult: Boolean
    WSList: Nillable[t.WSList]
    WSException: Nillable[t.WSException]


class AddGoogleTrackingDomainsToList(Struct):
    ListID: Int
    GoogleTrackingDomains: list[String] | None


class DeleteGoogleTrackingDomainsFromList(Struct):
    ListID: Int
    GoogleTrackingDomains: list[String] | None


class DeleteContactList(Struct):
    ListID: Int


LIST_OPERATIONS = (
    Operation(
        GetAccountVmtaCollection, "Gives the sending pools of the account.", response=GetAccountVmtaCollectionResponse
    ),
    Operation(GetContactList, "Shows how a list is set up.", response=GetContactListResponse),
    Operation(
        GetContactListCollection,
        "Shows how all lists are set up that were granted to the user.",
        result=list[t.WSContactList] | None,
    ),
    Operation(CreateContactList, "Creates a list and answers its settings.", response=CreateContactListResponse),
    Operation(
        UpdateContactList, "Sets a list up anew and answers how it is set up now.", response=UpdateContactListResponse
    ),
    Operation(
        CreateList,
        "Creates a list from an object and gives the object back.",
        response=CreateListResponse,
        deprecated="use CreateContactList.",
    ),
    Operation(AddGoogleTrackingDomainsToList, "Adds domains for web analytics to a list.", result=Boolean),
    Operation(DeleteGoogleTrackingDomainsFromList, "Takes domains for web analytics off a list.", result=Boolean),
    Operation(DeleteContactList, "Deletes a list with its contacts.", result=Boolean),
)
