"""Reports about lists, their contacts and their messages."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, DateTime, Ignored, Int, String, Struct


@fallible(result=list[t.WSContactSubscriptionInfo] | None)
class ReportSubscribedContacts(Struct):
    """Gives the subscribers of a list, page by page."""

    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@operation(result=list[t.WSContactSubscriptionInfo] | None)
class ReportRangeSubscribedContacts(Struct):
    """Gives the contacts of a list that were added within a range of dates, page by page."""

    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


@fallible(result=list[t.WSFeedbackLoopListing] | None)
class ReportAdminContactFeedbackLoop(Struct):
    """Gives the complaints of all lists of the user within a range of dates, page by page."""

    StartDate: DateTime
    EndDate: DateTime
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageActivity] | None)
class ReportListMessageActivity(Struct):
    """Gives opens, reads and clicks of each message that a list was sent within a range of dates."""

    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    IncludeTestMessages: Boolean
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageDelivery] | None)
class ReportListMessageDelivery(Struct):
    """Gives deliveries and bounces of each message that a list was sent within a range of dates."""

    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    IncludeTestMessages: Boolean
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSContactRemovalInfo] | None)
class ReportListContactRemoval(Struct):
    """Gives the contacts that left a list, page by page."""

    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@operation(result=list[t.WSContactRemovalInfo] | None)
class ReportRangeListContactRemoval(Struct):
    """Gives the contacts that left a list within a range of dates, page by page."""

    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


@fallible(result=list[t.WSContactHygieneInfo] | None)
class ReportListContactHygiene(Struct):
    """Gives the addresses of a list that were corrected, page by page."""

    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@operation(result=list[t.WSContactHygieneInfo] | None)
class ReportRangeListContactHygiene(Struct):
    """Gives the addresses of a list that were corrected within a range of dates, page by page."""

    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


@fallible(result=list[t.WSContactMessageActivity] | None)
class ReportContactMessageActivity(Struct):
    """Gives the messages that a contact got and what became of each, page by page."""

    ListID: Int
    EmailAddress: String
    Page: Int
    WSException: Ignored[t.WSException]
