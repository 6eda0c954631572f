"""Rows of reports about conversations."""

from soapstone.wire.types import DateTime, Decimal, Int, String, Struct


class WSConversationActivity(Struct):
    """Opens, reads and clicks of one conversation."""

    ListID: Int
    CampaignID: Int
    CampaignName: String
    ConversationID: Int
    ConversationName: String
    PublishedDate: DateTime
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


class WSConversationDelivery(Struct):
    """Deliveries and bounces of one conversation."""

    ListID: Int
    CampaignID: Int
    CampaignName: String
    ConversationID: Int
    ConversationName: String
    PublishedDate: DateTime
    SendCount: Int
    DeliverCount: Int
    DeliverRate: Decimal
    BounceCount: Int
    BounceRate: Decimal
    PassAlongCount: Int


class WSConversationContactDelivery(Struct):
    """A mail that a conversation sent."""

    MsgID: Int
    Subject: String
    ContactID: Int
    EmailAddress: String
    SendDate: DateTime


class WSConversationContactRemoval(Struct):
    """A contact that left during a conversation."""

    MsgID: Int
    Subject: String
    ContactID: Int
    EmailAddress: String
    AddDate: DateTime
    RemoveDate: DateTime
    RemoveMethod: String


class WSConversationContactOpen(Struct):
    """An open."""

    MsgID: Int
    Subject: String
    ContactID: Int
    EmailAddress: String
    OpenDate: DateTime


class WSConversationContactRead(Struct):
    """A read."""

    MsgID: Int
    Subject: String
    ContactID: Int
    EmailAddress: String
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


class WSConversationContactBounce(Struct):
    """A bounce."""

    MsgID: Int
    Subject: String
    ContactID: Int
    EmailAddress: String
    BounceDate: DateTime
    BounceCount: Int
    BounceReason: String
    BounceDetail: String


class WSConversationLocationContactOpen(Struct):
    """An open and its place."""

    MsgID: Int
    ContactID: Int
    EmailAddress: String
    CountryName: String
    RegionName: String
    PostalCode: String
    OpenDate: DateTime


class WSConversationLocationContactRead(Struct):
    """A read and its place."""

    MsgID: Int
    ContactID: Int
    EmailAddress: String
    CountryName: String
    RegionName: String
    PostalCode: String
    ReadDate: DateTime


class WSConversationLocationContactClick(Struct):
    """A click and its place."""

    MsgID: Int
    ContactID: Int
    EmailAddress: String
    CountryName: String
    RegionName: String
    PostalCode: String
    ClickDate: DateTime
