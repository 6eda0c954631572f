"""Reports about one message."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import DateTime, Ignored, Int, Nillable, Struct


class ReportMessageContactSent(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactSentResponse(Struct):
    ReportMessageContactSentResult: list[t.WSMessageRecipient] | None
    WSException: Nillable[t.WSException]


class ReportMessageContactOpen(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactOpenResponse(Struct):
    ReportMessageContactOpenResult: list[t.WSContactOpen] | None
    WSException: Nillable[t.WSException]


class ReportRangeMessageContactOpen(Struct):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportMessageContactRead(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactReadResponse(Struct):
    ReportMessageContactReadResult: list[t.WSContactRead] | None
    WSException: Nillable[t.WSException]


class ReportRangeMessageContactRead(Struct):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportMessageContactClick(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactClickResponse(Struct):
    ReportMessageContactClickResult: list[t.WSContactClick] | None
    WSException: Nillable[t.WSException]


class ReportRangeMessageContactClick(Struct):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportMessageContactPassalong(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactPassalongResponse(Struct):
    ReportMessageContactPassalongResult: list[t.WSContactPassalong] | None
    WSException: Nillable[t.WSException]


class ReportRangeMessageContactPassalong(Struct):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportMessageContactBounces(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactBouncesResponse(Struct):
    ReportMessageContactBouncesResult: list[t.WSContactBounce] | None
    WSException: Nillable[t.WSException]


class ReportRangeMessageContactBounces(Struct):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportMessageLinkClick(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageLinkClickResponse(Struct):
    ReportMessageLinkClickResult: list[t.WSMessageLink] | None
    WSException: Nillable[t.WSException]


class ReportContactLinkClick(Struct):
    LinkID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportContactLinkClickResponse(Struct):
    ReportContactLinkClickResult: list[t.WSContactLinkClick] | None
    WSException: Nillable[t.WSException]


class ReportMessageContactActivity(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactActivityResponse(Struct):
    ReportMessageContactActivityResult: list[t.WSMessageContactActivity] | None
    WSException: Nillable[t.WSException]


class ReportRangeMessageContactRemoval(Struct):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportMessageContactRemoval(Struct):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactRemovalResponse(Struct):
    ReportMessageContactRemovalResult: list[t.WSContactRemovalInfo] | None
    WSException: Nillable[t.WSException]


MESSAGE_REPORTS = (
    Operation(
        ReportMessageContactSent,
        "Gives the addresses that a message was sent to, page by page.",
        response=ReportMessageContactSentResponse,
    ),
    Operation(
        ReportMessageContactOpen, "Gives who opened a message, page by page.", response=ReportMessageContactOpenResponse
    ),
    Operation(
        ReportRangeMessageContactOpen,
        "Gives who opened a message within a range of dates, page by page.",
        result=list[t.WSContactOpen] | None,
    ),
    Operation(
        ReportMessageContactRead, "Gives who read a message, page by page.", response=ReportMessageContactReadResponse
    ),
    Operation(
        ReportRangeMessageContactRead,
        "Gives who read a message within a range of dates, page by page.",
        result=list[t.WSContactRead] | None,
    ),
    Operation(
        ReportMessageContactClick,
        "Gives who clicked in a message, and on what, page by page.",
        response=ReportMessageContactClickResponse,
    ),
    Operation(
        ReportRangeMessageContactClick,
        "Gives who clicked in a message within a range of dates, and on what, page by page.",
        result=list[t.WSContactClick] | None,
    ),
    Operation(
        ReportMessageContactPassalong,
        "Gives who passed a message on to whom, page by page.",
        response=ReportMessageContactPassalongResponse,
    ),
    Operation(
        ReportRangeMessageContactPassalong,
        "Gives who passed a message on to whom within a range of dates, page by page.",
        result=list[t.WSContactPassalong] | None,
    ),
    Operation(
        ReportMessageContactBounces,
        "Gives the bounces of a message, page by page.",
        response=ReportMessageContactBouncesResponse,
    ),
    Operation(
        ReportRangeMessageContactBounces,
        "Gives the bounces of a message within a range of dates, page by page.",
        result=list[t.WSContactBounce] | None,
    ),
    Operation(
        ReportMessageLinkClick,
        "Gives the links of a message with their clicks, page by page.",
        response=ReportMessageLinkClickResponse,
    ),
    Operation(
        ReportContactLinkClick, "Gives the clicks on one link, page by page.", response=ReportContactLinkClickResponse
    ),
    Operation(
        ReportMessageContactActivity,
        "Gives what each recipient of a message did with it, page by page.",
        response=ReportMessageContactActivityResponse,
        deprecated="no successor is named.",
    ),
    Operation(
        ReportRangeMessageContactRemoval,
        "Gives who left because of a message within a range of dates, page by page.",
        result=list[t.WSContactRemovalInfo] | None,
    ),
    Operation(
        ReportMessageContactRemoval,
        "Gives who left because of a message, page by page.",
        response=ReportMessageContactRemovalResponse,
    ),
)
