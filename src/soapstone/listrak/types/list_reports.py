"""Rows of reports about the contacts and messages of lists."""

from soapstone.wire.types import Boolean, DateTime, Decimal, Int, String, Struct


class WSContactSubscriptionInfo(Struct):
    """A subscribed contact of a list."""

    ContactID: String
    EmailAddress: String
    AdditionDate: DateTime
    AdditionMethod: String


class WSFeedbackLoopListing(Struct):
    """A complaint that came back from a mailbox provider."""

    ListID: Int
    ListName: String
    CampaignID: Int
    CampaignName: String
    MessageID: Int
    MessageSubject: String
    ContactID: String
    EmailAddress: String
    AbuseDate: DateTime
    ISPName: String


class WSContactRemovalInfo(Struct):
    """A contact that left a list, and how (lk-110)."""

    ContactID: String
    EmailAddress: String
    AdditionDate: DateTime
    RemovalDate: DateTime
    RemovalMethod: String


class WSContactHygieneInfo(Struct):
    """A corrected address; dates are text (lk-22)."""

    ContactID: String
    OldEmailAddress: String
    EmailAddress: String
    AddDate: String
    HygieneDate: String


class WSContactMessageActivity(Struct):
    """What one contact did with a message."""

    ListID: Int
    ListName: String
    MsgID: Int
    Subject: String
    IsOpen: Boolean
    IsRead: Boolean
    IsClick: Boolean


class WSMessageActivity(Struct):
    """Opens, reads and clicks of one message of a list."""

    ListID: Int
    MsgID: Int
    Subject: String
    SendDate: DateTime
    DeliverCount: Int
    RemoveCount: Int
    RemovePercent: Decimal
    OpenCount: Int
    OpenPercent: Decimal
    ReadCount: Int
    ReadPercent: Decimal
    ClickCount: Int
    ClickerCount: Int
    RepeatClickerCount: Int
    NewClickerCount: Int
    ClickerPercent: Decimal
    OrderTotal: Decimal
    ConversionCount: Int
    AverageOrderValue: Decimal


class WSMessageDelivery(Struct):
    """Deliveries and bounces of one message of a list."""

    ListID: Int
    MsgID: Int
    Subject: String
    SendDate: DateTime
    DeliverCount: Int
    DeliverPercent: Decimal
    BounceCount: Int
    BouncePercent: Decimal
    PassAlongCount: Int
