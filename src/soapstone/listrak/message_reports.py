"""Reports of one message: who got it, opened, read and clicked it, whose mail bounced, and who left because of it."""

from __future__ import annotations

from soapstone.listrak import types as t
from soapstone.listrak.call import PAGE_ROWS, Call, Handlers, offset
from soapstone.listrak.contact_reports import removal_row
from soapstone.listrak.sent_message import SentMessage, clicks, events, plain, within
from soapstone.tracking.reports import MailEvent, Period
from soapstone.vocabulary.tracking import MailEventKind


def _sent(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSMessageRecipient]:
    """Return the addresses that a message was sent to (lk-34)."""
    return [
        t.WSMessageRecipient(EmailAddress=each.email)
        for each in events(call, message, MailEventKind.SENT, page, period)
    ]


def _opens(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSContactOpen]:
    """Return who opened a message, with the date of the first open in the period (lk-107)."""
    return [
        t.WSContactOpen(ContactID=str(each.contact_number), EmailAddress=each.email, OpenDate=call.date_text(each.at))
        for each in events(call, message, MailEventKind.OPEN, page, period, first=True)
    ]


def _reads(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSContactRead]:
    """Return who read a message, with the date of the first time in the period (lk-107)."""
    return [
        t.WSContactRead(ContactID=str(each.contact_number), EmailAddress=each.email, ReadDate=call.date_text(each.at))
        for each in events(call, message, MailEventKind.READ, page, period, first=True)
    ]


def _clicks(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSContactClick]:
    """Return the clicks in a message (lk-107)."""
    found = clicks(call, message, page, period)
    links = call.product.event_reports.links_by_id(call.account.id, {each.link_id or 0 for each in found})
    rows = []
    for each in found:
        link = links.get(each.link_id or 0)
        row = t.WSContactClick(
            ContactID=str(each.contact_number),
            EmailAddress=each.email,
            LinkDescription=link.description if link else "",
            LinkUrl=link.url if link else "",
            ClickDate=call.date_text(each.at),
        )
        rows.append(row)
    return rows


def _passed_on(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSContactPassalong]:
    """Return who passed a message on: always empty, since the server has no form for that (lk-114)."""
    return []


def _bounces(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSContactBounce]:
    """Return the bounces of a message (lk-111)."""
    found = events(call, message, MailEventKind.BOUNCE, page, period)
    records = call.product.event_reports.bounces(_mails(found))
    rows = []
    for each in found:
        record = records.get(each.delivery_id or 0)
        row = t.WSContactBounce(
            ContactID=str(each.contact_number),
            EmailAddress=each.email,
            BounceReason=record.reason if record else "",
            BounceDetail=record.detail if record else "",
            BounceDate=call.date_text(each.at),
            BounceCount=record.contact_bounces if record else 1,
        )
        rows.append(row)
    return rows


def _activities(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSMessageContactActivity]:
    """Return what each recipient of a message did with it (lk-115)."""
    found = events(call, message, MailEventKind.SENT, page, period)
    bounced = call.product.event_reports.bounces(_mails(found))
    activities = call.product.event_reports.activities(_mails(found))
    rows = []
    for each in found:
        activity = activities.get(each.delivery_id or 0)
        row = t.WSMessageContactActivity(
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


def _removals(call: Call, message: SentMessage, page: int, period: Period) -> list[t.WSContactRemovalInfo]:
    """Return who left because of a message (lk-110, lk-112)."""
    return [
        removal_row(call, each)
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
    "ReportMessageContactSent": plain(_sent),
    "ReportMessageContactOpen": plain(_opens),
    "ReportRangeMessageContactOpen": within(_opens),
    "ReportMessageContactRead": plain(_reads),
    "ReportRangeMessageContactRead": within(_reads),
    "ReportMessageContactClick": plain(_clicks),
    "ReportRangeMessageContactClick": within(_clicks),
    "ReportMessageContactPassalong": plain(_passed_on),
    "ReportRangeMessageContactPassalong": within(_passed_on),
    "ReportMessageContactBounces": plain(_bounces),
    "ReportRangeMessageContactBounces": within(_bounces),
    "ReportMessageContactActivity": plain(_activities),
    "ReportMessageContactRemoval": plain(_removals),
    "ReportRangeMessageContactRemoval": within(_removals),
}
