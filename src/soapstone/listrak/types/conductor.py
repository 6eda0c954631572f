"""Automation: events and conversations."""

from soapstone.wire.types import DateTime, Enumeration, Int, Nillable, String, Struct


class ExternalEventStatus(Enumeration):
    """Whether an event can be raised."""

    Active = "Active"
    Blocked = "Blocked"


class WSConductorExternalEvent(Struct):
    """An event of a list that calls and imports can raise."""

    ListID: Int
    EventID: Int
    EventName: String
    Status: ExternalEventStatus
    ConversationCount: Int
    LastModifiedDate: Nillable[DateTime]


class ConversationStatus(Enumeration):
    """State of a conversation."""

    Unpublished = "Unpublished"
    Publishing = "Publishing"
    PublishPending = "PublishPending"
    Published = "Published"
    Republishing = "Republishing"
    RepublishPending = "RepublishPending"
    Closed = "Closed"
    TerminationPending = "TerminationPending"
    Terminated = "Terminated"


class WSConductorConversation(Struct):
    """A conversation of a list with its two versions."""

    ListID: Int
    ListCampaignID: Int
    LastPublishedVersionID: Int
    WorkingVersionID: Int
    ConversationKey: String
    CampaignName: String
    ApplicationName: String
    NotificationFromName: String
    NotificationFromAddress: String
    Status: ConversationStatus
    ExpirationDate: Nillable[DateTime]
    ConversationID: Int
