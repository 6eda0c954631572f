"""What becomes of sent mails: kinds of events, classes of bounces, and how much is tracked."""

from __future__ import annotations

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
