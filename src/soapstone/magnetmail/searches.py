"""Finding recipients: by example, by saved search, by when they came."""

from __future__ import annotations

from collections.abc import Sequence

from soapstone.contacts.contacts import Contact as Person
from soapstone.contacts.history import together
from soapstone.contacts.search import Example
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import LARGEST_PAGE, NO_DATE, Call, number_in, page_size
from soapstone.magnetmail.recipient import columns, wire
from soapstone.wire.faults import Fault


def search_for_recipients(call: Call, request: op.searchForRecipients) -> t.RecipientSearchResults:
    """Return one page of those who match an example (mm-36, mm-37, mm-78, mm-79). The account may be named in it
    (mm-9)."""
    criteria = request.criteria
    if criteria is None:
        raise Fault("[InvalidRequest] criteria is missing.")
    call = call.for_account(criteria.mail_user_id)
    example = _example(call, criteria)
    if example is None:
        return t.RecipientSearchResults(recipients=[])
    size = page_size(criteria.pageSize)
    people = _page(call, example, criteria.pageNo, size)
    return t.RecipientSearchResults(recipients=[wire(call, person) for person in people])


def get_saved_searches(call: Call, request: op.getSavedSearches) -> list[t.MagnetMailQueries]:
    """Return the saved searches; an empty name and login 0 mean all (mm-84)."""
    name = (request.search_name or "").strip()
    return [
        t.MagnetMailQueries(
            Search_Name=each.name,
            Search_Id=str(each.id),
            Create_Date=f"{call.local(each.created_at):%Y-%m-%dT%H:%M:%S}",
            LoginId=str(each.login_id or 0),
        )
        for each in call.product.saved_searches.all(call.account.id)
        if name in ("", each.name) and request.loginid in (0, each.login_id or 0)
    ]


def run_saved_search(call: Call, request: op.runSavedSearch) -> list[t.Recipient]:
    """Return the recipients that a saved search finds; none for an unknown one (mm-83, mm-84)."""
    saved = call.product.saved_searches.named(call.account.id, request.search_name or "")
    found: list[t.Recipient] = []
    page = 0
    while saved is not None:
        page += 1
        people = _page(call, saved.example, page, LARGEST_PAGE)
        found += [wire(call, person) for person in people]
        if len(people) < LARGEST_PAGE:
            break
    return found


def get_subscribed_recipients(call: Call, request: op.getSubscribedRecipients) -> list[t.subscription]:
    """Return who came to groups or changed within the range (mm-85)."""
    visible = {group.id for group in call.groups}
    wanted = visible & set(request.group_ids) if request.group_ids else visible
    start, end = call.range(request.startDate, request.endDate)
    history, kind = call.product.history, (request.report_type or "").strip().lower()
    added = history.arrivals(wanted, start, end)
    changed = [] if kind == "add" else history.changes(wanted, start, end)
    if kind == "update":
        there = {arrival.contact_id for arrival in added}
        found = [each for each in changed if each.contact_id not in there]
    else:
        found = together(added, changed)
    people = {
        person.id: person
        for person in call.product.contacts.many(call.account.id, [each.contact_id for each in found], login=call.login)
    }
    return [
        t.subscription(
            recipient=wire(call, people[each.contact_id]),
            add_update_date=call.local(each.at) or NO_DATE,
            groups=list(each.list_ids),
        )
        for each in found
        if each.contact_id in people
    ]


def _page(call: Call, example: Example, page: int, size: int) -> Sequence[Person]:
    return call.product.page_marks.get(
        ("search", call.account.id, call.sight, example.key),
        page,
        size,
        lambda after, offset, limit: call.product.search.page(
            call.account, example, login=call.login, after=after, offset=offset, limit=limit
        ),
        lambda person: person.id,
    )


def _example(call: Call, criteria: t.RecipientSearchCriteria) -> Example | None:
    """Return the example; None for one that no contact can match."""
    number = number_in(criteria.id)
    if number is None and (criteria.id or "").strip():
        return None
    start, end = call.range(criteria.suppressed_start_date, criteria.suppressed_end_date)
    shut = {"fax": criteria.fax_send_suppress, "email": criteria.email_send_suppress}
    return Example(
        id=number,
        values={name: value for name, value in columns(criteria).items() if value.strip()},
        unsubscribed=criteria.unsubscribed,
        text_only=criteria.text_only,
        waiting=None if criteria.email_confirm is None else not criteria.email_confirm,
        suppressed=criteria.suppressed,
        shut={channel: wanted for channel, wanted in shut.items() if wanted is not None},
        suppressed_from=start,
        suppressed_before=end,
    )
