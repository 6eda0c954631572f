"""Single contacts."""

from soapstone.listrak import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Boolean, Int, Nillable, String, Struct


class GetContact(Struct):
    ListID: Int
    ContactEmailAddress: String


class GetContactResponse(Struct):
    WSContact: Nillable[t.WSContact]


class GetContactByEmailKey(Struct):
    ListID: Int
    EmailKey: String


class GetContactByEmailKeyResponse(Struct):
    WSContact: Nillable[t.WSContact]


class SetContact(Struct):
    WSContact: Nillable[t.WSContact]
    ProfileUpdateType: t.ImportProfileTypeEnum
    ExternalEventIDs: String
    OverrideUnsubscribe: Boolean


class UpdateContact(Struct):
    WSContact: Nillable[t.WSContact]
    ProfileUpdateType: t.ImportProfileTypeEnum
    ExternalEventIDs: String


class SubscribeFormPassThrough(Struct):
    WSContact: Nillable[t.WSContact]
    ExternalEventIDs: String
    SendDoubleOptIn: Boolean
    SendWelcomeMessage: Boolean


class ChangeContactEmailAddress(Struct):
    ListID: Int
    ContactEmailAddress: String
    NewContactEmailAddress: String


class SubscribeContact(Struct):
    ListID: Int
    ContactEmailAddress: String
    OverrideUnsubscribe: Boolean


class UnsubscribeContact(Struct):
    ListID: Int
    ContactEmailAddress: String


CONTACT_OPERATIONS = (
    Operation(
        GetContact, "Finds a subscribed contact by its address and gives its profile.", response=GetContactResponse
    ),
    Operation(
        GetContactByEmailKey,
        "Finds a subscribed contact by the key that its mails carry and gives its profile.",
        response=GetContactByEmailKeyResponse,
    ),
    Operation(
        SetContact,
        "Subscribes a contact, or updates the profile of one that is there, and raises events.",
        result=t.SubscribeContactResult,
    ),
    Operation(
        UpdateContact,
        "Changes what is known about a subscriber and raises events; nobody is subscribed by it.",
        result=t.SubscribeContactResult,
    ),
    Operation(
        SubscribeFormPassThrough,
        "Does what a subscribe form would do: contact, events, confirmation and welcome mail.",
        result=t.SubscribeFormPassThroughResult,
    ),
    Operation(ChangeContactEmailAddress, "Gives a contact of a list a new address.", result=t.ChangeContactEmailResult),
    Operation(SubscribeContact, "Makes an address a subscriber of a list.", result=t.SubscribeContactResult),
    Operation(UnsubscribeContact, "Ends the subscription of an address.", result=t.UnsubscribeContactResult),
)
