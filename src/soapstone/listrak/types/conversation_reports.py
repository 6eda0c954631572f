"""Rows of reports about conversations."""

from soapstone.wire.types import DateTime, Decimal, Int, String, Struct


class _Conversation(Struct, mixin=True):
    ListID: Int
    CampaignID: Int
    CampaignName: String
    ConversationID: Int
    ConversationName: String
    PublishedDate: DateTime


class WSConversationActivity(_Conversation):
    """Opens, reads and clicks of one conversation."""

    ContactCount: Int
    WaitingCount: Int
    TerminatedCount: Int
    DeliverCount: Int
    RemoveCount: Int
    RemoveRate: Decimal
    OpenCount: Int
    OpenRate: Decimal
    ReadCount: Int
    ReadRate: Decimal
    ClickCount: Int
    OrderTotal: Decimal
    ConversionCount: Int
    AverageOrderValue: Decimal


class WSConversationDelivery(_Conversation):
    """Deliveries and bounces of one conversation."""

    SendCount: Int
    DeliverCount: Int
    DeliverRate: Decimal
    BounceCount: Int
    BounceRate: Decimal
    PassAlongCount: Int


class _ContactMail(Struct, mixin=True):
    MsgID: Int
    Subject: String
    ContactID: Int
    EmailAddress: String


class WSConversationContactDelivery(_ContactMail):
    """A mail that a conversation sent."""

    SendDate: DateTime


class WSConversationContactRemoval(_ContactMail):
    """A contact that left during a conversation."""

    AddDate: DateTime
    RemoveDate: DateTime
    RemoveMethod: String


class WSConversationContactOpen(_ContactMail):
    """An open."""

    OpenDate: DateTime


class WSConversationContactRead(_ContactMail):
    """A read."""

    ReadDate: DateTime


class WSConversationLinkClick(Struct):
    """A link with its clicks."""

    MsgID: Int
    Subject: String
    LinkID: Int
    LinkDescription: String
    LinkURL: String
    Type: String
    ClickCount: Int
    ClickPercent: Decimal
    ClickerCount: Int
    SendCount: Int


class WSConversationContactBounce(_ContactMail):
    """A bounce."""

    BounceDate: DateTime
    BounceCount: Int
    BounceReason: String
    BounceDetail: String


class _ContactPlace(Struct, mixin=True):
    MsgID: Int
    ContactID: Int
    EmailAddress: String
    CountryName: String
    RegionName: String
    PostalCode: String


class WSConversationLocationContactOpen(_ContactPlace):
    """An open and its place."""

    OpenDate: DateTime


class WSConversationLocationContactRead(_ContactPlace):
    """A read and its place."""

    ReadDate: DateTime


class WSConversationLocationContactClick(_ContactPlace):
    """A click and its place."""

    ClickDate: DateTime
