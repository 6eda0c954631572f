"""Reports of the messages of a list: what became of each, and what one contact did with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from soapstone.errors import NotFoundError
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import PAGE_ROWS, Call, answer, offset
from soapstone.listrak.percent import percent
from soapstone.lists.lists import ContactList
from soapstone.sending.reports import SentMessage
from soapstone.tracking import figures
from soapstone.tracking.figures import SendFigures
from soapstone.wire.types import Struct

# Messages whose figures are read at once: these reports have no pages (lk-32).
CHUNK = 1_000


def report_list_message_activity(call: Call, request: op.ReportListMessageActivity) -> Struct:
    """Return opens, reads, clicks and removals of each message that a list was sent within the range (lk-106)."""
    found = call.require_list(request.ListID)
    rows = [row for chunk in _chunks(_sent(call, request, found)) for row in _activities(call, found, chunk)]
    return answer(request, rows)


def report_list_message_delivery(call: Call, request: op.ReportListMessageDelivery) -> Struct:
    """Return deliveries and bounces of each message that a list was sent within the range (lk-106, lk-108)."""
    found = call.require_list(request.ListID)
    rows = [
        _delivery(call, found, message, counted)
        for chunk in _chunks(_sent(call, request, found))
        for message, counted in _counted(call, chunk)
    ]
    return answer(request, rows)


def report_contact_message_activity(call: Call, request: op.ReportContactMessageActivity) -> Struct:
    """Return the messages that a contact got through a list, and what it did with each (lk-19, lk-115)."""
    found = call.require_list(request.ListID)
    contact_id = call.product.contact_messages.find(call.account, found.id, (request.EmailAddress or "").strip())
    if contact_id is None:
        raise NotFoundError(f"List {found.id} does not have this contact.")
    rows = [
        t.WSContactMessageActivity(
            ListID=found.id,
            ListName=found.name,
            MsgID=each.message_id,
            Subject=each.subject,
            IsOpen=each.opened,
            IsRead=each.read,
            IsClick=each.clicked,
        )
        for each in call.product.contact_messages.page(
            call.account.id, found.id, contact_id, offset=offset(request.Page), limit=PAGE_ROWS
        )
    ]
    return answer(request, rows)


def _sent(
    call: Call, request: op.ReportListMessageActivity | op.ReportListMessageDelivery, found: ContactList
) -> list[SentMessage]:
    start: datetime | None = call.range_start(request.StartDate)
    return call.product.reports.begun(
        call.account.id,
        found.id,
        begun_from=start,
        begun_before=call.range_end(request.EndDate),
        tests=request.IncludeTestMessages,
    )


def _chunks(messages: list[SentMessage]) -> Iterator[list[SentMessage]]:
    return (messages[start : start + CHUNK] for start in range(0, len(messages), CHUNK))


def _counted(call: Call, messages: list[SentMessage]) -> Iterator[tuple[SentMessage, SendFigures]]:
    """Yield messages with the figures of their sends to the list."""
    sends = figures.of_sends(call.product.database, [number for each in messages for number in each.job_ids])
    return ((each, figures.total([sends[number] for number in each.job_ids])) for each in messages)


def _activities(call: Call, found: ContactList, messages: list[SentMessage]) -> Iterator[t.WSMessageActivity]:
    removed = call.product.removals.counts(call.account.id, found.id, [each.id for each in messages])
    for message, counted in _counted(call, messages):
        left, whole = removed.get(message.id, 0) + counted.erased_departures, counted.delivered
        yield t.WSMessageActivity(
            ListID=found.id,
            MsgID=message.id,
            Subject=message.subject,
            SendDate=call.wall_clock(message.begun_at),
            DeliverCount=whole,
            RemoveCount=left,
            RemovePercent=percent(left, whole),
            OpenCount=counted.openers,
            OpenPercent=percent(counted.openers, whole),
            ReadCount=counted.readers,
            ReadPercent=percent(counted.readers, whole),
            ClickCount=counted.clicks,
            ClickerCount=counted.clickers,
            RepeatClickerCount=counted.repeat_clickers,
            NewClickerCount=counted.clickers - counted.repeat_clickers,
            ClickerPercent=percent(counted.clickers, whole),
            # Nothing records revenue (lk-109).
            OrderTotal=Decimal(0),
            ConversionCount=0,
            AverageOrderValue=Decimal(0),
        )


def _delivery(call: Call, found: ContactList, message: SentMessage, counted: SendFigures) -> t.WSMessageDelivery:
    return t.WSMessageDelivery(
        ListID=found.id,
        MsgID=message.id,
        Subject=message.subject,
        SendDate=call.wall_clock(message.begun_at),
        DeliverCount=counted.delivered,
        DeliverPercent=percent(counted.delivered, counted.sent),
        BounceCount=counted.bounced,
        BouncePercent=percent(counted.bounced, counted.sent),
        # Nobody can pass a mail on through the server (lk-114).
        PassAlongCount=0,
    )
