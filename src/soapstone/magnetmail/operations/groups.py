"""Groups, their members, and categories."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Double, Int, String, Struct


@operation(result=t.SaveResult | None)
class addGroup(Struct):
    """Creates a group of recipients."""

    user_id: String
    group_name: String
    categoryId: Double


@operation(result=list[t.group] | None, deprecated="its successor is not part of this contract.")
class getGroups(Struct):
    """Lists the groups by visibility and by presence on the subscription page; dates in the account's zone."""

    user_id: String
    display_status: Int
    subscription_groups: Int


@operation(result=list[t.group] | None)
class getGroupsUTC(Struct):
    """Lists the groups by visibility and by presence on the subscription page; dates in UTC."""

    user_id: String
    display_status: Int
    subscription_groups: Int


@operation(result=t.MailRecipientGroup | None)
class getGroupDetails(Struct):
    """Tells about one group, with its totals."""

    groupId: Int


@operation(result=t.GroupRecipients | None)
class getGroupRecipients(Struct):
    """Pages through the members of a group."""

    groupId: Int
    pageNumber: Int
    pageCount: Int


@operation(result=Int)
class getGroupRecipientsCount(Struct):
    """Counts the members of a group."""

    groupId: Int


@operation(result=list[t.MessageCategory] | None)
class GetMessageCategory(Struct):
    """Gives a message category by its number, or all of them when none is named."""

    messageCategoryId: String


@operation(result=t.GroupCategory | None)
class GetGroupCategory(Struct):
    """Gives a group category by its number."""

    groupCategoryId: Int


@operation(result=list[t.GroupCategory] | None)
class GetAllGroupCategories(Struct):
    """Lists group categories, those out of use among them."""
