"""What became of a mail to one recipient, in the contract's words (mm-86)."""

from __future__ import annotations

import re

from soapstone.magnetmail.types import MessageSentStatus as Status

# State of a row of the ledger → status; all others are in progress.
_STATES = {
    "handed": Status.Delivered,
    "bounced": Status.HardBounce,
    "failed": Status.Failed,
    "deferred": Status.TemporarilyUnavailable,
}
# Subject and detail of a mail server's reply (RFC 3463) → status of a mail that it refused, for good or for now.
_REFUSALS = {
    "1.1": Status.UserNotFound,
    "1.6": Status.UserNotFound,
    "1.2": Status.BadDomain,
    "1.10": Status.BadDomain,
    "2.2": Status.MailboxFull,
}
_REPLY = re.compile(r"[45][0-9]{2}[ -]+[45]\.([0-9]{1,3}\.[0-9]{1,3})\b")


def sent_status(state: str, reply: str) -> Status:
    """The status of a recipient in this state of the ledger, with the mail server's last reply."""
    status = _STATES.get(state, Status.InProgress)
    if state in ("failed", "deferred") and (match := _REPLY.match(reply)):
        return _REFUSALS.get(match[1], status)
    return status
