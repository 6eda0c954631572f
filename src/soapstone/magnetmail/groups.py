"""Groups and their members."""

from __future__ import annotations

from typing import Any

from soapstone.errors import NameTakenError
from soapstone.lists.lists import ContactList
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE, Call, page_size, whole
from soapstone.magnetmail.errors import INVALID_ARGUMENT, NAME_EXISTS, SEE_ERROR_OBJECT, error_object, no_error

LONGEST_NAME = 255

# Filter value of getGroups → what it picks; any other value means both (mm-87, mm-88).
PICKS = {0: False, 1: True}


def add_group(call: Call, request: op.addGroup) -> t.SaveResult:
    """Create a group (mm-19, mm-91)."""
    name = (request.group_name or "").strip()
    if not name:
        return _refused(INVALID_ARGUMENT, "The group needs a name.")
    if len(name) > LONGEST_NAME:
        return _refused(INVALID_ARGUMENT, f"A group name has at most {LONGEST_NAME} characters.")
    login = call.identity.login
    category = call.product.list_categories.get(call.account.id, whole(request.categoryId))
    try:
        made = call.product.lists.create(
            call.account.id,
            name,
            login_id=None if login.all_lists else login.id,
            unique_name=True,
            category_id=None if category is None else category.id,
        )
    except NameTakenError:
        return _refused(NAME_EXISTS, f"There is a group named {name} already.")
    return t.SaveResult(error=0, errorObj=no_error(), id=made.id, msg="The group has successfully been added!")


def get_groups(call: Call, request: op.getGroups) -> list[t.group]:
    """Return the groups that the login may see, by number."""
    return [t.group(**_common(call, each)) for each in _groups(call, request)]


def get_group_details(call: Call, request: op.getGroupDetails) -> t.MailRecipientGroup | None:
    """Return one group with its totals; nothing for an unknown one (mm-24)."""
    found = _find(call, request.groupId)
    if found is None:
        return None
    totals = call.product.lists.totals(found)
    return t.MailRecipientGroup(
        **_common(call, found),
        TotalInGroup=totals.members,
        TotalEmailAndFaxSuppressed=totals.both_shut,
        TotalFaxSuppressed=totals.fax_shut,
        TotalEmailSuppressed=totals.email_shut,
        TotalUnsubscribed=totals.unsubscribed,
    )


def get_group_recipients(call: Call, request: op.getGroupRecipients) -> t.GroupRecipients:
    """Return one page of members by recipient id (mm-36 to mm-40); an unknown group has none (mm-25)."""
    found = _find(call, request.groupId)
    if found is None:
        return t.GroupRecipients(recipients=[])
    size = page_size(request.pageCount)
    members = call.product.page_marks.get(
        ("members", found.id),
        request.pageNumber,
        size,
        lambda after, offset, limit: call.product.members.page(found.id, after=after, offset=offset, limit=limit),
        lambda member: member.contact_id,
    )
    return t.GroupRecipients(
        recipients=[
            t.GroupRecipient(EmailId=m.email, CustomMemberId=m.custom_id, RecipientId=str(m.contact_id))
            for m in members
        ]
    )


def get_group_recipients_count(call: Call, request: op.getGroupRecipientsCount) -> int:
    """Return the number of members; 0 for an unknown group (mm-25)."""
    found = _find(call, request.groupId)
    return found.members if found else 0


def get_groups_utc(call: Call, request: op.getGroupsUTC) -> list[t.group]:
    """Return the same with dates in UTC (mm-28, mm-30)."""
    return [t.group(**_common(call, each, utc=True)) for each in _groups(call, request)]


def _groups(call: Call, request: op.getGroups | op.getGroupsUTC) -> list[ContactList]:
    return call.product.lists.all(
        call.account.id,
        call.identity.login,
        visible=PICKS.get(request.display_status),
        on_subscription_page=PICKS.get(request.subscription_groups),
    )


def _find(call: Call, group_id: int) -> ContactList | None:
    return call.product.lists.get(call.account.id, group_id, call.identity.login)


def _common(call: Call, found: ContactList, *, utc: bool = False) -> dict[str, Any]:
    date = call.utc if utc else call.local
    return {
        "group_id": found.id,
        "group_name": found.name,
        "group_created": date(found.created_at),
        "display_status": found.visible,
        "subscription_group": found.on_subscription_page,
        "last_updated_date": date(found.updated_at) or NO_DATE,
        "last_updated_loginid": found.updated_by or 0,
    }


def _refused(number: int, sentence: str) -> t.SaveResult:
    particulars = error_object(number, sentence, component="Group", function="addGroup")
    return t.SaveResult(error=SEE_ERROR_OBJECT, errorObj=particulars, id=0, msg=sentence)
