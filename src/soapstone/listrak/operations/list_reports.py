"""Reports about lists, their contacts and their messages."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Boolean, DateTime, Ignored, Int, Nillable, String, Struct


class ReportSubscribedContacts(Struct):
    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportSubscribedContactsResponse(Struct):
    ReportSubscribedContactsResult: list[t.WSContactSubscriptionInfo] | None
    WSException: Nillable[t.WSException]


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


class ReportAdminContactFeedbackLoopResponse(Struct):
    ReportAdminContactFeedbackLoopResult: list[t.WSFeedbackLoopListing] | None
    WSException: Nillable[t.WSException]


class ReportListMessageActivity(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    IncludeTestMessages: Boolean
    WSException: Ignored[t.WSException]


class ReportListMessageActivityResponse(Struct):
    ReportListMessageActivityResult: list[t.WSMessageActivity] | None
    WSException: Nillable[t.WSException]


class ReportListMessageDelivery(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    IncludeTestMessages: Boolean
    WSException: Ignored[t.WSException]


class ReportListMessageDeliveryResponse(Struct):
    ReportListMessageDeliveryResult: list[t.WSMessageDelivery] | None
    WSException: Nillable[t.WSException]


class ReportListContactRemoval(Struct):
    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportListContactRemovalResponse(Struct):
    ReportListContactRemovalResult: list[t.WSContactRemovalInfo] | None
    WSException: Nillable[t.WSException]


class ReportRangeListContactRemoval(Struct):
    ListID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportListContactHygiene(Struct):
    ListID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportListContactHygieneResponse(Struct):
    ReportListContactHygieneResult: list[t.WSContactHygieneInfo] | None
    WSException: Nillable[t.WSException]


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


class ReportContactMessageActivityResponse(Struct):
    ReportContactMessageActivityResult: list[t.WSContactMessageActivity] | None
    WSException: Nillable[t.WSException]


LIST_REPORTS = (
    Operation(
        ReportSubscribedContacts,
        "Gives the subscribers of a list, page by page.",
        response=ReportSubscribedContactsResponse,
    ),
    Operation(
        ReportRangeSubscribedContacts,
        "Gives the contacts of a list that were added within a range of dates, page by page.",
        result=list[t.WSContactSubscriptionInfo] | None,
    ),
    Operation(
        ReportAdminContactFeedbackLoop,
        "Gives the complaints of all lists of the user within a range of dates, page by page.",
        response=ReportAdminContactFeedbackLoopResponse,
    ),
    Operation(
        ReportListMessageActivity,
        "Gives opens, reads and clicks of each message that a list was sent within a range of dates.",
        response=ReportListMessageActivityResponse,
    ),
    Operation(
        ReportListMessageDelivery,
        "Gives deliveries and bounces of each message that a list was sent within a range of dates.",
        response=ReportListMessageDeliveryResponse,
    ),
    Operation(
        ReportListContactRemoval,
        "Gives the contacts that left a list, page by page.",
        response=ReportListContactRemovalResponse,
    ),
    Operation(
        ReportRangeListContactRemoval,
        "Gives the contacts that left a list within a range of dates, page by page.",
        result=list[t.WSContactRemovalInfo] | None,
    ),
    Operation(
        ReportListContactHygiene,
        "Gives the addresses of a list that were corrected, page by page.",
        response=ReportListContactHygieneResponse,
    ),
    Operation(
        ReportRangeListContactHygiene,
        "Gives the addresses of a list that were corrected within a range of dates, page by page.",
        result=list[t.WSContactHygieneInfo] | None,
    ),
    Operation(
        ReportContactMessageActivity,
        "Gives the messages that a contact got and what became of each, page by page.",
        response=ReportContactMessageActivityResponse,
    ),
)
