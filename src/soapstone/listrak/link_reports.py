"""Reports of the links of messages, and of the clicks on one link."""

from __future__ import annotations

from soapstone.listrak.call import PAGE_ROWS, Call, Handlers, answer, not_found, offset
from soapstone.listrak.operations import ReportContactLinkClick
from soapstone.listrak.percent import percent
from soapstone.listrak.sent_message import SentMessage, clicked_sends, find_message, plain
from soapstone.listrak.types import WSContactLinkClick, WSMessageLink
from soapstone.tracking import figures
from soapstone.tracking.reports import Period
from soapstone.wire.types import Struct

# The part of the mail that a link is in → its type (lk-111).
TYPES = {"html": "HTML", "plain": "Text"}


def report_contact_link_click(call: Call, request: ReportContactLinkClick) -> Struct:
    """Return the clicks on a link; one of a message that the login does not see is unknown (lk-19)."""
    link = call.product.event_reports.links_by_id(call.account.id, [request.LinkID]).get(request.LinkID)
    message = find_message(call, link.message_id) if link else None
    if link is None or message is None:
        raise not_found("Link", request.LinkID)
    found = call.product.event_reports.of_link(
        call.account.id,
        link.id,
        is_test=message.is_test,
        job_ids=clicked_sends(call, message),
        offset=offset(request.Page),
        limit=PAGE_ROWS,
    )
    rows = [
        WSContactLinkClick(
            LinkID=link.id,
            ContactID=str(each.contact_number),
            EmailAddress=each.email,
            LinkURL=link.url,
            ClickDate=call.date_text(each.at),
        )
        for each in found.events
    ]
    return answer(request, rows)


def _links(call: Call, message: SentMessage, page: int, period: Period) -> list[WSMessageLink]:
    """Return the links of a message in their order, with their clicks (lk-108, lk-111)."""
    database, before = call.product.database, offset(page)
    links = call.product.event_reports.links(call.account.id, message.id)[before : before + PAGE_ROWS]
    clicks = figures.of_links(database, [each.id for each in links], message.job_ids)
    # Read after those of the links, which are part of them: so no share is more than the whole.
    whole = figures.total(figures.of_sends(database, message.job_ids).values()).clicks
    return [
        WSMessageLink(
            MsgID=message.id,
            LinkID=each.id,
            LinkURL=each.url,
            LinkType=TYPES[each.body],
            ClickCount=clicks[each.id].clicks,
            ClickerCount=clicks[each.id].clickers,
            ClickPercent=percent(clicks[each.id].clicks, whole),
            LinkDescription=each.description,
        )
        for each in links
    ]


HANDLERS: Handlers = {
    "ReportMessageLinkClick": plain(_links),
}
