"""Sends and their recipients: purposes, delivery states and skip reasons."""

from __future__ import annotations

from soapstone.vocabulary.labelled import Labelled


class Purpose(Labelled):
    """The purpose of a send."""

    LIST = "list", "list", "The subscribed members of a list."
    FILE = "file", "file", "The people of a supplied file."
    GROUP = "group", "group", "The subscribed members of one of several lists, each mailed once."
    PEOPLE = "people", "people", "Single contacts or addresses."
    TEST = "test", "test", "A test mail, which counts in no figure."
    REVIEW = "review", "review", "The review addresses of a list, before the send itself."
    TRANSACTIONAL = "transactional", "transactional", "One address, on behalf of another program."
    FAILED = "failed", "retry", "The recipients that an earlier send did not reach."
    LETTER = "letter", "system mail", "A confirmation, a welcome or a notice that Soapstone sends by itself."


class DeliveryState(Labelled):
    """The state of a recipient of a send."""

    QUEUED = "chosen", "queued", "The recipient gets the mail, which is not built yet."
    SKIPPED = "skipped", "skipped", "The recipient gets no mail; the skip reason says why."
    BUILT = "built", "built", "The mail is built and waits in the drafts folder."
    SENDING = "handing", "sending", "The mail is taken for sending, or on its way to the SMTP server."
    SENT = "handed", "sent", "The file is in the mail folder, or the SMTP server has accepted the mail."
    DEFERRED = "deferred", "deferred", "The SMTP server refused the mail for now; it is tried again later."
    UNKNOWN = (
        "uncertain",
        "outcome unknown",
        "The connection was lost after the whole mail and before the reply; the same mail is tried once more.",
    )
    FAILED = "failed", "failed", "The mail was refused for good, or is too large with the values of this person."
    BOUNCED = "bounced", "bounced", "The mail was accepted, and came back later."


# A recipient in one of these states did not get the mail.
WITHOUT_MAIL = (DeliveryState.SKIPPED, DeliveryState.FAILED, DeliveryState.BOUNCED)

# A mail in one of these states was sent.
MAILED = (DeliveryState.SENT, DeliveryState.BOUNCED)


class SkipReason(Labelled):
    """Why a recipient is skipped, in the order in which the reasons are looked for."""

    INVALID_ADDRESS = "malformed", "invalid address", "The address is invalid."
    DUPLICATE = "repeated", "duplicate address", "The send has the address already."
    BANNED = "banned", "banned", "The address is banned."
    SUPPRESSED = "suppressed", "suppressed", "The address is suppressed."
    UNSUBSCRIBED = "unsubscribed", "unsubscribed", "The contact has unsubscribed."
    UNCONFIRMED = "waiting", "unconfirmed", "The contact has not confirmed the subscription."
    LEFT = "left", "no longer on the list", "The contact is no longer on the list."
    EXCLUDED = "excluded", "on an excluded list", "The contact is on a list that the send excludes."
    ALREADY_SENT = "had", "already sent", "Another send has the message for the address."
