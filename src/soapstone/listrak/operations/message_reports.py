"""Reports about one message."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import Operation
from soapstone.wire.types import DateTime, Ignored, Int, Struct


class _MessagePages(Struct, mixin=True):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactSent(_MessagePages):
    pass


class ReportMessageContactOpen(_MessagePages):
    pass


class _MessageRange(Struct, mixin=True):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


class ReportRangeMessageContactOpen(_MessageRange):
    pass


class ReportMessageContactRead(_MessagePages):
    pass


class ReportRangeMessageContactRead(_MessageRange):
    pass


class ReportMessageContactClick(_MessagePages):
    pass


class ReportRangeMessageContactClick(_MessageRange):
    pass


class ReportMessageContactPassalong(_MessagePages):
    pass


class ReportRangeMessageContactPassalong(_MessageRange):
    pass


class ReportMessageContactBounces(_MessagePages):
    pass


class ReportRangeMessageContactBounces(_MessageRange):
    pass


class ReportMessageLinkClick(_MessagePages):
    pass


class ReportContactLinkClick(Struct):
    LinkID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportMessageContactActivity(_MessagePages):
    pass


class ReportRangeMessageContactRemoval(_MessageRange):
    pass


class ReportMessageContactRemoval(_MessagePages):
    pass


MESSAGE_REPORTS = (
    fallible(
        ReportMessageContactSent,
        "Gives the addresses that a message was sent to, page by page.",
        result=list[t.WSMessageRecipient] | None,
    ),
    fallible(
        ReportMessageContactOpen, "Gives who opened a message, page by page.", result=list[t.WSContactOpen] | None
    ),
    Operation(
        ReportRangeMessageContactOpen,
        "Gives who opened a message within a range of dates, page by page.",
        result=list[t.WSContactOpen] | None,
    ),
    fallible(ReportMessageContactRead, "Gives who read a message, page by page.", result=list[t.WSContactRead] | None),
    Operation(
        ReportRangeMessageContactRead,
        "Gives who read a message within a range of dates, page by page.",
        result=list[t.WSContactRead] | None,
    ),
    fallible(
        ReportMessageContactClick,
        "Gives who clicked in a message, and on what, page by page.",
        result=list[t.WSContactClick] | None,
    ),
    Operation(
        ReportRangeMessageContactClick,
        "Gives who clicked in a message within a range of dates, and on what, page by page.",
        result=list[t.WSContactClick] | None,
    ),
    fallible(
        ReportMessageContactPassalong,
        "Gives who passed a message on to whom, page by page.",
        result=list[t.WSContactPassalong] | None,
    ),
    Operation(
        ReportRangeMessageContactPassalong,
        "Gives who passed a message on to whom within a range of dates, page by page.",
        result=list[t.WSContactPassalong] | None,
    ),
    fallible(
        ReportMessageContactBounces,
        "Gives the bounces of a message, page by page.",
        result=list[t.WSContactBounce] | None,
    ),
    Operation(
        ReportRangeMessageContactBounces,
        "Gives the bounces of a message within a range of dates, page by page.",
        result=list[t.WSContactBounce] | None,
    ),
    fallible(
        ReportMessageLinkClick,
        "Gives the links of a message with their clicks, page by page.",
        result=list[t.WSMessageLink] | None,
    ),
    fallible(
        ReportContactLinkClick, "Gives the clicks on one link, page by page.", result=list[t.WSContactLinkClick] | None
    ),
    fallible(
        ReportMessageContactActivity,
        "Gives what each recipient of a message did with it, page by page.",
        result=list[t.WSMessageContactActivity] | None,
        deprecated="no successor is named.",
    ),
    Operation(
        ReportRangeMessageContactRemoval,
        "Gives who left because of a message within a range of dates, page by page.",
        result=list[t.WSContactRemovalInfo] | None,
    ),
    fallible(
        ReportMessageContactRemoval,
        "Gives who left because of a message, page by page.",
        result=list[t.WSContactRemovalInfo] | None,
    ),
)
