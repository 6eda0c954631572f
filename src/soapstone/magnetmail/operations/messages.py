"""Stored messages."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import DateTime, Int, String, Struct


class _MessageFilter(Struct, mixin=True):
    user_id: String
    createStartDate: DateTime
    createEndDate: DateTime
    sentStartDate: DateTime
    sentEndDate: DateTime
    archived: t.bool_special
    hidden: t.bool_special
    hasFax: t.bool_special
    hasEmail: t.bool_special


class getMessages(_MessageFilter):
    pass


class getMessagesUTC(_MessageFilter):
    pass


class createMagnetMailMessage(Struct):
    message: t.MessageDetails | None


class editMagnetMailMessage(Struct):
    message: t.MessageDetails | None


class getMessageList(_MessageFilter):
    pass


class getMessageListUtc(_MessageFilter):
    pass


class GetMessageDetails(Struct):
    MessageId: Int


MESSAGE_OPERATIONS = (
    Operation(
        getMessages,
        "Lists stored messages with the groups they went to; dates in the account's zone.",
        result=list[t.MessageList] | None,
    ),
    Operation(
        getMessagesUTC,
        "Lists stored messages with the groups they went to; dates in UTC.",
        result=list[t.MessageList] | None,
    ),
    Operation(createMagnetMailMessage, "Stores a new message.", result=t.createEditMessageResult | None),
    Operation(editMagnetMailMessage, "Replaces a stored message.", result=t.createEditMessageResult | None),
    Operation(
        getMessageList,
        "Lists stored messages without their groups; dates in the account's zone.",
        result=list[t.Message] | None,
    ),
    Operation(
        getMessageListUtc, "Lists stored messages without their groups; dates in UTC.", result=list[t.Message] | None
    ),
    Operation(GetMessageDetails, "Gives a stored message with its texts and settings.", result=t.MessageDetails | None),
)
