"""What became of a message: totals, links, one row per recipient."""

from soapstone.magnetmail.types.groups import JobToGroup
from soapstone.magnetmail.types.recipients import Recipient
from soapstone.wire.types import DateTime, Enumeration, Int, Long, String, Struct


class tracking_report_type(Enumeration):
    """Which recipients or events of a message are asked for."""

    email_sent = "email_sent"
    email_delivered = "email_delivered"
    email_bounced = "email_bounced"
    email_opened = "email_opened"
    unsubscribed = "unsubscribed"
    fax_sent = "fax_sent"
    fax_delivered = "fax_delivered"
    fax_failed = "fax_failed"
    links = "links"
    all = "all"
    fax_all = "fax_all"


class EmailStatus(Enumeration):
    """State of a mail to one recipient."""

    Inprogress = "Inprogress"
    Delivered = "Delivered"
    SB = "SB"
    HB = "HB"
    UNF = "UNF"
    TU = "TU"
    MF = "MF"
    BD = "BD"
    Failed = "Failed"


class FaxStatus(Enumeration):
    """State of a fax to one recipient."""

    Inprogress = "Inprogress"
    Delivered = "Delivered"
    Failed = "Failed"


class TrackingData(Struct):
    """Totals of a message."""

    EmailSent: Int
    EmailDelivered: Int
    EmailOpened: Int
    EmailBounced: Int
    EmailLinksClicked: Int
    WebLinksClicked: Int
    Unsubscribed: Int
    FaxSent: Int
    FaxDelivered: Int
    FaxFailed: Int
    FTFNewEmails: Int
    FTF: Int
    FTFSubscribers: Int
    GroupsEmailSentTo: list[JobToGroup] | None
    GroupsFaxSentTo: list[JobToGroup] | None


class Links(Struct):
    """A link of a message with its clicks."""

    linkid: Int
    link_url: String
    link_text: String
    link_clicks: Int
    link_type: Int
    link_index: Int
    link_label: String


class recp_track(Struct):
    """One recipient or event of a report."""

    recipient: Recipient | None
    ResultDate: DateTime
    remarks: String
    Status: EmailStatus
    OpenDate: DateTime
    MMId: Long
    faxStatus: FaxStatus


class TrackingDetails(Struct):
    """One page of a report with the number of all rows (mm-39)."""

    totalRecords: Int
    page: Int
    recordsPerPage: Int
    RecipientDetails: list[recp_track] | None
