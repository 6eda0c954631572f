"""Messages and their sends."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import DateTime, Int, Nillable, String, Struct


class GetMessageStatus(Struct):
    MsgID: Int


class GetMessageStatusResponse(Struct):
    WSMessageStatus: Nillable[t.WSMessageStatus]


class SendTransactionalMessage(Struct):
    EmailAddress: String
    TransactionalMsgID: Int
    ProfileData: list[t.WSProfileAttributeValue] | None


class GetTransactionalMessageCollection(Struct):
    ListID: Int


class GetMessageAnalyticsInformation(Struct):
    MsgIDs: list[Int] | None


class GetSpamScore(Struct):
    WSMessage: Nillable[t.WSMessage]
    TestEmail: String


class GetSpamScoreResponse(Struct):
    WSSpamScore: Nillable[t.WSSpamScore]


class ScheduleSendListMessage(Struct):
    WSMessage: Nillable[t.WSMessage]
    SendDateTime: DateTime


class ScheduleSendListMessageResponse(Struct):
    ScheduleSendListMessageResult: Int
    SendDateTime: DateTime


class ScheduleSendListMessageWithProfileFilter(Struct):
    WSMessage: Nillable[t.WSMessage]
    ProfileFilter: list[t.WSProfileFilter] | None
    SendDateTime: DateTime


class ScheduleSendListMessageWithProfileFilterResponse(Struct):
    ScheduleSendListMessageWithProfileFilterResult: Int
    SendDateTime: DateTime


class SendListMessage(Struct):
    WSMessage: Nillable[t.WSMessage]


class SendListMessageWithProfileFilter(Struct):
    WSMessage: Nillable[t.WSMessage]
    ProfileFilter: list[t.WSProfileFilter] | None


class SendListMessageTest(Struct):
    WSMessage: Nillable[t.WSMessage]
    TestEmailAddress: String


class SendListMessageReview(Struct):
    WSMessage: Nillable[t.WSMessage]


class GetCampaignCollection(Struct):
    ListID: Int


class GetCharacterSetCollection(Struct):
    pass


class SendSavedMessage(Struct):
    SavedMsgID: Int


class SendSavedMessageTest(Struct):
    SavedMsgID: Int
    TestEmailAddress: String


class GetSavedMessageCollection(Struct):
    ListID: Int


class GetSystemIDFromPublicID(Struct):
    PublicID: String
    ObjectType: t.WSObjectTypeEnum


MESSAGE_OPERATIONS = (
    Operation(
        GetMessageStatus, "Tells how far the send of a message is, by its number.", response=GetMessageStatusResponse
    ),
    Operation(
        SendTransactionalMessage,
        "Sends a prepared message to one address, with values to fill in.",
        result=t.SendTransactionalMessageToContactResult,
    ),
    Operation(
        GetTransactionalMessageCollection,
        "Gives the prepared messages of a list.",
        result=list[t.WSTransactionalMessage] | None,
    ),
    Operation(
        GetMessageAnalyticsInformation,
        "Gives what sent messages hand over to web analytics, for at most 2,500 numbers.",
        result=list[t.WSMessageAnalyticsInformation] | None,
    ),
    Operation(
        GetSpamScore, "Tells how much a message looks like spam, and by which rules.", response=GetSpamScoreResponse
    ),
    Operation(
        ScheduleSendListMessage,
        "Schedules a message to a whole list; answers its number and the time.",
        response=ScheduleSendListMessageResponse,
    ),
    Operation(
        ScheduleSendListMessageWithProfileFilter,
        "Schedules a message to contacts that a filter lets through; answers its number and the time.",
        response=ScheduleSendListMessageWithProfileFilterResponse,
    ),
    Operation(SendListMessage, "Sends a message to a whole list and answers its number.", result=Int),
    Operation(
        SendListMessageWithProfileFilter,
        "Sends a message to contacts that a filter lets through and answers its number.",
        result=Int,
    ),
    Operation(SendListMessageTest, "Sends a message to one address as a test and answers its number.", result=Int),
    Operation(
        SendListMessageReview,
        "Sends a message to those who review the messages of a list and answers its number.",
        result=Int,
    ),
    Operation(GetCampaignCollection, "Gives the campaigns of a list.", result=list[t.WSCampaign] | None),
    Operation(GetCharacterSetCollection, "Gives the choice of character sets.", result=list[t.WSCharacterSet] | None),
    Operation(SendSavedMessage, "Sends a saved message to its list and answers the number of the send.", result=Int),
    Operation(
        SendSavedMessageTest,
        "Sends a saved message to one address as a test and answers the number of the send.",
        result=Int,
    ),
    Operation(
        GetSavedMessageCollection, "Gives what a list keeps to be sent again.", result=list[t.WSSavedMessage] | None
    ),
    Operation(GetSystemIDFromPublicID, "Finds the number behind the public text of a message.", result=Int),
)
