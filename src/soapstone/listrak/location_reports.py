"""Reports of the places where a message was opened, read and clicked: empty, for no place is known (lk-113)."""

from __future__ import annotations

from typing import Any

from soapstone.listrak.call import Call, Handlers
from soapstone.listrak.sent_message import SentMessage, plain
from soapstone.tracking.reports import Period


def _nowhere(call: Call, message: SentMessage, page: int, period: Period) -> list[Any]:
    return []


HANDLERS: Handlers = {
    "ReportMessageLocationClick": plain(_nowhere),
    "ReportMessageLocationOpen": plain(_nowhere),
    "ReportMessageLocationRead": plain(_nowhere),
    "ReportMessageLocationContactClick": plain(_nowhere),
    "ReportMessageLocationContactOpen": plain(_nowhere),
    "ReportMessageLocationContactRead": plain(_nowhere),
}
