"""The status of a mail to one recipient, in the contract's words (mm-86)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from soapstone.magnetmail.types import MessageSentStatus as Status
from soapstone.vocabulary.deliveries import DeliveryState

# State of a row of the ledger → status.
STATES: Mapping[str, Status] = {
    **dict.fromkeys(DeliveryState, Status.InProgress),
    DeliveryState.SENT: Status.Delivered,
    DeliveryState.BOUNCED: Status.HardBounce,
    DeliveryState.FAILED: Status.Failed,
    DeliveryState.DEFERRED: Status.TemporarilyUnavailable,
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
    """Return the status of a recipient in this state of the ledger, with the mail server's last reply."""
    status = STATES[state]
    if state in (DeliveryState.FAILED, DeliveryState.DEFERRED) and (match := _REPLY.match(reply)):
        return _REFUSALS.get(match[1], status)
    return status
