"""Reports about one message."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.contract import operation
from soapstone.wire.types import DateTime, Ignored, Int, Struct


class _MessagePages(Struct, mixin=True):
    MsgID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageRecipient] | None)
class ReportMessageContactSent(_MessagePages):
    """Gives the addresses that a message was sent to, page by page."""


@fallible(result=list[t.WSContactOpen] | None)
class ReportMessageContactOpen(_MessagePages):
    """Gives who opened a message, page by page."""


class _MessageRange(Struct, mixin=True):
    MsgID: Int
    StartDate: DateTime
    EndDate: DateTime
    Page: Int


@operation(result=list[t.WSContactOpen] | None)
class ReportRangeMessageContactOpen(_MessageRange):
    """Gives who opened a message within a range of dates, page by page."""


@fallible(result=list[t.WSContactRead] | None)
class ReportMessageContactRead(_MessagePages):
    """Gives who read a message, page by page."""


@operation(result=list[t.WSContactRead] | None)
class ReportRangeMessageContactRead(_MessageRange):
    """Gives who read a message within a range of dates, page by page."""


@fallible(result=list[t.WSContactClick] | None)
class ReportMessageContactClick(_MessagePages):
    """Gives who clicked in a message, and on what, page by page."""


@operation(result=list[t.WSContactClick] | None)
class ReportRangeMessageContactClick(_MessageRange):
    """Gives who clicked in a message within a range of dates, and on what, page by page."""


@fallible(result=list[t.WSContactPassalong] | None)
class ReportMessageContactPassalong(_MessagePages):
    """Gives who passed a message on to whom, page by page."""


@operation(result=list[t.WSContactPassalong] | None)
class ReportRangeMessageContactPassalong(_MessageRange):
    """Gives who passed a message on to whom within a range of dates, page by page."""


@fallible(result=list[t.WSContactBounce] | None)
class ReportMessageContactBounces(_MessagePages):
    """Gives the bounces of a message, page by page."""


@operation(result=list[t.WSContactBounce] | None)
class ReportRangeMessageContactBounces(_MessageRange):
    """Gives the bounces of a message within a range of dates, page by page."""


@fallible(result=list[t.WSMessageLink] | None)
class ReportMessageLinkClick(_MessagePages):
    """Gives the links of a message with their clicks, page by page."""


@fallible(result=list[t.WSContactLinkClick] | None)
class ReportContactLinkClick(Struct):
    """Gives the clicks on one link, page by page."""

    LinkID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSMessageContactActivity] | None, deprecated="no successor is named.")
class ReportMessageContactActivity(_MessagePages):
    """Gives what each recipient of a message did with it, page by page."""


@operation(result=list[t.WSContactRemovalInfo] | None)
class ReportRangeMessageContactRemoval(_MessageRange):
    """Gives who left because of a message within a range of dates, page by page."""


@fallible(result=list[t.WSContactRemovalInfo] | None)
class ReportMessageContactRemoval(_MessagePages):
    """Gives who left because of a message, page by page."""
