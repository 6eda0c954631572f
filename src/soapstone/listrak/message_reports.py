"""Reports of one message: who got it, opened, read and clicked it, whose mail bounced, and who left because of it."""

from __future__ import annotations

from soapstone.listrak.call import PAGE_ROWS, Call, Handlers
from soapstone.listrak.operations import (
    ReportMessageContactActivity,
    ReportMessageContactActivityResponse,
    ReportMessageContactBounces,
    ReportMessageContactBouncesResponse,
    ReportMessageContactClick,
    ReportMessageContactClickResponse,
    ReportMessageContactOpen,
    ReportMessageContactOpenResponse,
    ReportMessageContactPassalong,
    ReportMessageContactPassalongResponse,
    ReportMessageContactRead,
    ReportMessageContactReadResponse,
    ReportMessageContactRemoval,
    ReportMessageContactRemovalResponse,
    ReportMessageContactSent,
    ReportMessageContactSentResponse,
    ReportRangeMessageContactBounces,
    ReportRangeMessageContactClick,
    ReportRangeMessageContactOpen,
    ReportRangeMessageContactPassalong,
    ReportRangeMessageContactRead,
    ReportRangeMessageContactRemoval,
)
from soapstone.listrak.sent_message import SentMessage, clicks, events, offset, plain, within
from soapstone.listrak.types import (
    WSContactBounce,
    WSContactClick,
    WSContactOpen,
    WSContactPassalong,
    WSContactRead,
    WSContactRemovalInfo,
    WSMessageContactActivity,
    WSMessageRecipient,
)
from soapstone.tracking.reports import MailEvent, Period
from soapstone.vocabulary.tracking import MailEventKind


def report_message_contact_sent(call: Call, request: ReportMessageContactSent) -> ReportMessageContactSentResponse:
    """Return the addresses that a message was sent to (lk-34)."""
    rows, failure = plain(call, request, _sent)
    return ReportMessageContactSentResponse(ReportMessageContactSentResult=rows, WSException=failure)


def report_message_contact_open(call: Call, request: ReportMessageContactOpen) -> ReportMessageContactOpenResponse:
    """Return who opened a message, with the date of the first open (lk-107)."""
    rows, failure = plain(call, request, _opens)
    return ReportMessageContactOpenResponse(ReportMessageContactOpenResult=rows, WSException=failure)


def report_range_message_contact_open(call: Call, request: ReportRangeMessageContactOpen) -> list[WSContactOpen]:
    """Return who opened a message within the range, with the date of the first open in it (lk-107)."""
    return within(call, request, _opens)


def report_message_contact_read(call: Call, request: ReportMessageContactRead) -> ReportMessageContactReadResponse:
    """Return who read a message, with the date of the first time (lk-107)."""
    rows, failure = plain(call, request, _reads)
    return ReportMessageContactReadResponse(ReportMessageContactReadResult=rows, WSException=failure)


def report_range_message_contact_read(call: Call, request: ReportRangeMessageContactRead) -> list[WSContactRead]:
    """Return who read a message within the range, with the date of the first time in it (lk-107)."""
    return within(call, request, _reads)


def report_message_contact_click(call: Call, request: ReportMessageContactClick) -> ReportMessageContactClickResponse:
    """Return the clicks in a message (lk-107)."""
    rows, failure = plain(call, request, _clicks)
    return ReportMessageContactClickResponse(ReportMessageContactClickResult=rows, WSException=failure)


def report_range_message_contact_click(call: Call, request: ReportRangeMessageContactClick) -> list[WSContactClick]:
    """Return the clicks in a message within the range (lk-107)."""
    return within(call, request, _clicks)


def report_message_contact_passalong(
    call: Call, request: ReportMessageContactPassalong
) -> ReportMessageContactPassalongResponse:
    """Return who passed a message on: nobody, for the server has no form for that (lk-114)."""
    rows, failure = plain(call, request, _passed_on)
    return ReportMessageContactPassalongResponse(ReportMessageContactPassalongResult=rows, WSException=failure)


def report_range_message_contact_passalong(
    call: Call, request: ReportRangeMessageContactPassalong
) -> list[WSContactPassalong]:
    """Return who passed a message on within the range: nobody (lk-114)."""
    return within(call, request, _passed_on)


def report_message_contact_bounces(
    call: Call, request: ReportMessageContactBounces
) -> ReportMessageContactBouncesResponse:
    """Return the bounces of a message (lk-111)."""
    rows, failure = plain(call, request, _bounces)
    return ReportMessageContactBouncesResponse(ReportMessageContactBouncesResult=rows, WSException=failure)


def report_range_message_contact_bounces(
    call: Call, request: ReportRangeMessageContactBounces
) -> list[WSContactBounce]:
    """Return the bounces of a message within the range (lk-111)."""
    return within(call, request, _bounces)


def report_message_contact_activity(
    call: Call, request: ReportMessageContactActivity
) -> ReportMessageContactActivityResponse:
    """Return what each recipient of a message did with it (lk-115)."""
    rows, failure = plain(call, request, _activities)
    return ReportMessageContactActivityResponse(ReportMessageContactActivityResult=rows, WSException=failure)


