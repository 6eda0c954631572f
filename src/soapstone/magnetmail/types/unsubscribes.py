"""Leaving groups, complaints, and suppression."""

from soapstone.magnetmail.types.recipients import Asset, Recipient
from soapstone.wire.types import DateTime, Enumeration, Int, Long, Nillable, String, Struct


class recp_unsubscribe(Struct):
    """Who unsubscribed or complained, when, and because of which message."""

    recipient: Recipient | None
    ResultDate: DateTime
    message_name: String
    group_name: String
    message_CategoryId: Long


class Unsubscribe(Struct):
    """An unsubscribe to be recorded, and as it was recorded."""

    Id: Long
    UserId: String
    RecipientId: Long
    MessageId: Long
    GroupId: Long
    MessageCategoryId: String
    GroupCategoryId: String


class SuppressionIdentity(Enumeration):
    """What names the people of a suppression list."""

    CustomId = "CustomId"
    Email = "Email"
    Fax = "Fax"


class SuppressionType(Enumeration):
    """The channels that are shut."""

    Email = "Email"
    Fax = "Fax"
    EmailAndFax = "EmailAndFax"
    SMS = "SMS"
    EmailAndSms = "EmailAndSms"
    FaxAndSms = "FaxAndSms"
    EmailFaxAndSms = "EmailFaxAndSms"


class RecipientSuppressionList(Asset):
    """People to whom nothing is to be sent on some channels."""

    suppressby: SuppressionIdentity
    type: SuppressionType
    recipients: list[Recipient] | None


class RecipientSuppressionResult(Struct):
    """How many of them were new, and how many were changed."""

    new_added: Nillable[Int]
    total_updated: Nillable[Int]
