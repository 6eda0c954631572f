"""Single contacts of a list: a call's result is a member of an enumeration (lk-20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from soapstone.contacts.subscriptions import Person, SubscriptionOutcome, Update
from soapstone.errors import InvalidError
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import Call
from soapstone.listrak.filters import terms_of
from soapstone.lists.external_events import numbers
from soapstone.lists.lists import ContactList
from soapstone.lists.profile_filter import count

# Profile kind on the wire → what happens to known values (lk-55, lk-56).
UPDATES: dict[t.ImportProfileTypeEnum, Update] = {
    t.ImportProfileTypeEnum.NotDefined: "none",
    t.ImportProfileTypeEnum.Update: "update",
    t.ImportProfileTypeEnum.Append: "append",
    t.ImportProfileTypeEnum.Overwrite: "overwrite",
}

# lk-50, lk-53, lk-56, lk-57, lk-58
SUBSCRIBING = {
    SubscriptionOutcome.SUBSCRIBED: t.SubscribeContactResult.SuccessContactSubscribed,
    SubscriptionOutcome.CHANGED: t.SubscribeContactResult.ContactAlreadySubscribedProfileUpdated,
    SubscriptionOutcome.ALREADY: t.SubscribeContactResult.FailedContactAlreadySubscribed,
    SubscriptionOutcome.REQUESTED: t.SubscribeContactResult.FailedContactRequiresConfirmation,
    SubscriptionOutcome.WAITING: t.SubscribeContactResult.FailedContactPendingConfirmation,
    SubscriptionOutcome.UNSUBSCRIBED: t.SubscribeContactResult.FailedContactUnSubscribed,
    SubscriptionOutcome.ABSENT: t.SubscribeContactResult.FailedContactNotSubscribedProfileNotUpdated,
    SubscriptionOutcome.BANNED: t.SubscribeContactResult.FailedContactBanned,
    SubscriptionOutcome.SUPPRESSED: t.SubscribeContactResult.FailedContactSuppressed,
    SubscriptionOutcome.INVALID: t.SubscribeContactResult.FailedContactInvalidEmailAddress,
}
# lk-60
FORM = {
    SubscriptionOutcome.SUBSCRIBED: t.SubscribeFormPassThroughResult.ContactSubscribed,
    SubscriptionOutcome.CHANGED: t.SubscribeFormPassThroughResult.ContactPreviouslySubscribedProfileUpdated,
    SubscriptionOutcome.REQUESTED: t.SubscribeFormPassThroughResult.ContactConfirmationRequested,
    SubscriptionOutcome.WAITING: t.SubscribeFormPassThroughResult.ContactCurrentlyPendingConfirmation,
    SubscriptionOutcome.UNSUBSCRIBED: t.SubscribeFormPassThroughResult.ContactCurrentlyUnsubscribed,
    SubscriptionOutcome.BANNED: t.SubscribeFormPassThroughResult.ContactCurrentlyBanned,
    SubscriptionOutcome.SUPPRESSED: t.SubscribeFormPassThroughResult.ContactCurrentlySuppressed,
    SubscriptionOutcome.INVALID: t.SubscribeFormPassThroughResult.InvalidEmailAddress,
}
# lk-61
CHANGING = {
    SubscriptionOutcome.DONE: t.ChangeContactEmailResult.SuccessContactEmailAddressChanged,
    SubscriptionOutcome.ABSENT: t.ChangeContactEmailResult.FailedContactEmailAddressNotFound,
    SubscriptionOutcome.IDENTICAL: t.ChangeContactEmailResult.FailedIdenticalEmailAddress,
    SubscriptionOutcome.INVALID: t.ChangeContactEmailResult.FailedInvalidNewEmailAddress,
    SubscriptionOutcome.BANNED: t.ChangeContactEmailResult.FailedNewEmailAddressIsBanned,
    SubscriptionOutcome.SUPPRESSED: t.ChangeContactEmailResult.FailedNewEmailAddressIsSuppressed,
    SubscriptionOutcome.ALREADY: t.ChangeContactEmailResult.FailedNewEmailAddressIsAlreadySubscribed,
    SubscriptionOutcome.UNSUBSCRIBED: t.ChangeContactEmailResult.FailedNewEmailAddressIsUnSubscribed,
    SubscriptionOutcome.WAITING: t.ChangeContactEmailResult.FailedNewEmailAddressIsPendingConfirmation,
}
# lk-116
UNSUBSCRIBING = {
    SubscriptionOutcome.DONE: t.UnsubscribeContactResult.SuccessContactUnSubscribed,
    SubscriptionOutcome.UNSUBSCRIBED: t.UnsubscribeContactResult.ContactAlreadyUnSubscribed,
    SubscriptionOutcome.ABSENT: t.UnsubscribeContactResult.ContactNotSubscribed,
}


def get_contact(call: Call, request: op.GetContact) -> t.WSContact | None:
    """Return a subscribed contact by its address; nil for anybody else (lk-19, lk-62)."""
    found = call.find_list(request.ListID)
    person = None
    if found is not None:
        person = call.product.subscriptions().find(call.account, found, request.ContactEmailAddress or "")
    return _wire(found, person)


def get_contact_by_email_key(call: Call, request: op.GetContactByEmailKey) -> t.WSContact | None:
    """Return a subscribed contact by the key in its mails; nil for anybody else (lk-19, lk-62, lk-63)."""
    found, person = call.find_list(request.ListID), None
    contact_id = call.product.contact_tokens.read(request.EmailKey or "")
    if found is not None and contact_id is not None:
        person = call.product.subscriptions().find_number(found, contact_id)
    return _wire(found, person)


def set_contact(call: Call, request: op.SetContact) -> t.SubscribeContactResult:
    """Subscribe a contact, or change the profile of one that is subscribed (lk-50 to lk-56)."""
    contact, found = _asked(call, request.WSContact)
    return SUBSCRIBING[
        call.product.subscriptions(call.base_url).set(
            call.account,
            found,
            contact.EmailAddress or "",
            _values(contact),
            update=UPDATES[request.ProfileUpdateType],
            events=numbers(request.ExternalEventIDs or ""),
            override=request.OverrideUnsubscribe,
        )
    ]


def update_contact(call: Call, request: op.UpdateContact) -> t.SubscribeContactResult:
    """Change the profile of a subscriber, without subscribing anyone (lk-57)."""
    contact, found = _asked(call, request.WSContact)
    return SUBSCRIBING[
        call.product.subscriptions().update(
            call.account,
            found,
            contact.EmailAddress or "",
            _values(contact),
            update=UPDATES[request.ProfileUpdateType],
            events=numbers(request.ExternalEventIDs or ""),
        )
    ]


def subscribe_form_pass_through(call: Call, request: op.SubscribeFormPassThrough) -> t.SubscribeFormPassThroughResult:
    """Return what a subscribe form would do (lk-59, lk-60)."""
    contact, found = _asked(call, request.WSContact)
    return FORM[
        call.product.subscriptions(call.base_url).form(
            call.account,
            found,
            contact.EmailAddress or "",
            _values(contact),
            events=numbers(request.ExternalEventIDs or ""),
            ask=request.SendDoubleOptIn,
            welcome=request.SendWelcomeMessage,
        )
    ]


def change_contact_email_address(call: Call, request: op.ChangeContactEmailAddress) -> t.ChangeContactEmailResult:
    """Give a subscriber a new address (lk-61)."""
    found = call.require_list(request.ListID)
    old, new = request.ContactEmailAddress or "", request.NewContactEmailAddress or ""
    return CHANGING[call.product.subscriptions().change_address(call.account, found, old, new)]


def subscribe_contact(call: Call, request: op.SubscribeContact) -> t.SubscribeContactResult:
    """Subscribe an address (lk-58)."""
    found = call.require_list(request.ListID)
    return SUBSCRIBING[
        call.product.subscriptions(call.base_url).set(
            call.account, found, request.ContactEmailAddress or "", override=request.OverrideUnsubscribe
        )
    ]


def unsubscribe_contact(call: Call, request: op.UnsubscribeContact) -> t.UnsubscribeContactResult:
    """End the subscription of an address (lk-116)."""
    found = call.require_list(request.ListID)
    outcome = call.product.subscriptions().unsubscribe(call.account, found, request.ContactEmailAddress or "")
    return UNSUBSCRIBING[outcome]


def get_filtered_list_count(call: Call, request: op.GetFilteredListCount) -> int:
    """Return how many subscribers meet a filter; without one, how many there are (lk-65)."""
    found = call.require_list(request.ListID)
    terms = terms_of(call, found, request.ProfileFilter)
    return count(call.product.database, found.id, terms) if terms else found.subscribed


def _asked(call: Call, contact: t.WSContact | None) -> tuple[t.WSContact, ContactList]:
    if contact is None:
        raise InvalidError("WSContact is missing.")
    return contact, call.require_list(contact.ListID)


def _values(contact: t.WSContact) -> Mapping[int, str]:
    """Return attribute number → value as given; of several for one attribute the last counts."""
    given: Sequence[t.WSProfileAttributeValue | None] = contact.ContactProfileAttribute
    return {each.AttributeID: each.Value or "" for each in given if each is not None}


def _wire(found: ContactList | None, person: Person | None) -> t.WSContact | None:
    if found is None or person is None:
        return None
    return t.WSContact(
        EmailAddress=person.email,
        ListID=found.id,
        ContactProfileAttribute=[
            t.WSProfileAttributeValue(AttributeID=int(number), Value=value)
            for number, value in sorted(person.profile.items(), key=lambda item: int(item[0]))
        ],
    )
