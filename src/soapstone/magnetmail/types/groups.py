"""Groups, their members and their categories."""

from soapstone.magnetmail.types.recipients import Asset
from soapstone.wire.types import Boolean, DateTime, Int, Nillable, String, Struct, UnsignedByte


class _Group(Struct, mixin=True):
    group_id: Int
    group_name: String
    group_created: DateTime
    display_status: Boolean
    subscription_group: Boolean
    last_updated_date: DateTime
    last_updated_loginid: Int


class group(_Group):
    """A group as `getGroups` lists it."""


class MailRecipientGroup(_Group):
    """A group with its totals (mm-92)."""

    TotalInGroup: Int
    TotalEmailAndFaxSuppressed: Int
    TotalFaxSuppressed: Int
    TotalEmailSuppressed: Int
    TotalUnsubscribed: Int


class GroupRecipient(Struct):
    """A member of a group."""

    EmailId: String
    CustomMemberId: String
    RecipientId: String


class GroupRecipients(Struct):
    """One page of the members of a group."""

    recipients: list[GroupRecipient] | None


class RecipientGroup(Asset):
    """A group that a recipient belongs to."""

    Id: Nillable[Int]
    Name: String
    Created: Nillable[DateTime]
    DisplayStatus: Nillable[Boolean]
    SubscriptionGroup: Nillable[Boolean]
    LastUpdated: Nillable[DateTime]
    LastUpdatedLoginId: Nillable[Int]


class JobToGroup(Struct):
    """A group that a message was sent to, and when."""

    group_id: Int
    group_name: String
    sent_date: DateTime


class MessageCategory(Struct):
    """A category of messages (mm-93)."""

    ID: Int
    Name: String
    MailUserId: String
    DateCreated: DateTime
    LoginId: Nillable[Int]


class GroupCategory(Struct):
    """A category of groups; `Status` is 1 while it is in use (mm-94)."""

    ID: Int
    CategoryName: String
    MailUserId: String
    LoginId: Int
    Status: UnsignedByte
    DateCreated: DateTime
