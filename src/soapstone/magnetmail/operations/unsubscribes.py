"""Unsubscribes, complaints and suppression."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import DateTime, Int, Nillable, String, Struct


class getUnsubscribes(Struct):
    user_id: String
    fromDate: DateTime
    toDate: DateTime


class getSpamComplaints(Struct):
    user_id: String
    fromDate: DateTime
    toDate: DateTime


class uploadSuppressionList(Struct):
    suppressionlist: t.RecipientSuppressionList | None


class getSuppressedRecipientList(Struct):
    group_id: Nillable[Int]
    start_date: DateTime
    end_date: DateTime


class unsubscribeRecipients(Struct):
    unsubscribes: list[t.Unsubscribe] | None


UNSUBSCRIBE_OPERATIONS = (
    Operation(
        getUnsubscribes, "Lists who unsubscribed within a range of dates.", result=list[t.recp_unsubscribe] | None
    ),
    Operation(
        getSpamComplaints,
        "Lists who complained of spam within a range of dates.",
        result=list[t.recp_unsubscribe] | None,
    ),
    Operation(
        uploadSuppressionList,
        "Shuts channels for a list of people and answers how many were new or changed.",
        result=t.RecipientSuppressionResult | None,
    ),
    Operation(
        getSuppressedRecipientList,
        "Lists who was suppressed within a range of dates, in one group or in all.",
        result=list[t.RecipientExtended] | None,
    ),
    Operation(
        unsubscribeRecipients,
        "Unsubscribes recipients and answers what was recorded.",
        result=list[t.Unsubscribe] | None,
    ),
)
