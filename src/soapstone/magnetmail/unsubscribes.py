"""Unsubscribes and complaints (mm-116, mm-118, mm-120 to mm-122)."""

from __future__ import annotations

import datetime

from soapstone.contacts.changes import Cause
from soapstone.contacts.unsubscribes import Filters, Recorded
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE, Call, number_in, page_size
from soapstone.magnetmail.recipient import wire
from soapstone.wire.faults import Fault


def unsubscribe_recipients(call: Call, request: op.unsubscribeRecipients) -> list[t.Unsubscribe]:
    """Record unsubscribes; each row comes back with its number, 0 where nothing was changed (mm-122)."""
    return [_recorded(call, each) for each in request.unsubscribes or [] if each is not None]


def get_unsubscribes(call: Call, request: op.getUnsubscribes) -> list[t.recp_unsubscribe]:
    """Return who unsubscribed within the range, by date (mm-34, mm-40)."""
    return _people(call, "unsubscribed", request.fromDate, request.toDate)


def get_spam_complaints(call: Call, request: op.getSpamComplaints) -> list[t.recp_unsubscribe]:
    """Return who complained within the range, in the same rows (mm-118)."""
    return _people(call, "complained", request.fromDate, request.toDate)


def get_unsubscribe_tracking(call: Call, request: op.GetUnsubscribeTracking) -> t.UnsubscribeTrackingResults:
    """Return one page of unsubscribes by message, group or category; 0 is any (mm-36, mm-39, mm-116)."""
    criteria = request.criteria
    if criteria is None:
        raise Fault("[InvalidRequest] criteria is missing.")
    start, end = call.range(criteria.SearchStartDate, criteria.SearchEndDate)
    if criteria.GroupId and call.group(criteria.GroupId) is None:
        return t.UnsubscribeTrackingResults(Count=0, data=[])
    filters = Filters(
        at_from=start,
        at_before=end,
        list_id=criteria.GroupId,
        message_id=criteria.MessageId,
        list_category_id=criteria.GroupCategoryId,
    )
    unsubscribes, account_id, kind = call.product.unsubscribes, call.account.id, "unsubscribed"
    asked = ("unsubscribes", account_id, call.sight, filters)
    rows = call.product.page_marks.get(
        asked,
        criteria.PageNo,
        page_size(criteria.PageSize),
        lambda after, offset, limit: unsubscribes.page(
            account_id, kind, filters, after=after, offset=offset, limit=limit, login=call.login
        ),
        lambda row: (row.at, row.id),
    )
    count = call.product.row_counts.get(
        asked, criteria.PageNo, lambda: unsubscribes.count(account_id, kind, filters, login=call.login)
    )
    return t.UnsubscribeTrackingResults(Count=count, data=[_tracked(call, row) for row in rows])


def _recorded(call: Call, given: t.Unsubscribe) -> t.Unsubscribe:
    here = call.for_account(given.UserId)
    message_category, list_category = _number(given.MessageCategoryId), _number(given.GroupCategoryId)
    number: int | None = None
    if (
        (not given.GroupId or here.group(given.GroupId) is not None)
        and message_category is not None
        and list_category is not None
    ):
        cause = Cause(
            message_id=given.MessageId or None,
            message_category_id=message_category or None,
            list_category_id=list_category or None,
        )
        unsubscribes = here.product.unsubscribes
        number = unsubscribes.add(here.account, given.RecipientId, list_id=given.GroupId, cause=cause, login=here.login)
    return t.Unsubscribe(
        Id=number or 0,
        UserId=here.account.name,
        RecipientId=given.RecipientId,
        MessageId=given.MessageId,
        GroupId=given.GroupId,
        MessageCategoryId=given.MessageCategoryId,
        GroupCategoryId=given.GroupCategoryId,
    )


def _number(text: str | None) -> int | None:
    """Return the number of a category; 0 for none, None for what is no number."""
    return number_in(text) if text and text.strip() else 0


def _people(call: Call, kind: str, start: datetime.datetime, end: datetime.datetime) -> list[t.recp_unsubscribe]:
    at_from, at_before = call.range(start, end)
    filters = Filters(at_from=at_from, at_before=at_before)
    rows = call.product.unsubscribes.page(call.account.id, kind, filters, login=call.login)
    numbers = list(dict.fromkeys(row.contact_id for row in rows))
    people = {person.id: person for person in call.product.contacts.many(call.account.id, numbers, login=call.login)}
    return [
        t.recp_unsubscribe(
            recipient=wire(call, people[row.contact_id]),
            ResultDate=call.local(row.at) or NO_DATE,
            message_name=row.message_name,
            group_name=row.list_name,
            message_CategoryId=row.message_category_id,
        )
        for row in rows
        if row.contact_id in people
    ]


def _tracked(call: Call, row: Recorded) -> t.UnsubscribeTrackingData:
    return t.UnsubscribeTrackingData(
        UserId=call.account.name,
        MessageId=row.message_id,
        RecipientId=row.contact_id,
        Date=call.local(row.at) or NO_DATE,
        GroupId=row.list_id,
        GroupCategoryId=row.list_category_id,
        MessageCategoryId=row.message_category_id,
    )
