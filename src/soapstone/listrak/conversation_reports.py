"""Reports of conversations: there is no automation, so lists have none and every number is unknown (lk-123)."""

from __future__ import annotations

from typing import Any, Protocol

from soapstone.listrak.call import Call, Handlers, not_found
from soapstone.listrak.operations import (
    ReportConversationContactBounce,
    ReportConversationContactBounceResponse,
    ReportConversationContactDelivery,
    ReportConversationContactDeliveryResponse,
    ReportConversationContactOpen,
    ReportConversationContactOpenResponse,
    ReportConversationContactRead,
    ReportConversationContactReadResponse,
    ReportConversationContactRemoval,
    ReportConversationContactRemovalResponse,
    ReportConversationLinkClick,
    ReportConversationLinkClickResponse,
    ReportConversationLocationContactClick,
    ReportConversationLocationContactClickResponse,
    ReportConversationLocationContactOpen,
    ReportConversationLocationContactOpenResponse,
    ReportConversationLocationContactRead,
    ReportConversationLocationContactReadResponse,
    ReportListConversationActivity,
    ReportListConversationActivityResponse,
    ReportListConversationDelivery,
    ReportListConversationDeliveryResponse,
)
from soapstone.listrak.types import WSException


class _ListRequest(Protocol):
    ListID: int


class _ConversationRequest(Protocol):
    ConversationID: int


def report_list_conversation_activity(
    call: Call, request: ReportListConversationActivity
) -> ReportListConversationActivityResponse:
    """Return opens, reads and clicks of each conversation of a list: none (lk-123)."""
    rows, failure = _of_list(call, request)
    return ReportListConversationActivityResponse(ReportListConversationActivityResult=rows, WSException=failure)


def report_list_conversation_delivery(
    call: Call, request: ReportListConversationDelivery
) -> ReportListConversationDeliveryResponse:
    """Return deliveries and bounces of each conversation of a list: none (lk-123)."""
    rows, failure = _of_list(call, request)
    return ReportListConversationDeliveryResponse(ReportListConversationDeliveryResult=rows, WSException=failure)


def report_conversation_contact_delivery(
    call: Call, request: ReportConversationContactDelivery
) -> ReportConversationContactDeliveryResponse:
    """Return what a conversation sent; each is unknown (lk-19, lk-123)."""
    return ReportConversationContactDeliveryResponse(
        ReportConversationContactDeliveryResult=None, WSException=_unknown(call, request)
    )


def report_conversation_contact_removal(
    call: Call, request: ReportConversationContactRemoval
) -> ReportConversationContactRemovalResponse:
    """Return who left during a conversation; each is unknown (lk-19, lk-123)."""
    return ReportConversationContactRemovalResponse(
        ReportConversationContactRemovalResult=None, WSException=_unknown(call, request)
    )


def report_conversation_contact_open(
    call: Call, request: ReportConversationContactOpen
) -> ReportConversationContactOpenResponse:
    """Return who opened mails of a conversation; each is unknown (lk-19, lk-123)."""
    return ReportConversationContactOpenResponse(
        ReportConversationContactOpenResult=None, WSException=_unknown(call, request)
    )


def report_conversation_contact_read(
    call: Call, request: ReportConversationContactRead
) -> ReportConversationContactReadResponse:
    """Return who read mails of a conversation; each is unknown (lk-19, lk-123)."""
    return ReportConversationContactReadResponse(
        ReportConversationContactReadResult=None, WSException=_unknown(call, request)
    )


def report_conversation_link_click(
    call: Call, request: ReportConversationLinkClick
) -> ReportConversationLinkClickResponse:
    """Return the links of a conversation; each is unknown (lk-19, lk-123)."""
    return ReportConversationLinkClickResponse(
        ReportConversationLinkClickResult=None, WSException=_unknown(call, request)
    )


def report_conversation_contact_bounce(
    call: Call, request: ReportConversationContactBounce
) -> ReportConversationContactBounceResponse:
    """Return the bounces of a conversation; each is unknown (lk-19, lk-123)."""
    return ReportConversationContactBounceResponse(
        ReportConversationContactBounceResult=None, WSException=_unknown(call, request)
    )


def report_conversation_location_contact_open(
    call: Call, request: ReportConversationLocationContactOpen
) -> ReportConversationLocationContactOpenResponse:
    """Return the opens of a conversation at a place; each is unknown (lk-19, lk-123)."""
    return ReportConversationLocationContactOpenResponse(
        ReportConversationLocationContactOpenResult=None, WSException=_unknown(call, request)
    )


def report_conversation_location_contact_read(
    call: Call, request: ReportConversationLocationContactRead
) -> ReportConversationLocationContactReadResponse:
    """Return the reads of a conversation at a place; each is unknown (lk-19, lk-123)."""
    return ReportConversationLocationContactReadResponse(
        ReportConversationLocationContactReadResult=None, WSException=_unknown(call, request)
    )


def report_conversation_location_contact_click(
    call: Call, request: ReportConversationLocationContactClick
) -> ReportConversationLocationContactClickResponse:
    """Return the clicks in a conversation at a place; each is unknown (lk-19, lk-123)."""
    return ReportConversationLocationContactClickResponse(
        ReportConversationLocationContactClickResult=None, WSException=_unknown(call, request)
    )


def _of_list(call: Call, request: _ListRequest) -> tuple[list[Any] | None, WSException | None]:
    if call.find_list(request.ListID) is None:
        return None, call.failure(type(request).__name__, not_found(request.ListID))
    return [], None


def _unknown(call: Call, request: _ConversationRequest) -> WSException:
    sentence = f"[NotFound] Conversation {request.ConversationID} does not exist or is not accessible."
    return call.failure(type(request).__name__, sentence)


HANDLERS: Handlers = {
    "ReportListConversationActivity": report_list_conversation_activity,
    "ReportListConversationDelivery": report_list_conversation_delivery,
    "ReportConversationContactDelivery": report_conversation_contact_delivery,
    "ReportConversationContactRemoval": report_conversation_contact_removal,
    "ReportConversationContactOpen": report_conversation_contact_open,
    "ReportConversationContactRead": report_conversation_contact_read,
    "ReportConversationLinkClick": report_conversation_link_click,
    "ReportConversationContactBounce": report_conversation_contact_bounce,
    "ReportConversationLocationContactOpen": report_conversation_location_contact_open,
    "ReportConversationLocationContactRead": report_conversation_location_contact_read,
    "ReportConversationLocationContactClick": report_conversation_location_contact_click,
}
