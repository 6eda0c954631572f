"""What became of messages: totals, and events of the whole account (mm-111, mm-112, mm-116, mm-117)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE, Call, page_size
from soapstone.magnetmail.sent_status import event_status
from soapstone.sending.messages.message import Message
from soapstone.tracking import figures
from soapstone.tracking.message_unsubscribes import UnsubscribeQuery
from soapstone.tracking.reports import EventPage, MailEvent, Period
from soapstone.vocabulary.tracking import MailEventKind
from soapstone.wire.faults import Fault


def get_overall_tracking(call: Call, request: op.getOverallTracking) -> t.TrackingData | None:
    """Return the figures of a message, of one group or of all; nothing for an unknown one (mm-24, mm-112)."""
    return _totals(call, request.message_id, request.group_id)


def get_tracking_data(call: Call, request: op.getTrackingData) -> t.TrackingData | None:
    """Return the same figures (mm-111)."""
    return _totals(call, request.message_id, request.group_id)


def get_message_sent_tracking(call: Call, request: op.GetMessageSentTracking) -> t.MessageSentTrackingResults:
    """Return one page of sent mails by date, with what became of each (mm-36, mm-39, mm-116)."""
    page = _events(call, request.criteria, MailEventKind.SENT)
    bounces = call.product.event_reports.bounces([each.delivery_id for each in page.events if each.delivery_id])
    classes = {number: bounce.bounce_class for number, bounce in bounces.items()}
    return t.MessageSentTrackingResults(
        Count=page.total,
        data=[
            t.MessageSentTrackingData(
                **_common(call, event),
                Type=t.MessageTrackingReportType.Sent,
                Status=event_status(classes.get(event.delivery_id or 0)),
            )
            for event in page.events
        ],
    )


def get_message_open_tracking(call: Call, request: op.GetMessageOpenTracking) -> t.MessageOpenTrackingResults:
    """Return one page of opens by date: every open is one (mm-109, mm-116)."""
    page = _events(call, request.criteria, MailEventKind.OPEN)
    rows = [
        t.MessageTrackingData(**_common(call, each), Type=t.MessageTrackingReportType.Opened) for each in page.events
    ]
    return t.MessageOpenTrackingResults(Count=page.total, data=rows)


def get_message_link_tracking(call: Call, request: op.GetMessageLinkTracking) -> t.MessageLinkTrackingResults:
    """Return one page of clicks by date, of one message and of one address of it if they are given (mm-117)."""
    criteria = request.criteria
    message_id = criteria.MessageId if criteria is not None else 0
    if message_id and visible_message(call, message_id) is None:
        return t.MessageLinkTrackingResults(Count=0, data=[])
    url = criteria.LinkUrl if criteria is not None else None
    page = _events(call, criteria, MailEventKind.CLICK, message_id=message_id or None, url=url or None)
    links = call.product.event_reports.links_by_id(call.account.id, {each.link_id or 0 for each in page.events})
    rows = []
    for event in page.events:
        link = links.get(event.link_id or 0)
        rows.append(
            t.MessageLinkTrackingData(
                **_common(call, event),
                Url=link.url if link else "",
                LinkLabel=link.label if link else "",
                LinkText=link.description if link else "",
            )
        )
    return t.MessageLinkTrackingResults(Count=page.total, data=rows)


def visible_message(call: Call, message_id: int) -> Message | None:
    """Return a message of the account, of either contract, unless it is one of a group that the login may not see."""
    found = call.product.messages.get(call.account.id, message_id)
    if found is None or (found.list_id is not None and call.group(found.list_id) is None):
        return None
    return found


def event_page(
    call: Call, key: Hashable, page: int, size: int, read: Callable[[int | None, int, int | None], EventPage]
) -> EventPage:
    """Return one page of a report whose rows `key` identifies.

    `read(after, offset, total)` reads it: after the event with that number, or from the first on, and passes over
    `offset` rows; it counts all rows unless `total` is known.
    """
    counts = call.product.row_counts
    known = counts.recall(key, page)
    total = 0

    def rows(after: int | None, offset: int, _limit: int) -> list[MailEvent]:
        nonlocal total
        found = read(after, offset, known)
        total = found.total
        return found.events

    events = call.product.page_marks.get(key, page, size, rows, lambda event: event.number)
    if known is None:
        counts.remember(key, total)
    return EventPage(total=total, events=list(events))


def _totals(call: Call, message_id: int, group_id: int) -> t.TrackingData | None:
    message = visible_message(call, message_id)
    groups = {group.id: group.name for group in call.groups}
    if message is None or (group_id and group_id not in groups):
        return None
    product, list_id = call.product, group_id or None
    found = figures.of_message(product.database, call.account.id, message.id, list_id=list_id, login=call.login)
    departures = product.reports.departures(call.account.id, kind=message.kind, message_id=message.id, login=call.login)
    left = product.message_unsubscribes.count(
        UnsubscribeQuery(account=call.account, message_id=message.id, list_id=list_id, login=call.login)
    )
    return t.TrackingData(
        EmailSent=found.sent,
        EmailDelivered=found.delivered,
        EmailOpened=found.opens,
        EmailBounced=found.bounced,
        EmailLinksClicked=found.clicks,
        WebLinksClicked=0,
        Unsubscribed=left,
        FaxSent=0,
        FaxDelivered=0,
        FaxFailed=0,
        FTFNewEmails=0,
        FTF=0,
        FTFSubscribers=0,
        GroupsEmailSentTo=[
            t.JobToGroup(
                group_id=each.list_id, group_name=groups[each.list_id], sent_date=call.local(each.at) or NO_DATE
            )
            for each in departures
            if each.list_id in groups and list_id in (None, each.list_id)
        ],
        GroupsFaxSentTo=[],
    )


def _events(call: Call, criteria: Any, kind: MailEventKind, **filters: Any) -> EventPage:
    """Return one page of the account's events of a kind."""
    if criteria is None:
        raise Fault("[InvalidRequest] criteria is missing.")
    start, end = call.range(criteria.SearchStartDate, criteria.SearchEndDate)
    size = page_size(criteria.PageSize)
    return event_page(
        call,
        ("events", kind, call.account.id, call.sight, start, end, *filters.values()),
        criteria.PageNo,
        size,
        lambda after, offset, total: call.product.event_reports.of_account(
            call.account.id,
            kind,
            period=Period(start=start, end=end),
            login=call.login,
            after=after,
            offset=offset,
            limit=size,
            total=total,
            **filters,
        ),
    )


def _common(call: Call, event: MailEvent) -> dict[str, Any]:
    return {
        "UserId": call.account.name,
        "MessageId": event.message_id,
        "RecipientId": event.contact_id or 0,
        "Date": call.local(event.at) or NO_DATE,
    }
