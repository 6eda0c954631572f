"""Contacts: states on a list, suppressions, opt-outs, and what their history records."""

from __future__ import annotations

from soapstone.vocabulary.labelled import Labelled


class MembershipState(Labelled):
    """The state of a contact on a list."""

    SUBSCRIBED = "subscribed", "subscribed", "Gets the mail of the list."
    UNSUBSCRIBED = "unsubscribed", "unsubscribed", "Has left, or was removed, and gets no mail of the list."
    UNCONFIRMED = "waiting", "unconfirmed", "Has not confirmed the subscription yet, and gets no mail of the list."


class SuppressionKind(Labelled):
    """How an address is kept from mail."""

    SUPPRESSED = "suppressed", "suppressed", "Gets no mail; the contact may still be stored."
    BANNED = "banned", "banned", "Gets no mail and cannot be added."


class Channel(Labelled):
    """A way to reach a contact, which may be shut (mm-123 to mm-126). In records they stand in this order."""

    EMAIL = "email", "e-mail", "Mail to the contact's address."
    FAX = "fax", "fax", "Faxes, of which the server only keeps that they are not wanted."
    SMS = "sms", "SMS", "Short messages, of which the server only keeps that they are not wanted."


class OptOutKind(Labelled):
    """What a contact has opted out of, beside everything."""

    LIST = "list", "list", "One list, which the contact has left."
    LIST_CATEGORY = "list_category", "category of lists", "The lists of a category."
    MESSAGE_CATEGORY = "message_category", "category of messages", "The messages of a category."


class UnsubscribeType(Labelled):
    """What unsubscribing means in an account (mm-120)."""

    ALL = "all", "everything", "The contact gets no mail of the account."
    LISTS = "lists", "lists", "The contact leaves single lists."
    MESSAGE_CATEGORIES = "message_categories", "categories of messages", "The contact opts out of kinds of messages."
    LIST_CATEGORIES = "list_categories", "categories of lists", "The contact opts out of the lists of a category."


class Identifier(Labelled):
    """What identifies a contact of an account."""

    EMAIL = "email", "address", "The e-mail address; a mailbox is one contact."
    CUSTOM_ID = "custom_id", "custom id", "An id of the account's own; contacts may share an address."


class ContactEventKind(Labelled):
    """The events in a contact's history. Imports record only those that end a subscription."""

    ADDED = "added", "added", "The contact was added."
    CHANGED = "changed", "changed", "A field of the contact was changed."
    JOINED = "joined", "put on the list", "The contact was put on a list."
    LEFT = "left", "taken off the list", "The contact was taken off a list."
    SUBSCRIBED = "subscribed", "subscribed", "The subscription to a list began."
    UNCONFIRMED = "waiting", "unconfirmed", "The contact was asked to confirm a subscription."
    UNSUBSCRIBED = "unsubscribed", "unsubscribed", "A subscription, or all of them, ended."
    PROFILE = "profile", "profile changed", "A profile attribute of a list was changed."
    SUPPRESSED = "suppressed", "suppressed", "The address was suppressed or banned."
    RELEASED = "released", "released", "The address is no longer suppressed or banned."
    COMPLAINED = "complained", "complained", "The contact reported a mail as spam."
    RAISED = "raised", "external event", "An external event was raised for the contact."
