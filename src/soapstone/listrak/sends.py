"""Sends: of messages that come with the call, and of saved ones, to a list or to some of it (lk-96 to lk-99)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import Call, not_found
from soapstone.listrak.collections import CHARACTER_SETS
from soapstone.listrak.filters import terms_of
from soapstone.lists.lists import ContactList
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.message import CHARSETS, Draft, Message, Traits
from soapstone.sending.send_records import SendTicket
from soapstone.vocabulary.deliveries import Purpose

# Character sets by number; an unknown number is the first one (lk-105).
CHARSET_NUMBERS = dict(zip(CHARACTER_SETS, CHARSETS, strict=True))

# What is kept with a message and belongs to this contract: wire member → name in the message's extras.
EXTRAS = {
    "EnablePassalong": "passalong",
    "EnableTracking": "tracking",
    "GoogleAnalyticsCampaignName": "analytics_name",
    "GoogleAnalyticsCampaignContent": "analytics_content",
}


def send_list_message(call: Call, request: op.SendListMessage) -> int:
    """Send a message to a list; its number (lk-96)."""
    return _to_members(call, request.WSMessage).message.id


def send_list_message_with_profile_filter(call: Call, request: op.SendListMessageWithProfileFilter) -> int:
    """Send a message to those of a list who meet a filter; its number (lk-65, lk-96)."""
    return _to_members(call, request.WSMessage, request.ProfileFilter).message.id


def schedule_send_list_message(call: Call, request: op.ScheduleSendListMessage) -> op.ScheduleSendListMessageResponse:
    """Send a message to a list at a time; its number and the time (lk-96, lk-97)."""
    ticket = _to_members(call, request.WSMessage, at=request.SendDateTime)
    return op.ScheduleSendListMessageResponse(
        ScheduleSendListMessageResult=ticket.message.id, SendDateTime=call.wall_clock(ticket.job.due_at)
    )


def schedule_send_list_message_with_profile_filter(
    call: Call, request: op.ScheduleSendListMessageWithProfileFilter
) -> op.ScheduleSendListMessageWithProfileFilterResponse:
    """Send a message at a time to those of a list who meet a filter then; its number and the time (lk-96, lk-97)."""
    ticket = _to_members(call, request.WSMessage, request.ProfileFilter, at=request.SendDateTime)
    return op.ScheduleSendListMessageWithProfileFilterResponse(
        ScheduleSendListMessageWithProfileFilterResult=ticket.message.id,
        SendDateTime=call.wall_clock(ticket.job.due_at),
    )


def send_list_message_test(call: Call, request: op.SendListMessageTest) -> int:
    """Send a message to one address for a test; its number (lk-96)."""
    asked, found = asked_for(call, request.WSMessage)
    return _test(call, found, draft_of(asked), request.TestEmailAddress, traits_of(call, found, asked))


def send_list_message_review(call: Call, request: op.SendListMessageReview) -> int:
    """Send a message to the list's review group, which may be empty; its number (lk-96, lk-97)."""
    asked, found = asked_for(call, request.WSMessage)
    traits = traits_of(call, found, asked)
    return call.product.sends.to_addresses(
        account=call.account,
        login=call.login,
        contact_list=found,
        message=draft_of(asked),
        emails=call.product.review_groups.all(found.id),
        purpose=Purpose.REVIEW,
        traits=traits,
    ).message.id


def send_saved_message(call: Call, request: op.SendSavedMessage) -> int:
    """Send a saved message to its own list; the number of what is sent (lk-99)."""
    message, found = saved(call, request.SavedMsgID, "saved")
    return call.product.sends.to_members(
        account=call.account, login=call.login, contact_list=found, message=message
    ).message.id


def send_saved_message_test(call: Call, request: op.SendSavedMessageTest) -> int:
    """Send a saved message to one address for a test; the number of what is sent (lk-99)."""
    message, found = saved(call, request.SavedMsgID, "saved")
    return _test(call, found, message, request.TestEmailAddress)


def asked_for(call: Call, asked: t.WSMessage | None) -> tuple[t.WSMessage, ContactList]:
    """Return the message of a call and its list. Raises InvalidError and NotFoundError."""
    if asked is None:
        raise InvalidError("WSMessage is missing.")
    return asked, call.require_list(asked.ListID)


def draft_of(asked: t.WSMessage) -> Draft:
    """Return what a message says."""
    return Draft(
        subject=asked.Subject or "",
        from_name=asked.FromName or "",
        from_address=asked.FromEmailAddress or "",
        reply_address=asked.ReplyEmailAddress or "",
        to_name=asked.ToName or "",
        html=asked.HTMLBody or "",
        plain=asked.TextBody or "",
        charset=CHARSET_NUMBERS.get(asked.CharacterSetID, CHARSETS[0]),
    )


def traits_of(call: Call, found: ContactList, asked: t.WSMessage) -> Traits:
    """Return what is kept with a message. Raises NotFoundError for a campaign that the list does not have
    (lk-98)."""
    number = asked.ListCampaignID
    if number and all(each.id != number for each in call.product.campaigns.all(found.id)):
        raise not_found("Campaign", number)
    extras = {name: getattr(asked, member) or "" for member, name in EXTRAS.items() if getattr(asked, member)}
    # A message that other programs make has none, and is tracked as its list says.
    extras["tracking"] = bool(asked.EnableTracking)
    return Traits(campaign_id=number or None, extras=extras, login_id=call.login.id)


def saved(call: Call, number: int, kind: str) -> tuple[Message, ContactList]:
    """Return a stored message of that kind and its list. Raises NotFoundError (lk-19)."""
    message = call.product.messages.get(call.account.id, number)
    found = None
    if message is not None and message.kind == kind and message.list_id is not None:
        found = call.find_list(message.list_id)
    if message is None or found is None:
        raise not_found("Message", number)
    return message, found


def _to_members(
    call: Call,
    asked: t.WSMessage | None,
    only: Sequence[t.WSProfileFilter | None] | None = None,
    *,
    at: datetime.datetime | None = None,
) -> SendTicket:
    message, found = asked_for(call, asked)
    terms = terms_of(call, found, only)
    traits = traits_of(call, found, message)
    due_at = call.range_start(at)
    if due_at is not None and due_at <= now():
        due_at = None
    return call.product.sends.to_members(
        account=call.account,
        login=call.login,
        contact_list=found,
        message=draft_of(message),
        terms=terms,
        due_at=due_at,
        traits=traits,
    )


def _test(
    call: Call, found: ContactList, message: Message | Draft, address: str | None, traits: Traits | None = None
) -> int:
    address = (address or "").strip()
    if not is_mailbox(address):
        raise InvalidError("TestEmailAddress is not an e-mail address.")
    return call.product.sends.to_addresses(
        account=call.account,
        login=call.login,
        contact_list=found,
        message=message,
        emails=[address],
        purpose=Purpose.TEST,
        traits=traits,
    ).message.id
