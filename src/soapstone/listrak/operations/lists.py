"""Contact lists."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, Ignored, Int, Nillable, String, Struct


@fallible(result=list[t.WSVmta] | None)
class GetAccountVmtaCollection(Struct):
    """Gives the sending pools of the account."""

    WSException: Ignored[t.WSException]


@operation(result=t.WSContactList, place="WSContactList")
class GetContactList(Struct):
    """Shows how a list is set up."""

    ListID: Int


@operation(result=list[t.WSContactList] | None)
class GetContactListCollection(Struct):
    """Shows how all lists are set up that were granted to the user."""


@operation(result=t.WSContactList, place="WSContactList")
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


@operation(result=t.WSUpdateContactList, place="WSUpdateContactList")
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
