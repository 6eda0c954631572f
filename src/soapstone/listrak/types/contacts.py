"""Contacts of a list, and what can become of a call that changes one."""

from soapstone.listrak.types.profiles import WSProfileAttributeValue
from soapstone.wire.types import Enumeration, Flat, Int, String, Struct


class WSContact(Struct):
    """A contact of a list with its profile."""

    EmailAddress: String
    ListID: Int
    ContactProfileAttribute: Flat[WSProfileAttributeValue]


class SubscribeContactResult(Enumeration):
    """What became of subscribing or updating a contact."""

    SuccessContactSubscribed = "SuccessContactSubscribed"
    FailedContactBanned = "FailedContactBanned"
    FailedContactSuppressed = "FailedContactSuppressed"
    FailedContactAlreadySubscribed = "FailedContactAlreadySubscribed"
    FailedContactUnSubscribed = "FailedContactUnSubscribed"
    FailedContactPendingConfirmation = "FailedContactPendingConfirmation"
    FailedContactRequiresConfirmation = "FailedContactRequiresConfirmation"
    FailedContactInvalidEmailAddress = "FailedContactInvalidEmailAddress"
    ContactAlreadySubscribedProfileUpdated = "ContactAlreadySubscribedProfileUpdated"
    FailedContactNotSubscribedProfileNotUpdated = "FailedContactNotSubscribedProfileNotUpdated"


class SubscribeFormPassThroughResult(Enumeration):
    """What became of a form that was filled in for a contact."""

    ContactSubscribed = "ContactSubscribed"
    ContactCurrentlyBanned = "ContactCurrentlyBanned"
    ContactCurrentlySuppressed = "ContactCurrentlySuppressed"
    ContactCurrentlySubscribed = "ContactCurrentlySubscribed"
    ContactCurrentlyUnsubscribed = "ContactCurrentlyUnsubscribed"
    ContactCurrentlyPendingConfirmation = "ContactCurrentlyPendingConfirmation"
    ContactConfirmationRequested = "ContactConfirmationRequested"
    InvalidEmailAddress = "InvalidEmailAddress"
    ContactPreviouslySubscribedProfileUpdated = "ContactPreviouslySubscribedProfileUpdated"


class ChangeContactEmailResult(Enumeration):
    """What became of a change of address."""

    SuccessContactEmailAddressChanged = "SuccessContactEmailAddressChanged"
    FailedNewEmailAddressIsBanned = "FailedNewEmailAddressIsBanned"
    FailedNewEmailAddressIsSuppressed = "FailedNewEmailAddressIsSuppressed"
    FailedNewEmailAddressIsAlreadySubscribed = "FailedNewEmailAddressIsAlreadySubscribed"
    FailedNewEmailAddressIsUnSubscribed = "FailedNewEmailAddressIsUnSubscribed"
    FailedNewEmailAddressIsPendingConfirmation = "FailedNewEmailAddressIsPendingConfirmation"
    FailedContactEmailAddressNotFound = "FailedContactEmailAddressNotFound"
    FailedIdenticalEmailAddress = "FailedIdenticalEmailAddress"
    FailedInvalidNewEmailAddress = "FailedInvalidNewEmailAddress"


class UnsubscribeContactResult(Enumeration):
    """What became of unsubscribing a contact."""

    SuccessContactUnSubscribed = "SuccessContactUnSubscribed"
    ContactNotSubscribed = "ContactNotSubscribed"
    ContactAlreadyUnSubscribed = "ContactAlreadyUnSubscribed"
