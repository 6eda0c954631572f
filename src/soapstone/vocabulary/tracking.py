"""What becomes of sent mails: kinds of events, classes of bounces, and how much is tracked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from soapstone.vocabulary.labelled import Labelled


class MailEventKind(Labelled):
    """An event in the life of a sent mail."""

    SENT = "sent", "sent", "The SMTP server accepted the mail, or refused it for good; the file is in the mail folder."
    BOUNCE = "bounce", "bounce", "The mail came back, or the SMTP server refused it for good during the send."
    OPEN = "open", "open", "The recipient loaded the mail's images, or followed a link without images before."
    READ = "read", "read", "The mail stayed open for some seconds."
    CLICK = "click", "click", "The recipient followed a link of the mail."
    MACHINE_OPEN = "machine_open", "machine open", "A program loaded the mail's images. It counts in no report."
    MACHINE_CLICK = "machine_click", "machine click", "A program followed a link. It counts in no report."


class BounceClass(Labelled):
    """The class of a bounce: the reason for which a mail did not arrive."""

    USER = "user", "unknown user", "The mailbox does not exist."
    DOMAIN = "domain", "bad domain", "The domain does not exist, or takes no mail."
    HARD = "hard", "hard bounce", "The address takes no mail, for another reason."
    FULL = "full", "mailbox full", "The mailbox is full."
    SIZE = "size", "too large", "The mail is too large for the receiver."
    BLOCK = "block", "blocked", "The receiver refuses the sender, the server or the mail by a policy."
    CONTENT = "content", "content refused", "The receiver refuses what the mail contains."
    TRANSIENT = "transient", "gave up", "The server refused the mail for now until the time for it was over."
    UNKNOWN = "unknown", "unknown reason", "The report tells no reason."


# Bounces that count toward BounceUnsubscribeCount (lk-39, lk-119).
HARD_BOUNCES = (BounceClass.USER, BounceClass.DOMAIN, BounceClass.HARD)


class TrackingMode(Labelled):
    """How much is recorded of a mail's recipients."""

    FULL = "full", "full", "Opens, reads and clicks are recorded with their recipient."
    FIGURES = "figures", "figures only", "Opens and clicks are counted without their recipient."
    OFF = "off", "off", "Mails have neither tracked links nor a pixel. Bounces and complaints are recorded."


class BounceHandling(Labelled):
    """How a list handles bounces (lk-37)."""

    LEAVE_ALONE = "leave_alone", "leave alone", "Mails name the sender as the address for bounces; nobody is removed."
    STANDARD = "standard", "standard", "Mails name a signed address of this server as the address for bounces."
    AGGRESSIVE = "aggressive", "aggressive", "The address in From is a signed one of this server, too."

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> BounceHandling:
        """Return the handling of a list by its settings; without a policy it is standard."""
        return list(cls)[int(settings.get("bounce_handling", 1))]


class IncomingKind(Labelled):
    """What a mail that came in is."""

    BOUNCE = "bounce", "bounce", "A report that a mail did not arrive."
    DELAY = "delay", "delay", "A report that a mail has not arrived yet."
    SUCCESS = "success", "success", "A report that a mail arrived, or went on to another server."
    COMPLAINT = "complaint", "complaint", "A report that the recipient marked a mail as spam."
    RECEIPT = "receipt", "read receipt", "A report that a mail was shown or deleted."
    AUTO_REPLY = "auto_reply", "automatic reply", "An answer of a program, such as an out-of-office note."
    REPLY = "reply", "reply", "A mail of a person, or of a program that says nothing of itself."


class IncomingOutcome(Labelled):
    """What was made of a mail that came in."""

    RECORDED = "recorded", "recorded", "The bounce or complaint was recorded."
    REPEATED = "repeated", "known already", "The mail that it is about has a bounce or complaint already."
    WAITING = "waiting", "waiting", "The mail is delayed; unless something follows, it counts as given up later."
    NOTHING = "nothing", "counts nothing", "Such a mail says nothing about the recipient's address."
    UNSIGNED = "unsigned", "not signed", "Nothing in it is signed by this server, so it changes nothing."
    EXPIRED = "expired", "too late", "The mail that it is about was sent too long ago."
    NOT_SENT = "not_sent", "not sent", "The mail that it is about was not sent, or is not known any more."
