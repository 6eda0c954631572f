"""Notices: mails that tell the owner how a send went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from soapstone.sending.messages.message import Draft


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A mail that reports on sends; not included in any figures (mm-106).

    It goes out at `due_at`, or `after` some time once all of the sends have ended. Its draft may use NOTICE_KEYS; the
    results are empty until the sends end.
    """

    draft: Draft
    emails: Sequence[str]
    due_at: datetime | None = None
    after: timedelta | None = None


# Merge keys of notices: name and number of the message, number of mails sent, and how the sends ended.
NOTICE_KEYS = ("message", "message_number", "mails", "outcome")
