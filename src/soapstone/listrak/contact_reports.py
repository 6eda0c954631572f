"""Reports of the contacts of lists: who is subscribed, who left, whose address was corrected, who complained."""

from __future__ import annotations

import datetime
from collections.abc import Hashable

from soapstone.contacts.members import Removed
from soapstone.contacts.removals import Removal
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import PAGE_ROWS, Call, answer
from soapstone.lists.lists import ContactList
from soapstone.wire.types import Struct

Moment = datetime.datetime | None


def report_subscribed_contacts(call: Call, request: op.ReportSubscribedContacts) -> Struct:
    """Return the subscribers of a list (lk-30, lk-31, lk-34)."""
    found = call.require_list(request.ListID)
    rows = _subscribed(call, found, request.Page, None, None)
    return answer(request, rows)


def report_range_subscribed_contacts(
    call: Call, request: op.ReportRangeSubscribedContacts
) -> list[t.WSContactSubscriptionInfo]:
    """Return who is subscribed now and was added within the range (lk-25, lk-112)."""
    found = call.find_list(request.ListID)
    if found is None:
        return []
    return _subscribed(call, found, request.Page, call.range_start(request.StartDate), call.range_end(request.EndDate))


def report_list_contact_removal(call: Call, request: op.ReportListContactRemoval) -> Struct:
    """Return who left a list (lk-34, lk-110, lk-112)."""
    found = call.require_list(request.ListID)
    rows = _removed(call, found, request.Page, None, None)
    return answer(request, rows)


def report_range_list_contact_removal(
    call: Call, request: op.ReportRangeListContactRemoval
) -> list[t.WSContactRemovalInfo]:
    """Return who left a list within the range (lk-25, lk-33)."""
    found = call.find_list(request.ListID)
    if found is None:
        return []
    return _removed(call, found, request.Page, call.range_start(request.StartDate), call.range_end(request.EndDate))


def report_list_contact_hygiene(call: Call, request: op.ReportListContactHygiene) -> Struct:
    """Return the corrected addresses: none, as this server corrects none (lk-114)."""
    call.require_list(request.ListID)
    return answer(request, [])


def report_range_list_contact_hygiene(
    call: Call, request: op.ReportRangeListContactHygiene
) -> list[t.WSContactHygieneInfo]:
    """Return the addresses corrected within the range: none (lk-114)."""
    return []


def report_admin_contact_feedback_loop(call: Call, request: op.ReportAdminContactFeedbackLoop) -> Struct:
    """Return the complaints on all lists of the caller within the range (lk-34, lk-112)."""
    lists = [each.id for each in call.product.lists.all(call.account.id, call.login)]
    start, end = call.range_start(request.StartDate), call.range_end(request.EndDate)
    found = call.product.page_marks.get(
        ("complaints", call.account.id, call.login.id, start, end),
        request.Page,
        PAGE_ROWS,
        lambda after, offset, limit: call.product.complaints.page(
            call.account.id, lists, at_from=start, at_before=end, after=after, offset=offset, limit=limit
        ),
        lambda row: (row.at, row.id),
    )
    rows = [
        t.WSFeedbackLoopListing(
            ListID=row.list_id,
            ListName=row.list_name,
            CampaignID=row.campaign_id,
            CampaignName=row.campaign_name,
            MessageID=row.message_id,
            MessageSubject=row.subject,
            ContactID=str(row.number),
            EmailAddress=row.email,
            AbuseDate=call.wall_clock(row.at),
            ISPName=row.provider,
        )
        for row in found
    ]
    return answer(request, rows)


def _subscribed(
    call: Call, found: ContactList, page: int, start: Moment, end: Moment
) -> list[t.WSContactSubscriptionInfo]:
    query: Hashable = ("subscribed", found.id, start, end)
    members = call.product.page_marks.get(
        query,
        page,
        PAGE_ROWS,
        lambda after, offset, limit: call.product.members.page(
            found.id,
            state="subscribed",
            added_from=start,
            added_before=end,
            after=after,
            offset=offset,
            limit=limit,
        ),
        lambda member: member.contact_id,
    )
    return [
        t.WSContactSubscriptionInfo(
            ContactID=str(member.number),
            EmailAddress=member.email,
            AdditionDate=call.wall_clock(member.added_at),
            AdditionMethod=member.added_by,
        )
        for member in members
    ]


def _removed(call: Call, found: ContactList, page: int, start: Moment, end: Moment) -> list[t.WSContactRemovalInfo]:
    rows = call.product.page_marks.get(
        ("removed", found.id, call.login.id, start, end),
        page,
        PAGE_ROWS,
        lambda after, offset, limit: call.product.members.removed(
            found.id,
            removed_from=start,
            removed_before=end,
            after=after,
            offset=offset,
            limit=limit,
            login=call.login,
        ),
        lambda row: (row.removed_at, row.contact_id),
    )
    return [removal_row(call, row) for row in rows]


def removal_row(call: Call, found: Removed | Removal) -> t.WSContactRemovalInfo:
    """Return the row of a contact that left a list."""
    return t.WSContactRemovalInfo(
        ContactID=str(found.number),
        EmailAddress=found.email,
        AdditionDate=call.wall_clock(found.added_at),
        RemovalDate=call.wall_clock(found.removed_at),
        RemovalMethod=found.removed_by,
    )
