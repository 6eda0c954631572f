"""Groups, their members, and categories."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Double, Int, String, Struct


class addGroup(Struct):
    user_id: String
    group_name: String
    categoryId: Double


class getGroups(Struct):
    user_id: String
    display_status: Int
    subscription_groups: Int


class getGroupsUTC(Struct):
    user_id: String
    display_status: Int
    subscription_groups: Int


class getGroupDetails(Struct):
    groupId: Int


class getGroupRecipients(Struct):
    groupId: Int
    pageNumber: Int
    pageCount: Int


class getGroupRecipientsCount(Struct):
    groupId: Int


class GetMessageCategory(Struct):
    messageCategoryId: String


class GetGroupCategory(Struct):
    groupCategoryId: Int


class GetAllGroupCategories(Struct):
    pass


GROUP_OPERATIONS = (
    Operation(addGroup, "Creates a group of recipients.", result=t.SaveResult | None),
    Operation(
        getGroups,
        "Lists the groups by visibility and by presence on the subscription page; dates in the account's zone.",
        result=list[t.group] | None,
        deprecated="its successor is not part of this contract.",
    ),
    Operation(
        getGroupsUTC,
        "Lists the groups by visibility and by presence on the subscription page; dates in UTC.",
        result=list[t.group] | None,
    ),
    Operation(getGroupDetails, "Tells about one group, with its totals.", result=t.MailRecipientGroup | None),
    Operation(getGroupRecipients, "Pages through the members of a group.", result=t.GroupRecipients | None),
    Operation(getGroupRecipientsCount, "Counts the members of a group.", result=Int),
    Operation(
        GetMessageCategory,
        "Gives a message category by its number, or all of them when none is named.",
        result=list[t.MessageCategory] | None,
    ),
    Operation(GetGroupCategory, "Gives a group category by its number.", result=t.GroupCategory | None),
    Operation(
        GetAllGroupCategories,
        "Lists group categories, those out of use among them.",
        result=list[t.GroupCategory] | None,
    ),
)
