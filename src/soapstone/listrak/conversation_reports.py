"""Reports of conversations: there is no automation, so lists have none and every number is unknown (lk-123)."""

from __future__ import annotations

from typing import Protocol

from soapstone.listrak.call import Call, Handlers, answer, not_found
from soapstone.wire.types import Struct


class _ListRequest(Protocol):
    ListID: int


class _ConversationRequest(Protocol):
    ConversationID: int


def _of_list(call: Call, request: _ListRequest) -> Struct:
    """Return the conversations of a list: none (lk-19, lk-123)."""
    call.require_list(request.ListID)
    return answer(request, [])


def _of_conversation(call: Call, request: _ConversationRequest) -> Struct:
    """Return the mails or figures of a conversation; each conversation is unknown (lk-19, lk-123)."""
    raise not_found("Conversation", request.ConversationID)


HANDLERS: Handlers = {
    "ReportListConversationActivity": _of_list,
    "ReportListConversationDelivery": _of_list,
    "ReportConversationContactDelivery": _of_conversation,
    "ReportConversationContactRemoval": _of_conversation,
    "ReportConversationContactOpen": _of_conversation,
    "ReportConversationContactRead": _of_conversation,
    "ReportConversationLinkClick": _of_conversation,
    "ReportConversationContactBounce": _of_conversation,
    "ReportConversationLocationContactOpen": _of_conversation,
    "ReportConversationLocationContactRead": _of_conversation,
    "ReportConversationLocationContactClick": _of_conversation,
}
