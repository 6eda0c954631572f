"""Reports of the places where a message was opened, read and clicked: empty, for no place is known (lk-113)."""

from __future__ import annotations

from typing import Any

from soapstone.listrak.call import Call, Handlers
from soapstone.listrak.operations import (
    ReportMessageLocationClick,
    ReportMessageLocationClickResponse,
    ReportMessageLocationContactClick,
    ReportMessageLocationContactClickResponse,
    ReportMessageLocationContactOpen,
    ReportMessageLocationContactOpenResponse,
    ReportMessageLocationContactRead,
    ReportMessageLocationContactReadResponse,
    ReportMessageLocationOpen,
    ReportMessageLocationOpenResponse,
    ReportMessageLocationRead,
    ReportMessageLocationReadResponse,
)
from soapstone.listrak.sent_message import SentMessage, plain
from soapstone.tracking.reports import Period


def report_message_location_click(
    call: Call, request: ReportMessageLocationClick
) -> ReportMessageLocationClickResponse:
    """Return clicks by region: none (lk-113)."""
    rows, failure = plain(call, request, _nowhere)
    return ReportMessageLocationClickResponse(ReportMessageLocationClickResult=rows, WSException=failure)


def report_message_location_open(call: Call, request: ReportMessageLocationOpen) -> ReportMessageLocationOpenResponse:
    """Return opens by region: none (lk-113)."""
    rows, failure = plain(call, request, _nowhere)
    return ReportMessageLocationOpenResponse(ReportMessageLocationOpenResult=rows, WSException=failure)


def report_message_location_read(call: Call, request: ReportMessageLocationRead) -> ReportMessageLocationReadResponse:
    """Return reads by region: none (lk-113)."""
    rows, failure = plain(call, request, _nowhere)
    return ReportMessageLocationReadResponse(ReportMessageLocationReadResult=rows, WSException=failure)


def report_message_location_contact_click(
    call: Call, request: ReportMessageLocationContactClick
) -> ReportMessageLocationContactClickResponse:
    """Return the clicks from a country: none (lk-113)."""
    rows, failure = plain(call, request, _nowhere)
    return ReportMessageLocationContactClickResponse(ReportMessageLocationContactClickResult=rows, WSException=failure)


def report_message_location_contact_open(
    call: Call, request: ReportMessageLocationContactOpen
) -> ReportMessageLocationContactOpenResponse:
    """Return the opens in a country: none (lk-113)."""
    rows, failure = plain(call, request, _nowhere)
    return ReportMessageLocationContactOpenResponse(ReportMessageLocationContactOpenResult=rows, WSException=failure)


def report_message_location_contact_read(
    call: Call, request: ReportMessageLocationContactRead
) -> ReportMessageLocationContactReadResponse:
    """Return the reads in a country: none (lk-113)."""
    rows, failure = plain(call, request, _nowhere)
    return ReportMessageLocationContactReadResponse(ReportMessageLocationContactReadResult=rows, WSException=failure)


def _nowhere(call: Call, message: SentMessage, page: int, period: Period) -> list[Any]:
    return []


HANDLERS: Handlers = {
    "ReportMessageLocationClick": report_message_location_click,
    "ReportMessageLocationOpen": report_message_location_open,
    "ReportMessageLocationRead": report_message_location_read,
    "ReportMessageLocationContactClick": report_message_location_contact_click,
    "ReportMessageLocationContactOpen": report_message_location_contact_open,
    "ReportMessageLocationContactRead": report_message_location_contact_read,
}
