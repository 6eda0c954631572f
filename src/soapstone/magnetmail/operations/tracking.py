"""What became of messages."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import DateTime, Int, String, Struct


@operation(result=list[t.Links] | None)
class getLinkURLs(Struct):
    """Lists the tracked links of a message with the number of clicks on each."""

    user_id: String
    message_id: Int
    group_id: Int


@operation(result=t.TrackingData | None)
class getOverallTracking(Struct):
    """Gives the totals of a message, for one group or for all."""

    user_id: String
    message_id: Int
    group_id: Int


class _DetailedTracking(Struct, mixin=True):
    user_id: String
    report_type: t.tracking_report_type
    message_id: Int
    page: Int
    recordsPerPage: Int
    group_id: Int
    first_name: String
    last_name: String
    email: String
    fax: String
    fromDate: DateTime
    toDate: DateTime
    CustomParam1: String


@operation(result=t.TrackingDetails | None)
class getDetailedTracking(_DetailedTracking):
    """Lists the recipients of a message by what happened, page by page; dates in the account's zone."""


@operation(result=t.TrackingDetails | None)
class getDetailedTrackingUTC(_DetailedTracking):
    """Lists the recipients of a message by what happened, page by page; dates in UTC."""


@operation(result=t.TrackingData | None)
class getTrackingData(Struct):
    """Gives the same totals of a message as getOverallTracking."""

    user_id: String
    message_id: Int
    group_id: Int


@operation(result=t.MessageLinkTrackingResults | None)
class GetMessageLinkTracking(Struct):
    """Lists the clicks in a message within a range of dates, page by page."""

    criteria: t.MessageLinkTrackingSearchCriteria | None


@operation(result=t.MessageSentTrackingResults | None)
class GetMessageSentTracking(Struct):
    """Lists mails that were sent within a range of dates, with their state, page by page."""

    criteria: t.MessageTrackingSearchCriteria | None


@operation(result=t.MessageOpenTrackingResults | None)
class GetMessageOpenTracking(Struct):
    """Lists opens of mails within a range of dates, page by page."""

    criteria: t.MessageTrackingSearchCriteria | None


@operation(result=t.UnsubscribeTrackingResults | None)
class GetUnsubscribeTracking(Struct):
    """Lists unsubscribes within a range of dates, by message, group or category, page by page."""

    criteria: t.UnsubscribeSearchCriteria | None
