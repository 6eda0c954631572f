"""Reports about conversations."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.types import Boolean, DateTime, Ignored, Int, Struct


@fallible(result=list[t.WSConversationActivity] | None)
class ReportListConversationActivity(Struct):
    """Gives opens, reads and clicks of each conversation of a list."""

    ListID: Int
    IncludeTerminated: Boolean
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSConversationDelivery] | None)
class ReportListConversationDelivery(Struct):
    """Gives deliveries and bounces of each conversation of a list."""

    ListID: Int
    IncludeTerminated: Boolean
    WSException: Ignored[t.WSException]


class _ConversationRange(Struct, mixin=True):
    ConversationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSConversationContactDelivery] | None)
class ReportConversationContactDelivery(_ConversationRange):
    """Gives what a conversation sent to whom within a range of dates, page by page."""


@fallible(result=list[t.WSConversationContactRemoval] | None)
class ReportConversationContactRemoval(_ConversationRange):
    """Gives who left during a conversation within a range of dates, page by page."""


@fallible(result=list[t.WSConversationContactOpen] | None)
class ReportConversationContactOpen(_ConversationRange):
    """Gives who opened mails of a conversation within a range of dates, page by page."""


@fallible(result=list[t.WSConversationContactRead] | None)
class ReportConversationContactRead(_ConversationRange):
    """Gives who read mails of a conversation within a range of dates, page by page."""


@fallible(result=list[t.WSConversationLinkClick] | None)
class ReportConversationLinkClick(Struct):
    """Gives the links of a conversation with their clicks, page by page."""

    ConversationID: Int
    Page: Int
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSConversationContactBounce] | None)
class ReportConversationContactBounce(_ConversationRange):
    """Gives the bounces of a conversation within a range of dates, page by page."""


class _PlaceRange(Struct, mixin=True):
    ConversationID: Int
    GeoLocationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


@fallible(result=list[t.WSConversationLocationContactOpen] | None)
class ReportConversationLocationContactOpen(_PlaceRange):
    """Gives the opens of a conversation at one place within a range of dates, page by page."""


@fallible(result=list[t.WSConversationLocationContactRead] | None)
class ReportConversationLocationContactRead(_PlaceRange):
    """Gives the reads of a conversation at one place within a range of dates, page by page."""


@fallible(result=list[t.WSConversationLocationContactClick] | None)
class ReportConversationLocationContactClick(_PlaceRange):
    """Gives the clicks in a conversation at one place within a range of dates, page by page."""
