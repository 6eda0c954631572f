"""Messages and their sends."""

from soapstone.listrak import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import DateTime, Int, Nillable, String, Struct


@operation(result=t.WSMessageStatus, place="WSMessageStatus")
class GetMessageStatus(Struct):
    """Tells how far the send of a message is, by its number."""

    MsgID: Int


@operation(result=t.SendTransactionalMessageToContactResult)
class SendTransactionalMessage(Struct):
    """Sends a prepared message to one address, with values to fill in."""

    EmailAddress: String
    TransactionalMsgID: Int
    ProfileData: list[t.WSProfileAttributeValue] | None


@operation(result=list[t.WSTransactionalMessage] | None)
class GetTransactionalMessageCollection(Struct):
    """Gives the prepared messages of a list."""

    ListID: Int


@operation(result=list[t.WSMessageAnalyticsInformation] | None)
class GetMessageAnalyticsInformation(Struct):
    """Gives what sent messages hand over to web analytics, for at most 2,500 numbers."""

    MsgIDs: list[Int] | None


@operation(result=t.WSSpamScore, place="WSSpamScore")
class GetSpamScore(Struct):
    """Tells how much a message looks like spam, and by which rules."""

    WSMessage: Nillable[t.WSMessage]
    TestEmail: String


class ScheduleSendListMessageResponse(Struct):
    ScheduleSendListMessageResult: Int
    SendDateTime: DateTime


@operation(response=ScheduleSendListMessageResponse)
class ScheduleSendListMessage(Struct):
    """Schedules a message to a whole list; answers its number and the time."""

    WSMessage: Nillable[t.WSMessage]
    SendDateTime: DateTime


class ScheduleSendListMessageWithProfileFilterResponse(Struct):
    ScheduleSendListMessageWithProfileFilterResult: Int
    SendDateTime: DateTime


@operation(response=ScheduleSendListMessageWithProfileFilterResponse)
class ScheduleSendListMessageWithProfileFilter(Struct):
    """Schedules a message to contacts that a filter lets through; answers its number and the time."""

    WSMessage: Nillable[t.WSMessage]
    ProfileFilter: list[t.WSProfileFilter] | None
    SendDateTime: DateTime


@operation(result=Int)
class SendListMessage(Struct):
    """Sends a message to a whole list and answers its number."""

    WSMessage: Nillable[t.WSMessage]


@operation(result=Int)
class SendListMessageWithProfileFilter(Struct):
    """Sends a message to contacts that a filter lets through and answers its number."""

    WSMessage: Nillable[t.WSMessage]
    ProfileFilter: list[t.WSProfileFilter] | None


@operation(result=Int)
class SendListMessageTest(Struct):
    """Sends a message to one address as a test and answers its number."""

    WSMessage: Nillable[t.WSMessage]
    TestEmailAddress: String


@operation(result=Int)
class SendListMessageReview(Struct):
    """Sends a message to those who review the messages of a list and answers its number."""

    WSMessage: Nillable[t.WSMessage]


@operation(result=list[t.WSCampaign] | None)
class GetCampaignCollection(Struct):
    """Gives the campaigns of a list."""

    ListID: Int


@operation(result=list[t.WSCharacterSet] | None)
class GetCharacterSetCollection(Struct):
    """Gives the choice of character sets."""


@operation(result=Int)
class SendSavedMessage(Struct):
    """Sends a saved message to its list and answers the number of the send."""

    SavedMsgID: Int


@operation(result=Int)
class SendSavedMessageTest(Struct):
    """Sends a saved message to one address as a test and answers the number of the send."""

    SavedMsgID: Int
    TestEmailAddress: String


@operation(result=list[t.WSSavedMessage] | None)
class GetSavedMessageCollection(Struct):
    """Gives what a list keeps to be sent again."""

    ListID: Int


@operation(result=Int)
class GetSystemIDFromPublicID(Struct):
    """Finds the number behind the public text of a message."""

    PublicID: String
    ObjectType: t.WSObjectTypeEnum
