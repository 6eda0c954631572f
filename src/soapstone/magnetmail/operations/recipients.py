"""Recipients: their fields, adding, changing, finding."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, DateTime, Double, Int, Long, String, Struct


class _User(Struct, mixin=True):
    user_id: String


class _Recipient(_User, mixin=True):
    recipient_id: Long


class _Fields(Struct, mixin=True):
    email: String
    first_name: String
    last_name: String
    phone: String
    fax: String
    address_1: String
    address_2: String
    city: String
    state: String
    zip: String
    company: String
    text_only: Boolean
    custom_id: String


@operation(result=t.recipient_history | None)
class getRecipientHistory(_Recipient):
    """Tells what was sent to a recipient, what was clicked, and which forms were filled in."""


@operation(result=t.Recipient | None)
class getRecipientDetails(_Recipient):
    """Gives a recipient by its number."""


@operation(result=list[t.fieldDefn] | None)
class getRecipientFields(Struct):
    """Lists the fields of recipients: the label, and the name that upload mappings use."""

    user_id: String


@operation(result=Boolean)
class editRecipientGroups(Struct):
    """Puts a recipient into groups and takes it out of others; answers whether that was done."""

    user_id: String
    recipient_id: Long
    message_id: Int
    new_groups: list[Int] | None
    unsubscribed_groups: list[Int] | None


@operation(result=t.saveResult | None)
class editRecipient(_Recipient, _Fields, t.CustomFields):
    """Replaces all fields of a recipient; what is left out is cleared."""


@operation(result=t.saveResult | None)
class addRecipient(_User, _Fields, t.CustomFields):
    """Adds a recipient who is not there yet, and puts it into groups."""

    Groups: list[Int] | None


@operation(result=list[t.MagnetMailQueries] | None)
class getSavedSearches(Struct):
    """Lists the saved searches, by name and by who saved them."""

    user_id: String
    search_name: String
    loginid: Int


@operation(result=list[t.Recipient] | None)
class runSavedSearch(Struct):
    """Runs a saved search by its name and gives the recipients that it finds."""

    user_id: String
    search_name: String


@operation(result=list[t.subscription] | None)
class getSubscribedRecipients(Struct):
    """Lists who subscribed within a range of dates, in some groups or in all."""

    user_id: String
    startDate: DateTime
    endDate: DateTime
    group_ids: list[Int] | None
    report_type: String


@operation(result=list[t.RecipientGroup] | None)
class getRecipientGroups(Struct):
    """Lists the groups that a recipient is in."""

    recipient: t.Recipient | None


@operation(result=t.RecipientSearchResults | None)
class searchForRecipients(Struct):
    """Finds recipients by example values, page by page."""

    criteria: t.RecipientSearchCriteria | None


@operation(result=list[t.ExtendedField] | None)
class GetEnhancedPersonalizedFields(Struct):
    """Lists the enhanced fields with the names that upload mappings use."""

    loginId: Double
