"""Reports about lists, their contacts and their messages."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import Operation
from soapstone.wire.types import Boolean, DateTime, Ignored, Int, String, Struct


class ReportSubscribedContacts(Struct):
    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportRangeSubscribedContacts(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportAdminContactFeedbackLoop(Struct):
    StartDate: DateTime
    EndDate: DateTime
    Page: Int
    WSException: Ignored[t.WSException]


class ReportListMessageActivity(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    IncludeTestMessages: Boolean
    WSException: Ignored[t.WSException]


class ReportListMessageDelivery(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    IncludeTestMessages: Boolean
    WSException: Ignored[t.WSException]


class ReportListContactRemoval(Struct):
    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportRangeListContactRemoval(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportListContactHygiene(Struct):
    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportRangeListContactHygiene(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportContactMessageActivity(Struct):
    ListID: Int
    EmailAddress: String
    Page: Int
    WSException: Ignored[t.WSException]


LIST_REPORTS = (
    fallible(
        ReportSubscribedContacts,
        "Gives the subscribers of a list, page by page.",
        result=list[t.WSContactSubscriptionInfo] | None,
    ),
    Operation(
        ReportRangeSubscribedContacts,
        "Gives the contacts of a list that were added within a range of dates, page by page.",
        result=list[t.WSContactSubscriptionInfo] | None,
    ),
    fallible(
        ReportAdminContactFeedbackLoop,
        "Gives the complaints of all lists of the user within a range of dates, page by page.",
        result=list[t.WSFeedbackLoopListing] | None,
    ),
    fallible(
        ReportListMessageActivity,
        "Gives opens, reads and clicks of each message that a list was sent within a range of dates.",
        result=list[t.WSMessageActivity] | None,
    ),
    fallible(
        ReportListMessageDelivery,
        "Gives deliveries and bounces of each message that a list was sent within a range of dates.",
        result=list[t.WSMessageDelivery] | None,
    ),
    fallible(
        ReportListContactRemoval,
        "Gives the contacts that left a list, page by page.",
        result=list[t.WSContactRemovalInfo] | None,
    ),
    Operation(
        ReportRangeListContactRemoval,
        "Gives the contacts that left a list within a range of dates, page by page.",
        result=list[t.WSContactRemovalInfo] | None,
    ),
    fallible(
        ReportListContactHygiene,
        "Gives the addresses of a list that were corrected, page by page.",
        result=list[t.WSContactHygieneInfo] | None,
    ),
    Operation(
        ReportRangeListContactHygiene,
        "Gives the addresses of a list that were corrected within a range of dates, page by page.",
        result=list[t.WSContactHygieneInfo] | None,
    ),
    fallible(
        ReportContactMessageActivity,
        "Gives the messages that a contact got and what became of each, page by page.",
        result=list[t.WSContactMessageActivity] | None,
    ),
)
