"""Contact lists."""

from soapstone.listrak import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, Ignored, Int, Nillable, String, Struct


class GetAccountVmtaCollectionResponse(Struct):
    GetAccountVmtaCollectionResult: list[t.WSVmta] | None
    WSException: Nillable[t.WSException]


@operation(response=GetAccountVmtaCollectionResponse)
class GetAccountVmtaCollection(Struct):
    """Gives the sending pools of the account."""

    WSException: Ignored[t.WSException]


class GetContactListResponse(Struct):
    WSContactList: Nillable[t.WSContactList]


@operation(response=GetContactListResponse)
class GetContactList(Struct):
    """Shows how a list is set up."""

    ListID: Int


@operation(result=list[t.WSContactList] | None)
class GetContactListCollection(Struct):
    """Shows how all lists are set up that were granted to the user."""


class CreateContactListResponse(Struct):
    WSContactList: Nillable[t.WSContactList]


@operation(response=CreateContactListResponse)
class CreateContactList(Struct):
    """Creates a list and answers its settings."""

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


class UpdateContactListResponse(Struct):
    WSUpdateContactList: Nillable[t.WSUpdateContactList]


@operation(response=UpdateContactListResponse)
class UpdateContactList(Struct):
    """Sets a list up anew and answers how it is set up now."""

    WSUpdateContactList: Nillable[t.WSUpdateContactList]


class CreateListResponse(Struct):
    CreateListResult: Boolean
    WSList: Nillable[t.WSList]
    WSException: Nillable[t.WSException]


@operation(response=CreateListResponse, deprecated="use CreateContactList.")
class CreateList(Struct):
    """Creates a list from an object and gives the object back."""

    WSList: Nillable[t.WSList]
    WSException: Ignored[t.WSException]


@operation(result=Boolean)
class AddGoogleTrackingDomainsToList(Struct):
    """Adds domains for web analytics to a list."""

    ListID: Int
    GoogleTrackingDomains: list[String] | None


@operation(result=Boolean)
class DeleteGoogleTrackingDomainsFromList(Struct):
    """Takes domains for web analytics off a list."""

    ListID: Int
    GoogleTrackingDomains: list[String] | None


@operation(result=Boolean)
class DeleteContactList(Struct):
    """Deletes a list with its contacts."""

    ListID: Int
