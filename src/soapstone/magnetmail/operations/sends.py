"""Sending a stored message."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, DateTime, Int, String, Struct


@operation(result=t.EmailToIndividualResult | None)
class sendEmailToIndividual(Struct):
    """Sends a stored message to single recipients, named by address, number or own identifier."""

    user_id: String
    message_id: Int
    html_web_version_link: Boolean
    text_web_version_link: Boolean
    message_subject: String
    message_from: String
    billing_code: String
    billing_initial: String
    recipients: list[String] | None
    recp_type: t.recipient_type


@operation(result=t.EmailToGroupResult | None)
class sendMessageToGroup(Struct):
    """Sends a stored message to groups, now or at a given time, and answers the jobs of the send."""

    user_id: String
    loginid: Int
    message_id: Int
    scheduledDateTime: DateTime
    group_ids: list[Int] | None
    filteredout_groups: list[Int] | None
    test_emails: list[String] | None
    send_type: t.sendType
    faxToFailedEmail_emailToFailedFax: Boolean
    html_web_version_link: Boolean
    text_web_version_link: Boolean
    message_subject: String
    message_from: String
    billing_code: String
    billing_initial: String
    sendDespiteArchived: Boolean
    sendDespiteBadFrom: Boolean
    ignore_dedupe: Boolean
    fax_resolution: t.faxResolution
    Newsletter: t.newsletter
    job_notification: t.sendNotification
    rssPublishType: t.rssType
    MiscArguments: String
