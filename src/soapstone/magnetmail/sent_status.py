"""The status of a mail to one recipient, in the contract's words (mm-86, mm-110)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from soapstone.magnetmail.types import EmailStatus
from soapstone.magnetmail.types import MessageSentStatus as Status
from soapstone.tracking.bounce_classes import of_reply
from soapstone.vocabulary.deliveries import DeliveryState
from soapstone.vocabulary.tracking import BounceClass

# State of a row of the ledger → status of a mail that has not come back.
STATES: Mapping[str, Status] = {
    **dict.fromkeys(DeliveryState, Status.InProgress),
    DeliveryState.SENT: Status.Delivered,
    DeliveryState.BOUNCED: Status.SoftBounce,
    DeliveryState.FAILED: Status.Failed,
    DeliveryState.DEFERRED: Status.TemporarilyUnavailable,
}
# Class of a bounce → status (mm-110).
BOUNCES: Mapping[BounceClass, Status] = {
    BounceClass.USER: Status.UserNotFound,
    BounceClass.DOMAIN: Status.BadDomain,
    BounceClass.HARD: Status.HardBounce,
    BounceClass.FULL: Status.MailboxFull,
    BounceClass.TRANSIENT: Status.TemporarilyUnavailable,
    BounceClass.SIZE: Status.SoftBounce,
    BounceClass.BLOCK: Status.SoftBounce,
    BounceClass.CONTENT: Status.SoftBounce,
    BounceClass.UNKNOWN: Status.SoftBounce,
}
# Status → its short form in reports of a message (mm-110).
SHORT: Mapping[Status, EmailStatus] = {
    Status.InProgress: EmailStatus.Inprogress,
    Status.Delivered: EmailStatus.Delivered,
    Status.SoftBounce: EmailStatus.SB,
    Status.HardBounce: EmailStatus.HB,
    Status.UserNotFound: EmailStatus.UNF,
    Status.TemporarilyUnavailable: EmailStatus.TU,
    Status.MailboxFull: EmailStatus.MF,
    Status.BadDomain: EmailStatus.BD,
    Status.Failed: EmailStatus.Failed,
}
_REPLY = re.compile(r"[45][0-9]{2}(?![0-9])")


def sent_status(state: str, reply: str, bounce_class: BounceClass | None = None) -> Status:
    """Return the status of a recipient in this state of the ledger, with the mail server's last reply.

    `bounce_class` is that of the mail's bounce, if it came back or was refused for good. A mail that was never built
    has failed.
    """
    if bounce_class is not None:
        return BOUNCES[bounce_class]
    if state in (DeliveryState.FAILED, DeliveryState.DEFERRED) and _REPLY.match(reply):
        return BOUNCES[of_reply(reply).bounce_class]
    return STATES[state]


def event_status(bounce_class: BounceClass | None) -> Status:
    """Return the status of a mail that was sent, so that it has arrived unless there is a bounce."""
    return Status.Delivered if bounce_class is None else BOUNCES[bounce_class]
