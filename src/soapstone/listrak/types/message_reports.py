"""Rows of reports about one message. Most dates are text (lk-22)."""

from soapstone.wire.types import Boolean, DateTime, Decimal, Int, String, Struct


class WSMessageRecipient(Struct):
    """An address that the message was sent to."""

    EmailAddress: String


class WSContactOpen(Struct):
    """An open."""

    ContactID: String
    EmailAddress: String
    OpenDate: String


class WSContactRead(Struct):
    """A read."""

    ContactID: String
    EmailAddress: String
    ReadDate: String


class WSContactClick(Struct):
    """A click."""

    ContactID: String
    EmailAddress: String
    LinkDescription: String
    LinkUrl: String
    ClickDate: String


class WSContactPassalong(Struct):
    """Somebody passed the message on."""

    PassAlongDate: String
    FromName: String
    FromEmailAddress: String
    FromContactID: String
    ToName: String
    ToEmailAddress: String
    ToContactID: String


class WSContactBounce(Struct):
    """A bounce."""

    ContactID: String
    EmailAddress: String
    BounceReason: String
    BounceDetail: String
    BounceDate: String
    BounceCount: Int


class WSMessageLink(Struct):
    """A link of the message with its clicks."""

    MsgID: Int
    LinkID: Int
    LinkURL: String
    LinkType: String
    ClickCount: Int
    ClickerCount: Int
    ClickPercent: Decimal
    LinkDescription: String


class WSContactLinkClick(Struct):
    """A click on one link."""

    LinkID: Int
    ContactID: String
    EmailAddress: String
    LinkURL: String
    ClickDate: String


class WSMessageContactActivity(Struct):
    """What one recipient did with the message."""

    MsgID: Int
    ContactID: Int
    EmailAddress: String
    SendDate: DateTime
    Opened: Boolean
    Read: Boolean
    ClickCount: Int
    BounceCount: Int
