"""Unsubscribes, complaints and suppression."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import DateTime, Int, Nillable, String, Struct


@operation(result=list[t.recp_unsubscribe] | None)
class getUnsubscribes(Struct):
    """Lists who unsubscribed within a range of dates."""

    user_id: String
    fromDate: DateTime
    toDate: DateTime


@operation(result=list[t.recp_unsubscribe] | None)
class getSpamComplaints(Struct):
    """Lists who complained of spam within a range of dates."""

    user_id: String
    fromDate: DateTime
    toDate: DateTime


@operation(result=t.RecipientSuppressionResult | None)
class uploadSuppressionList(Struct):
    """Shuts channels for a list of people and answers how many were new or changed."""

    suppressionlist: t.RecipientSuppressionList | None


@operation(result=list[t.RecipientExtended] | None)
class getSuppressedRecipientList(Struct):
    """Lists who was suppressed within a range of dates, in one group or in all."""

    group_id: Nillable[Int]
    start_date: DateTime
    end_date: DateTime


@operation(result=list[t.Unsubscribe] | None)
class unsubscribeRecipients(Struct):
    """Unsubscribes recipients and answers what was recorded."""

    unsubscribes: list[t.Unsubscribe] | None
