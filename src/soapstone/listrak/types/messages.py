"""Messages, saved ones, and what is known about a sent one."""

from soapstone.wire.types import Boolean, DateTime, Double, Enumeration, Flat, Int, String, Struct


class MessageDeliveryType(Enumeration):
    """What kind of send a message was."""

    List = "List"
    Test = "Test"
    Review = "Review"
    Forward = "Forward"
    Automated = "Automated"
    SoftBounce = "SoftBounce"
    Triggered = "Triggered"
    Preview = "Preview"
    Browser = "Browser"
    SWYN = "SWYN"
    Transactional = "Transactional"


class SentFlag(Enumeration):
    """State of a send."""

    ToBeSent = "ToBeSent"
    Sending = "Sending"
    Sent = "Sent"
    RecurringSend = "RecurringSend"
    NotReady = "NotReady"
    ErrorSetToRetry = "ErrorSetToRetry"
    PendingApproval = "PendingApproval"


class WSMessageStatus(Struct):
    """How far the send of a message is."""

    MsgID: Int
    DeliveryType: MessageDeliveryType
    MessageStatus: SentFlag
    SentCount: Int
    StartTime: DateTime
    EndTime: DateTime


class WSMessage(Struct):
    """A message to be sent."""

    ListID: Int
    ListCampaignID: Int
    ToName: String
    ReplyEmailAddress: String
    FromName: String
    FromEmailAddress: String
    Subject: String
    EnablePassalong: Boolean
    EnableTracking: Boolean
    HTMLBody: String
    TextBody: String
    CharacterSetID: Int
    GoogleAnalyticsCampaignName: String
    GoogleAnalyticsCampaignContent: String


class WSSavedMessage(Struct):
    """A message that is kept to be sent again."""

    SavedMsgID: Int
    SavedName: String
    CreateDate: DateTime
    ModifiedDate: DateTime


class WSTransactionalMessage(Struct):
    """A message that is kept to be sent to one contact at a time."""

    TransactionalMsgID: Int
    MessageName: String


class SendTransactionalMessageToContactResult(Enumeration):
    """What became of such a send; two of the values hold a colon and a space."""

    Success = "Success"
    FailedInvalidEmailAddress = "FailedInvalidEmailAddress"
    FailedInvalidProfileDataSystemLink = "FailedInvalidProfileData: SystemLink"
    FailedInvalidProfileDataExternalContent = "FailedInvalidProfileData: ExternalContent"


class WSCampaign(Struct):
    """A campaign of a list, and how many messages it has."""

    CampaignID: Int
    ListID: Int
    Name: String
    MessageCount: Int


class WSCharacterSet(Struct):
    """A character set that messages may be sent in."""

    CharacterSetID: Int
    Name: String


class SpamAssassinScore(Struct):
    """A rule that a message met, with its points."""

    Points: Double
    Rule: String
    Description: String


class WSSpamScore(Struct):
    """How much a message looks like spam."""

    PointsReceived: Double
    PointsRequired: Double
    Scores: Flat[SpamAssassinScore]


class WSMessageAnalyticsInformation(Struct):
    """What a sent message hands over to web analytics."""

    CampaignID: Int
    CampaignName: String
    GoogleAnalyticsCampaignContent: String
    GoogleAnalyticsCampaignName: String
    ListrakAnalyticsCampaignName: String
    ListrakAnalyticsModuleName: String
    ListrakAnalyticsVersion: String
    ListID: Int
    MsgID: Int
    SendDate: DateTime
    Subject: String


class WSObjectTypeEnum(Enumeration):
    """What a public number may stand for."""

    Message = "Message"
