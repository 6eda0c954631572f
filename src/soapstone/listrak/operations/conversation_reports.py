"""Reports about conversations."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Boolean, DateTime, Ignored, Int, Nillable, Struct


class ReportListConversationActivity(Struct):
    ListID: Int
    IncludeTerminated: Boolean
    WSException: Ignored[t.WSException]


class ReportListConversationActivityResponse(Struct):
    ReportListConversationActivityResult: list[t.WSConversationActivity] | None
    WSException: Nillable[t.WSException]


class ReportListConversationDelivery(Struct):
    ListID: Int
    IncludeTerminated: Boolean
    WSException: Ignored[t.WSException]


class ReportListConversationDeliveryResponse(Struct):
    ReportListConversationDeliveryResult: list[t.WSConversationDelivery] | None
    WSException: Nillable[t.WSException]


class ReportConversationContactDelivery(Struct):
    ConversationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationContactDeliveryResponse(Struct):
    ReportConversationContactDeliveryResult: list[t.WSConversationContactDelivery] | None
    WSException: Nillable[t.WSException]


class ReportConversationContactRemoval(Struct):
    ConversationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationContactRemovalResponse(Struct):
    ReportConversationContactRemovalResult: list[t.WSConversationContactRemoval] | None
    WSException: Nillable[t.WSException]


class ReportConversationContactOpen(Struct):
    ConversationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationContactOpenResponse(Struct):
    ReportConversationContactOpenResult: list[t.WSConversationContactOpen] | None
    WSException: Nillable[t.WSException]


class ReportConversationContactRead(Struct):
    ConversationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationContactReadResponse(Struct):
    ReportConversationContactReadResult: list[t.WSConversationContactRead] | None
    WSException: Nillable[t.WSException]


class ReportConversationLinkClick(Struct):
    ConversationID: Int
    Page: Int
    WSException: Ignored[t.WSException]


class ReportConversationLinkClickResponse(Struct):
    ReportConversationLinkClickResult: list[t.WSConversationLinkClick] | None
    WSException: Nillable[t.WSException]


class ReportConversationContactBounce(Struct):
    ConversationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationContactBounceResponse(Struct):
    ReportConversationContactBounceResult: list[t.WSConversationContactBounce] | None
    WSException: Nillable[t.WSException]


class ReportConversationLocationContactOpen(Struct):
    ConversationID: Int
    GeoLocationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationLocationContactOpenResponse(Struct):
    ReportConversationLocationContactOpenResult: list[t.WSConversationLocationContactOpen] | None
    WSException: Nillable[t.WSException]


class ReportConversationLocationContactRead(Struct):
    ConversationID: Int
    GeoLocationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationLocationContactReadResponse(Struct):
    ReportConversationLocationContactReadResult: list[t.WSConversationLocationContactRead] | None
    WSException: Nillable[t.WSException]


class ReportConversationLocationContactClick(Struct):
    ConversationID: Int
    GeoLocationID: Int
    Page: Int
    StartDate: DateTime
    EndDate: DateTime
    WSException: Ignored[t.WSException]


class ReportConversationLocationContactClickResponse(Struct):
    ReportConversationLocationContactClickResult: list[t.WSConversationLocationContactClick] | None
    WSException: Nillable[t.WSException]


CONVERSATION_REPORTS = (
    Operation(
        ReportListConversationActivity,
        "Gives opens, reads and clicks of each conversation of a list.",
        response=ReportListConversationActivityResponse,
    ),
    Operation(
        ReportListConversationDelivery,
        "Gives deliveries and bounces of each conversation of a list.",
        response=ReportListConversationDeliveryResponse,
    ),
    Operation(
        ReportConversationContactDelivery,
        "Gives what a conversation sent to whom within a range of dates, page by page.",
        response=ReportConversationContactDeliveryResponse,
    ),
    Operation(
        ReportConversationContactRemoval,
        "Gives who left during a conversation within a range of dates, page by page.",
        response=ReportConversationContactRemovalResponse,
    ),
    Operation(
        ReportConversationContactOpen,
        "Gives who opened mails of a conversation within a range of dates, page by page.",
        response=ReportConversationContactOpenResponse,
    ),
    Operation(
        ReportConversationContactRead,
        "Gives who read mails of a conversation within a range of dates, page by page.",
        response=ReportConversationContactReadResponse,
    ),
    Operation(
        ReportConversationLinkClick,
        "Gives the links of a conversation with their clicks, page by page.",
        response=ReportConversationLinkClickResponse,
    ),
    Operation(
        ReportConversationContactBounce,
        "Gives the bounces of a conversation within a range of dates, page by page.",
        response=ReportConversationContactBounceResponse,
    ),
    Operation(
        ReportConversationLocationContactOpen,
        "Gives the opens of a conversation at one place within a range of dates, page by page.",
        response=ReportConversationLocationContactOpenResponse,
    ),
    Operation(
        ReportConversationLocationContactRead,
        "Gives the reads of a conversation at one place within a range of dates, page by page.",
        response=ReportConversationLocationContactReadResponse,
    ),
    Operation(
        ReportConversationLocationContactClick,
        "Gives the clicks in a conversation at one place within a range of dates, page by page.",
        response=ReportConversationLocationContactClickResponse,
    ),
)
