"""Single contacts."""

from soapstone.listrak import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, Int, Nillable, String, Struct


@operation(result=t.WSContact, place="WSContact")
class GetContact(Struct):
    """Finds a subscribed contact by its address and gives its profile."""

    ListID: Int
    ContactEmailAddress: String


@operation(result=t.WSContact, place="WSContact")
class GetContactByEmailKey(Struct):
    """Finds a subscribed contact by the key that its mails carry and gives its profile."""

    ListID: Int
    EmailKey: String


@operation(result=t.SubscribeContactResult)
class SetContact(Struct):
    """Subscribes a contact, or updates the profile of one that is there, and raises events."""

    WSContact: Nillable[t.WSContact]
    ProfileUpdateType: t.ImportProfileTypeEnum
    ExternalEventIDs: String
    OverrideUnsubscribe: Boolean


@operation(result=t.SubscribeContactResult)
class UpdateContact(Struct):
    """Changes what is known about a subscriber and raises events; nobody is subscribed by it."""

    WSContact: Nillable[t.WSContact]
    ProfileUpdateType: t.ImportProfileTypeEnum
    ExternalEventIDs: String


@operation(result=t.SubscribeFormPassThroughResult)
class SubscribeFormPassThrough(Struct):
    """Does what a subscribe form would do: contact, events, confirmation and welcome mail."""

    WSContact: Nillable[t.WSContact]
    ExternalEventIDs: String
    SendDoubleOptIn: Boolean
    SendWelcomeMessage: Boolean


@operation(result=t.ChangeContactEmailResult)
class ChangeContactEmailAddress(Struct):
    """Gives a contact of a list a new address."""

    ListID: Int
    ContactEmailAddress: String
    NewContactEmailAddress: String


@operation(result=t.SubscribeContactResult)
class SubscribeContact(Struct):
    """Makes an address a subscriber of a list."""

    ListID: Int
    ContactEmailAddress: String
    OverrideUnsubscribe: Boolean


@operation(result=t.UnsubscribeContactResult)
class UnsubscribeContact(Struct):
    """Ends the subscription of an address."""

    ListID: Int
    ContactEmailAddress: String
