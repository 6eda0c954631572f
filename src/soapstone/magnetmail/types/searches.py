"""Calls that take one object with criteria and answer a page and a total (mm-39)."""

from soapstone.wire.types import DateTime, Enumeration, Int, Long, String, Struct


class DomainBase(Struct):
    """What criteria extend; it has no members."""


class PagedSearchCriteria(DomainBase):
    """The page that is asked for (mm-36, mm-37)."""

    PageNo: Int
    PageSize: Int


class DateRangeSearchCriteria(PagedSearchCriteria):
    """The range of dates that is asked for, both ends included (mm-33, mm-34)."""

    SearchStartDate: DateTime
    SearchEndDate: DateTime


class PagedSearchResults(Struct):
    """`Count` is the number of all matches, not of the rows in the page (mm-39)."""

    Count: Int


class TrackingDataBase(Struct):
    """An event: whose, of which message, when."""

    UserId: String
    MessageId: Long
    RecipientId: Long
    Date: DateTime


class MessageTrackingReportType(Enumeration):
    """The kind of a tracked event."""

    Sent = "Sent"
    Opened = "Opened"


class MessageSentStatus(Enumeration):
    """State of a mail to one recipient, in words."""

    InProgress = "InProgress"
    Delivered = "Delivered"
    SoftBounce = "SoftBounce"
    HardBounce = "HardBounce"
    UserNotFound = "UserNotFound"
    TemporarilyUnavailable = "TemporarilyUnavailable"
    MailboxFull = "MailboxFull"
    BadDomain = "BadDomain"
    Failed = "Failed"


class MessageTrackingData(TrackingDataBase):
    """An event of a message, with its kind."""

    Type: MessageTrackingReportType


class MessageSentTrackingData(MessageTrackingData):
    """A mail that was sent, with its state."""

    Status: MessageSentStatus


class MessageTrackingSearchCriteria(DateRangeSearchCriteria):
    """Events of all messages."""

    ReportType: MessageTrackingReportType


class MessageSentTrackingResults(PagedSearchResults):
    """One page of sent mails."""

    data: list[MessageSentTrackingData] | None


class MessageOpenTrackingResults(PagedSearchResults):
    """One page of opens."""

    data: list[MessageTrackingData] | None


class MessageLinkTrackingSearchCriteria(DateRangeSearchCriteria):
    """Clicks of one message, and of one address when it is given."""

    MessageId: Long
    LinkUrl: String


class MessageLinkTrackingData(TrackingDataBase):
    """A click."""

    Url: String
    LinkLabel: String
    LinkText: String


class MessageLinkTrackingResults(PagedSearchResults):
    """One page of clicks."""

    data: list[MessageLinkTrackingData] | None


class UnsubscribeSearchCriteria(DateRangeSearchCriteria):
    """Unsubscribes by message, group or category."""

    MessageId: Long
    GroupId: Long
    GroupCategoryId: Long


class UnsubscribeTrackingData(TrackingDataBase):
    """An unsubscribe."""

    GroupId: Long
    GroupCategoryId: Long
    MessageCategoryId: Long


class UnsubscribeTrackingResults(PagedSearchResults):
    """One page of unsubscribes."""

    data: list[UnsubscribeTrackingData] | None


class PersonifyObject(Struct):
    """An object of the membership system Personify."""

    ObjectType: String
    Identifier: String


class PersonifySubscriptionMappingSearchCriteria(DomainBase):
    """Mappings of one such object."""

    ObjectInPersonify: PersonifyObject | None


class PersonifySubscriptionMapping(Struct):
    """Which object of the account stands for which one over there."""

    ID: Int
    MailUserId: String
    RealMagnetObjectId: Int
    RealMagnetObjectName: String
    RealMagnetType: String
    PersonifyId: String
    PersonifyType: String
    CreatedBy: Int
    DateCreated: DateTime


class PersonifySubscriptionMappingSearchResults(PagedSearchResults):
    """One page of mappings."""

    data: list[PersonifySubscriptionMapping] | None
