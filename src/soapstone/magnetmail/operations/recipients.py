"""Recipients: their fields, adding, changing, finding."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import Operation
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


class getRecipientHistory(_Recipient):
    pass


class getRecipientDetails(_Recipient):
    pass


class getRecipientFields(Struct):
    user_id: String


class editRecipientGroups(Struct):
    user_id: String
    recipient_id: Long
    message_id: Int
    new_groups: list[Int] | None
    unsubscribed_groups: list[Int] | None


class editRecipient(_Recipient, _Fields, t.CustomFields):
    pass


class addRecipient(_User, _Fields, t.CustomFields):
    Groups: list[Int] | None


class getSavedSearches(Struct):
    user_id: String
    search_name: String
    loginid: Int


class runSavedSearch(Struct):
    user_id: String
    search_name: String


class getSubscribedRecipients(Struct):
    user_id: String
    startDate: DateTime
    endDate: DateTime
    group_ids: list[Int] | None
    report_type: String


class getRecipientGroups(Struct):
    recipient: t.Recipient | None


class searchForRecipients(Struct):
    criteria: t.RecipientSearchCriteria | None


class GetEnhancedPersonalizedFields(Struct):
    loginId: Double


RECIPIENT_OPERATIONS = (
    Operation(
        getRecipientHistory,
        "Tells what was sent to a recipient, what was clicked, and which forms were filled in.",
        result=t.recipient_history | None,
    ),
    Operation(getRecipientDetails, "Gives a recipient by its number.", result=t.Recipient | None),
    Operation(
        getRecipientFields,
        "Lists the fields of recipients: the label, and the name that upload mappings use.",
        result=list[t.fieldDefn] | None,
    ),
    Operation(
        editRecipientGroups,
        "Puts a recipient into groups and takes it out of others; answers whether that was done.",
        result=Boolean,
    ),
    Operation(
        editRecipient, "Replaces all fields of a recipient; what is left out is cleared.", result=t.saveResult | None
    ),
    Operation(
        addRecipient, "Adds a recipient who is not there yet, and puts it into groups.", result=t.saveResult | None
    ),
    Operation(
        getSavedSearches,
        "Lists the saved searches, by name and by who saved them.",
        result=list[t.MagnetMailQueries] | None,
    ),
    Operation(
        runSavedSearch,
        "Runs a saved search by its name and gives the recipients that it finds.",
        result=list[t.Recipient] | None,
    ),
    Operation(
        getSubscribedRecipients,
        "Lists who subscribed within a range of dates, in some groups or in all.",
        result=list[t.subscription] | None,
    ),
    Operation(getRecipientGroups, "Lists the groups that a recipient is in.", result=list[t.RecipientGroup] | None),
    Operation(
        searchForRecipients, "Finds recipients by example values, page by page.", result=t.RecipientSearchResults | None
    ),
    Operation(
        GetEnhancedPersonalizedFields,
        "Lists the enhanced fields with the names that upload mappings use.",
        result=list[t.ExtendedField] | None,
    ),
)
