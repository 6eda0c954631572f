"""Complaints of recipients as mailbox providers report them (RFC 5965, Abuse Reporting Format)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from soapstone.tracking.mail_parts import Header, IncomingMail, read_header, split_header

FEEDBACK_TYPE = "message/feedback-report"
RETURNED_TYPES = ("message/rfc822", "message/global", "message/rfc822-headers", "text/rfc822-headers")
# Reports of these types say nothing of the recipient's wish: one takes a complaint back (RFC 6430), the other is a
# program's, about a signature or a policy (RFC 6591).
NO_COMPLAINT = ("not-spam", "auth-failure")
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class ComplaintReport:
    """A complaint: its Feedback-Type in lower case, and who reports it, as far as the report says."""

    feedback_type: str
    provider: str
    fields: Header

    @property
    def is_complaint(self) -> bool:
        """Whether the recipient complains; False for reports that a mail is no spam, and for those of DMARC."""
        return self.feedback_type not in NO_COMPLAINT


def read_complaint(mail: IncomingMail) -> ComplaintReport | None:
    """Read a complaint; None if the mail is none."""
    part = next(mail.of_type(FEEDBACK_TYPE), None)
    if part is None:
        return None
    fields = read_header(part.text)
    provider = fields.get("reporting-mta").rpartition(";")[2].strip() or mail.header.get("from").rpartition("@")[2]
    return ComplaintReport(
        feedback_type=fields.get("feedback-type").lower()[:_LONGEST_NAME] or "abuse",
        provider=provider.strip("<> \t\"'")[:_LONGEST_NAME],
        fields=fields,
    )


def returned_headers(mail: IncomingMail) -> Iterator[Header]:
    """Yield the headers of the mails that a report returns, whole or as headers alone."""
    for part in mail.of_type(*RETURNED_TYPES):
        yield split_header(part.body)[0]
