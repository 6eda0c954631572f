"""What became of messages."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import DateTime, Int, String, Struct


class getLinkURLs(Struct):
    user_id: String
    message_id: Int
    group_id: Int


class getOverallTracking(Struct):
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


class getDetailedTracking(_DetailedTracking):
    pass


class getDetailedTrackingUTC(_DetailedTracking):
    pass


class getTrackingData(Struct):
    user_id: String
    message_id: Int
    group_id: Int


class GetMessageLinkTracking(Struct):
    criteria: t.MessageLinkTrackingSearchCriteria | None


class GetMessageSentTracking(Struct):
    criteria: t.MessageTrackingSearchCriteria | None


class GetMessageOpenTracking(Struct):
    criteria: t.MessageTrackingSearchCriteria | None


class GetUnsubscribeTracking(Struct):
    criteria: t.UnsubscribeSearchCriteria | None


TRACKING_OPERATIONS = (
    Operation(
        getLinkURLs,
        "Lists the tracked links of a message with the number of clicks on each.",
        result=list[t.Links] | None,
    ),
    Operation(
        getOverallTracking, "Gives the totals of a message, for one group or for all.", result=t.TrackingData | None
    ),
    Operation(
        getDetailedTracking,
        "Lists the recipients of a message by what happened, page by page; dates in the account's zone.",
        result=t.TrackingDetails | None,
    ),
    Operation(
        getDetailedTrackingUTC,
        "Lists the recipients of a message by what happened, page by page; dates in UTC.",
        result=t.TrackingDetails | None,
    ),
    Operation(
        getTrackingData, "Gives the same totals of a message as getOverallTracking.", result=t.TrackingData | None
    ),
    Operation(
        GetMessageLinkTracking,
        "Lists the clicks in a message within a range of dates, page by page.",
        result=t.MessageLinkTrackingResults | None,
    ),
    Operation(
        GetMessageSentTracking,
        "Lists mails that were sent within a range of dates, with their state, page by page.",
        result=t.MessageSentTrackingResults | None,
    ),
    Operation(
        GetMessageOpenTracking,
        "Lists opens of mails within a range of dates, page by page.",
        result=t.MessageOpenTrackingResults | None,
    ),
    Operation(
        GetUnsubscribeTracking,
        "Lists unsubscribes within a range of dates, by message, group or category, page by page.",
        result=t.UnsubscribeTrackingResults | None,
    ),
)
