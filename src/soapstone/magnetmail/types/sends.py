"""Sending a stored message."""

from soapstone.magnetmail.types.errors import Error
from soapstone.wire.types import AnyType, Boolean, DateTime, Double, Enumeration, Int, Nillable, String, Struct


class recipient_type(Enumeration):
    """What the strings that name recipients are; a missing one counts as `email` (mm-6)."""

    email = "email"
    fax = "fax"
    recipient_id = "recipient_id"
    custom_id = "custom_id"


class sendType(Enumeration):
    """The channels of a send, and which one comes first."""

    EmailOnly = "EmailOnly"
    FaxOnly = "FaxOnly"
    EmailFaxPriorityEmail = "EmailFaxPriorityEmail"
    EmailFaxPriorityFax = "EmailFaxPriorityFax"


class faxResolution(Enumeration):
    """How finely a fax is drawn."""

    standard = "standard"
    fine = "fine"


class rssType(Enumeration):
    """Whether a send also appears in feeds."""

    noRSS = "noRSS"
    RSSToSelectedGroups = "RSSToSelectedGroups"
    RSSOnly = "RSSOnly"


class newsletter(Struct):
    """Whether and how a send is kept as a newsletter. Always there on the wire."""

    newsletter_archive: Boolean
    newsletter_name: String
    newsletter_publish_date: DateTime


class sendNotification(Struct):
    """Mails to the sender before the start and after the end. Always there on the wire."""

    send_notification: Boolean
    send_notification_from: String
    send_notification_to: String
    send_notification_when: Int
    complete_notification: Boolean
    send_complete_notification_from: String
    send_complete_notification_to: String
    send_complete_notification_when: Int


class EmailToIndividualResult(Struct):
    """What became of a send to single recipients."""

    emails_sent: Nillable[Double]
    error: Nillable[Double]
    errorObj: Error | None
    msg: String
    suppressed_emails: String


class EmailToGroupResult(Struct):
    """The jobs of a send to groups; each id is a value that names its own type."""

    email_job_ids: list[AnyType] | None
    error: Nillable[Double]
    errorObj: Error | None
    fax_job_ids: list[AnyType] | None
    msg: String
