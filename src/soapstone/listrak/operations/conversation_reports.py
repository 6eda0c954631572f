"""Reports about conversations."""

from soapstone.listrak import types as t
from soapstone.listrak.operations.failures import fallible
from soapstone.wire.types import Boolean, DateTime, Ignored, Int, Struct


class ReportListConversationActivity(Struct):
    ListID: Int
    IncludeTerminated: Boolean
    WSException: Ignored[t.WSException]


class ReportListConversationDelivery(Struct):
    ListID: Int
    IncludeTerminated: Boolean
    WSException: Ignored[t.WSException]


class _ConversationRange(Struct, mixin=True):
    ConversationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationContactDelivery(_ConversationRange):
    pass


class ReportConversationContactRemoval(_ConversationRange):
    pass


class ReportConversationContactOpen(_ConversationRange):
    pass


class ReportConversationContactRead(_ConversationRange):
    pass


class ReportConversationLinkClick(Struct):
    ConversationID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportConversationContactBounce(_ConversationRange):
    pass


class _PlaceRange(Struct, mixin=True):
    ConversationID: Int
    GeoLocationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationLocationContactOpen(_PlaceRange):
    pass


class ReportConversationLocationContactRead(_PlaceRange):
    pass


class ReportConversationLocationContactClick(_PlaceRange):
    pass


CONVERSATION_REPORTS = (
    fallible(
        ReportListConversationActivity,
        "Gives opens, reads and clicks of each conversation of a list.",
        result=list[t.WSConversationActivity] | None,
    ),
    fallible(
        ReportListConversationDelivery,
        "Gives deliveries and bounces of each conversation of a list.",
        result=list[t.WSConversationDelivery] | None,
    ),
    fallible(
        ReportConversationContactDelivery,
        "Gives what a conversation sent to whom within a range of dates, page by page.",
        result=list[t.WSConversationContactDelivery] | None,
    ),
    fallible(
        ReportConversationContactRemoval,
        "Gives who left during a conversation within a range of dates, page by page.",
        result=list[t.WSConversationContactRemoval] | None,
    ),
    fallible(
        ReportConversationContactOpen,
        "Gives who opened mails of a conversation within a range of dates, page by page.",
        result=list[t.WSConversationContactOpen] | None,
    ),
    fallible(
        ReportConversationContactRead,
        "Gives who read mails of a conversation within a range of dates, page by page.",
        result=list[t.WSConversationContactRead] | None,
    ),
    fallible(
        ReportConversationLinkClick,
        "Gives the links of a conversation with their clicks, page by page.",
        result=list[t.WSConversationLinkClick] | None,
    ),
    fallible(
        ReportConversationContactBounce,
        "Gives the bounces of a conversation within a range of dates, page by page.",
        result=list[t.WSConversationContactBounce] | None,
    ),
    fallible(
        ReportConversationLocationContactOpen,
        "Gives the opens of a conversation at one place within a range of dates, page by page.",
        result=list[t.WSConversationLocationContactOpen] | None,
    ),
    fallible(
        ReportConversationLocationContactRead,
        "Gives the reads of a conversation at one place within a range of dates, page by page.",
        result=list[t.WSConversationLocationContactRead] | None,
    ),
    fallible(
        ReportConversationLocationContactClick,
        "Gives the clicks in a conversation at one place within a range of dates, page by page.",
        result=list[t.WSConversationLocationContactClick] | None,
    ),
)
