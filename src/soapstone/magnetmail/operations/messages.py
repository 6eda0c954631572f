"""Stored messages."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
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


@operation(result=list[t.MessageList] | None)
class getMessages(_MessageFilter):
    """Lists stored messages with the groups they went to; dates in the account's zone."""


@operation(result=list[t.MessageList] | None)
class getMessagesUTC(_MessageFilter):
    """Lists stored messages with the groups they went to; dates in UTC."""


@operation(result=t.createEditMessageResult | None)
class createMagnetMailMessage(Struct):
    """Stores a new message."""

    message: t.MessageDetails | None


@operation(result=t.createEditMessageResult | None)
class editMagnetMailMessage(Struct):
    """Replaces a stored message."""

    message: t.MessageDetails | None


@operation(result=list[t.Message] | None)
class getMessageList(_MessageFilter):
    """Lists stored messages without their groups; dates in the account's zone."""


@operation(result=list[t.Message] | None)
class getMessageListUtc(_MessageFilter):
    """Lists stored messages without their groups; dates in UTC."""


@operation(result=t.MessageDetails | None)
class GetMessageDetails(Struct):
    """Gives a stored message with its texts and settings."""

    MessageId: Int