def report_message_contact_removal(
    call: Call, request: ReportMessageContactRemoval
) -> ReportMessageContactRemovalResponse:
    """Return who left because of a message (lk-110, lk-112)."""
    rows, failure = plain(call, request, _removals)
    return ReportMessageContactRemovalResponse(ReportMessageContactRemovalResult=rows, WSException=failure)


def report_range_message_contact_removal(
    call: Call, request: ReportRangeMessageContactRemoval
) -> list[WSContactRemovalInfo]:
    """Return who left because of a message within the range (lk-110, lk-112)."""
    return within(call, request, _removals)


def _sent(call: Call, message: SentMessage, page: int, period: Period) -> list[WSMessageRecipient]:
    return [
        WSMessageRecipient(EmailAddress=each.email) for each in events(call, message, MailEventKind.SENT, page, period)
    ]


def _opens(call: Call, message: SentMessage, page: int, period: Period) -> list[WSContactOpen]:
    return [
        WSContactOpen(ContactID=str(each.contact_number), EmailAddress=each.email, OpenDate=call.date_text(each.at))
        for each in events(call, message, MailEventKind.OPEN, page, period, first=True)
    ]


def _reads(call: Call, message: SentMessage, page: int, period: Period) -> list[WSContactRead]:
    return [
        WSContactRead(ContactID=str(each.contact_number), EmailAddress=each.email, ReadDate=call.date_text(each.at))
        for each in events(call, message, MailEventKind.READ, page, period, first=True)
    ]


def _clicks(call: Call, message: SentMessage, page: int, period: Period) -> list[WSContactClick]:
    found = clicks(call, message, page, period)
    links = call.product.event_reports.links_by_id(call.account.id, {each.link_id or 0 for each in found})
    rows = []
    for each in found:
        link = links.get(each.link_id or 0)
        row = WSContactClick(
            ContactID=str(each.contact_number),
            EmailAddress=each.email,
            LinkDescription=link.description if link else "",
            LinkUrl=link.url if link else "",
            ClickDate=call.date_text(each.at),
        )
        rows.append(row)
    return rows


def _passed_on(call: Call, message: SentMessage, page: int, period: Period) -> list[WSContactPassalong]:
    return []


def _bounces(call: Call, message: SentMessage, page: int, period: Period) -> list[WSContactBounce]:
    found = events(call, message, MailEventKind.BOUNCE, page, period)
    records = call.product.event_reports.bounces(_mails(found))
    rows = []
    for each in found:
        record = records.get(each.delivery_id or 0)
        row = WSContactBounce(
            ContactID=str(each.contact_number),
            EmailAddress=each.email,
            BounceReason=record.reason if record else "",
            BounceDetail=record.detail if record else "",
            BounceDate=call.date_text(each.at),
            BounceCount=record.contact_bounces if record else 1,
        )
        rows.append(row)
    return rows


def _activities(call: Call, message: SentMessage, page: int, period: Period) -> list[WSMessageContactActivity]:
    found = events(call, message, MailEventKind.SENT, page, period)
    bounced = call.product.event_reports.bounces(_mails(found))
    activities = call.product.event_reports.activities(_mails(found))
    rows = []
    for each in found:
        activity = activities.get(each.delivery_id or 0)
        row = WSMessageContactActivity(
            MsgID=message.id,
            ContactID=each.contact_number,
            EmailAddress=each.email,
            SendDate=call.wall_clock(each.at),
            Opened=activity is not None and activity.opened_at is not None,
            Read=activity is not None and activity.read_at is not None,
            ClickCount=activity.clicks if activity else 0,
            BounceCount=int(each.delivery_id in bounced),
        )
        rows.append(row)
    return rows


def _removals(call: Call, message: SentMessage, page: int, period: Period) -> list[WSContactRemovalInfo]:
    return [
        WSContactRemovalInfo(
            ContactID=str(each.number),
            EmailAddress=each.email,
            AdditionDate=call.wall_clock(each.added_at),
            RemovalDate=call.wall_clock(each.removed_at),
            RemovalMethod=each.removed_by,
        )
        for each in call.product.removals.page(
            call.account.id,
            message.id,
            message.list_ids,
            removed_from=period.start,
            removed_before=period.end,
            offset=offset(page),
            limit=PAGE_ROWS,
        )
    ]


def _mails(found: list[MailEvent]) -> list[int]:
    return [each.delivery_id for each in found if each.delivery_id is not None]


HANDLERS: Handlers = {
    "ReportMessageContactSent": report_message_contact_sent,
    "ReportMessageContactOpen": report_message_contact_open,
    "ReportRangeMessageContactOpen": report_range_message_contact_open,
    "ReportMessageContactRead": report_message_contact_read,
    "ReportRangeMessageContactRead": report_range_message_contact_read,
    "ReportMessageContactClick": report_message_contact_click,
    "ReportRangeMessageContactClick": report_range_message_contact_click,
    "ReportMessageContactPassalong": report_message_contact_passalong,
    "ReportRangeMessageContactPassalong": report_range_message_contact_passalong,
    "ReportMessageContactBounces": report_message_contact_bounces,
    "ReportRangeMessageContactBounces": report_range_message_contact_bounces,
    "ReportMessageContactActivity": report_message_contact_activity,
    "ReportMessageContactRemoval": report_message_contact_removal,
    "ReportRangeMessageContactRemoval": report_range_message_contact_removal,
}
