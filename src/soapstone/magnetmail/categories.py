"""Categories of groups and of messages (mm-93, mm-94)."""

from __future__ import annotations

from soapstone.lists.categories import Category
from soapstone.magnetmail.call import NO_DATE, Call
from soapstone.magnetmail.operations import GetAllGroupCategories, GetGroupCategory, GetMessageCategory
from soapstone.magnetmail.types import GroupCategory, MessageCategory


def get_message_category(call: Call, request: GetMessageCategory) -> list[MessageCategory]:
    """Return the category of that number, all of them when none is named, none for an unknown one (mm-25, mm-94)."""
    wanted = (request.messageCategoryId or "").strip()
    return [
        MessageCategory(
            ID=each.id,
            Name=each.name,
            MailUserId=call.account.name,
            DateCreated=call.local(each.created_at) or NO_DATE,
            LoginId=each.login_id,
        )
        for each in call.product.message_categories.all(call.account.id)
        if wanted in ("", str(each.id))
    ]


def get_group_category(call: Call, request: GetGroupCategory) -> GroupCategory | None:
    """Return one category; nothing for an unknown one (mm-24)."""
    found = call.product.list_categories.get(call.account.id, request.groupCategoryId)
    return None if found is None else _wire(call, found)


def get_all_group_categories(call: Call, request: GetAllGroupCategories) -> list[GroupCategory]:
    """Return all categories, those out of use among them."""
    return [_wire(call, each) for each in call.product.list_categories.all(call.account.id)]


def _wire(call: Call, found: Category) -> GroupCategory:
    return GroupCategory(
        ID=found.id,
        CategoryName=found.name,
        MailUserId=call.account.name,
        LoginId=found.login_id or 0,
        Status=int(found.active),
        DateCreated=call.local(found.created_at) or NO_DATE,
    )
