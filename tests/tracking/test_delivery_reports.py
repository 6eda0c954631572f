"""Delivery reports in the forms of real servers (RFC 3464, RFC 6533)."""

from __future__ import annotations

import time

import pytest
from tests.tracking.reports import block, plain, report

from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.delivery_reports import read_report
from soapstone.tracking.mail_parts import read_mail
from soapstone.tracking.recipient_reports import MOST_RECIPIENTS, DeliveryReport
from soapstone.tracking.report_texts import read_text
from soapstone.vocabulary.tracking import BounceClass


def found(raw: bytes) -> DeliveryReport:
    mail = read_mail(raw)
    read = read_report(mail) or read_text(mail)
    assert read is not None
    return read


def outcome(raw: bytes) -> tuple[str, str, str]:
    """Address, class and code of a report about one recipient."""
    (each,) = found(raw).recipients
    return each.address, each.bounce.bounce_class if each.bounce else "", each.bounce.code if each.bounce else ""


ANN = "ann@receiver.example"
FORMS = {
    "code of the status": (block(status="5.1.1", diagnostic="550 5.1.1 nobody here"), "user", "5.1.1"),
    "code inside the diagnostic": (block(diagnostic="552 5.2.2 no room"), "full", "5.2.2"),
    "folded diagnostic": (block(diagnostic="550-5.1.1 first\n 550 5.1.1 second"), "user", "5.1.1"),
    "lines that are not folded": (block(diagnostic="550-5.7.1 first\n550 5.7.1 second"), "block", "5.7.1"),
    "bare reply": (block(diagnostic="550 No such person"), "user", "550"),
    "bare reply without a reason": (block(diagnostic="550 No"), "hard", "550"),
    "codes that contradict": (block(diagnostic="550 4.4.2 odd"), "hard", "550"),
    "contradicting status": (block(status="4.4.2", diagnostic="550 odd"), "hard", "550"),
    "given up, own code": (block(status="4.4.7", diagnostic="450 4.2.1 busy"), "transient", "4.2.1"),
    "given up, 4 made 5": (block(status="5.2.1", diagnostic="450 busy"), "transient", "4.2.1"),
    "given up, 5.0.0": (block(diagnostic="450 4.2.1 busy: time for retries is over"), "transient", "4.2.1"),
    "never reached": (block(status="4.4.1", diagnostic="connect to mx: Connection refused"), "transient", "4.4.1"),
    "no such domain": (block(status="5.4.4"), "domain", "5.4.4"),
    "comment in the status": (block(status="5.1.2 (550 all of them tried)"), "domain", "5.1.2"),
    "sender refused": (block(status="5.1.8", diagnostic="550 5.1.8 sender"), "block", "5.1.8"),
    "policy hides an unknown user": (block(status="5.7.1", diagnostic="550 5.7.1 user unknown"), "user", "5.7.1"),
    "last word is a delay": (block(action="delayed", status="4.4.7"), "transient", "4.4.7"),
    "no Action": ("Final-Recipient: rfc822;ann@receiver.example\n", "unknown", ""),
    "a local program's code": (
        block(status="4.4.7") + "Diagnostic-Code: X-Unix; 75\n",
        "transient",
        "4.4.7",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form(form: str) -> None:
    status, bounce_class, code = FORMS[form]
    assert outcome(report(status)) == (ANN, bounce_class, code)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "delayed"])
def test_these_are_no_bounces(action: str) -> None:
    (each,) = found(report(block(action=action, status="2.0.0"))).recipients
    assert (each.action, each.bounce) == (action, None)


@pytest.mark.parametrize(
    ("top", "returned"), [("multipart/mixed", "text/rfc822-headers"), ("multipart/report", "message/global")]
)
def test_words_in_the_text_alone(top: str, returned: str) -> None:
    """OpenSMTPD has no Diagnostic-Code, and puts its report into multipart/mixed."""
    text = "These failed:\n\nann@receiver.example: 550-5.1.1 first\n    550 5.1.1 second"
    raw = report(block(), text=text, top=top, returned=returned)
    assert outcome(raw) == (ANN, "user", "5.1.1")


def test_words_of_exim_about_an_address_that_was_forwarded() -> None:
    forwarded = f"  gone@other.example\n    (generated from {ANN})\n    Mailing is not supported\n"
    text = f"A message could not be delivered:\n\n{forwarded}"
    (each,) = found(report(block(), text=text)).recipients
    assert each.bounce is not None
    assert each.bounce.detail == "Mailing is not supported"


def test_words_of_exim() -> None:
    text = "These failed:\n\n  ann@receiver.example\n    mailbox is full: retry timeout exceeded"
    assert outcome(report(block(), text=text)) == (ANN, "full", "")
    text = "These failed:\n\n  ann@receiver.example\n    retry timeout exceeded"
    assert outcome(report(block(), text=text)) == (ANN, "transient", "")


@pytest.mark.parametrize("recipient", ["utf-8; jürgen@receiver.example", r"utf-8; j\x{FC}rgen@receiver.example"])
def test_other_letters(recipient: str) -> None:
    """RFC 6533 3"""
    status = f"Final-Recipient: {recipient}\nAction: failed\nStatus: 5.1.1\n"
    raw = report(status, kind="message/global-delivery-status")
    assert outcome(raw) == ("jürgen@receiver.example", "user", "5.1.1")


def test_encoded_status_and_line_ends() -> None:
    raw = report(block(status="5.1.1")).replace(b"\n", b"\r\n")
    assert outcome(raw) == (ANN, "user", "5.1.1")
    encoded = report("").replace(
        b"Content-Type: message/delivery-status\n\n",
        b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
        b"RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFubkByZWNlaXZlci5leGFtcGxlCkFjdGlvbjogZmFp\nbGVkClN0YXR1czogNS4xLjEK\n",
    )
    assert outcome(encoded) == (ANN, "user", "5.1.1")


def test_several_recipients() -> None:
    status = block("list@receiver.example", "expanded", "2.0.0") + "\n" + block("bea@elsewhere.example", "failed")
    read = found(report(status))
    assert [each.address for each in read.recipients] == ["list@receiver.example", "bea@elsewhere.example"]
    # The mail to the list went on, whoever got it from there.
    about = read.about("LIST@receiver.example")
    assert about is not None
    assert about.bounce is None
    about = read.about("old@receiver.example")
    assert about is not None
    assert about.address == "bea@elsewhere.example"


def test_original_recipient_wins() -> None:
    status = "Original-Recipient: rfc822;Ann@example.org\nFinal-Recipient: rfc822; x@y.example\nAction: failed\n"
    about = found(report(status)).about("ann@example.org")
    assert about is not None
    assert about.original_address == "Ann@example.org"


TEXTS = {
    "dma": (
        "There was an error delivering your mail to <ann@receiver.example>.\n\nmx did not like our RCPT TO:\n"
        "550-5.1.1 first\n550 5.1.1 second\n\nMessage headers follow.\n\nFrom: <other@example.com>",
        "From: MAILER-DAEMON <>\nX-Original-To: <ann@receiver.example>\n",
        "user",
        "5.1.1",
    ),
    "qmail": (
        "Hello. This is the mail program.\nI'm afraid I wasn't able to deliver your message to the following "
        "addresses.\nGood bye.\n\n<ann@receiver.example>:\n192.0.2.1 does not like recipient.\n"
        "Remote host said: 550 5.1.1 unknown\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <a@b.c>",
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\n",
        "user",
        "5.1.1",
    ),
    "exim of old": (
        "This was made automatically.\nThe following address(es) failed:\n\n  ann@receiver.example\n"
        "    user unknown\n\n------ This is a copy of the message, including all the headers. ------\n",
        "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nAuto-Submitted: auto-replied\n"
        "X-Failed-Recipients: ann@receiver.example\n",
        "user",
        "",
    ),
    "sendmail of old": (
        "   ----- The following addresses had permanent fatal errors -----\n<ann@receiver.example>\n\n"
        "   ----- Transcript of session follows -----\n... while talking to mx:\n>>> RCPT To:<ann@receiver.example>\n"
        "<<< 550 5.1.1 who is that\n",
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>\n",
        "user",
        "5.1.1",
    ),
}


@pytest.mark.parametrize("form", TEXTS)
def test_text_alone(form: str) -> None:
    text, head, bounce_class, code = TEXTS[form]
    assert outcome(plain(text, head=head)) == (ANN, bounce_class, code)


def test_a_text_without_an_address() -> None:
    """The signed address, to which it came, still says whose mail it was."""
    (each,) = found(plain("Your mail could not be delivered to one or more recipients.\n550 5.1.1 no")).recipients
    assert each.address == ""
    assert each.bounce is not None
    assert each.bounce.code == "5.1.1"


def test_people_are_no_servers() -> None:
    text = "Your colleague says your mail could not be delivered to all of us: ann@receiver.example"
    mail = read_mail(plain(text, head="From: Ann <ann@receiver.example>\n"))
    assert read_report(mail) is None
    assert read_text(mail) is None


def test_many_recipients_deep_nesting_and_size() -> None:
    many = "\n".join(f"Final-Recipient: rfc822; a{n}@b.example\nAction: failed\n" for n in range(10_000))
    started = time.process_time()
    assert len(found(report(many)).recipients) == MOST_RECIPIENTS
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1000))
    mail = read_mail(nested + report(block()) + b"x" * 10_000_000)
    assert len(mail.parts) == 1
    assert read_report(mail) is None
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("reply", "bounce_class", "reason"),
    [
        ("550 5.1.1 x", BounceClass.USER, "Invalid Address"),
        ("552 5.2.2 x", BounceClass.FULL, "Mailbox Full"),
        ("452 4.2.2 x", BounceClass.FULL, "Mailbox Full"),
        ("552 5.3.4 x", BounceClass.SIZE, "Message Too Large"),
        ("554 5.7.1 looks like spam", BounceClass.BLOCK, "Spam Block"),
        ("550 5.7.26 looks like spam", BounceClass.BLOCK, "Spam Block"),
        ("550 5.7.1 relay access denied", BounceClass.BLOCK, "Relay Denied"),
        ("550 5.7.1 no", BounceClass.BLOCK, "General Mail Block"),
        ("554 5.6.1 attachment", BounceClass.CONTENT, "Attachment Detected"),
        ("554 5.6.0 no", BounceClass.CONTENT, "General Soft Bounce"),
        ("451 4.3.0 no", BounceClass.TRANSIENT, "Transient Failure"),
        ("550 5.1.2 no", BounceClass.DOMAIN, "DNS Failure"),
        ("550 5.1.4 no", BounceClass.HARD, "General Hard Bounce"),
        ("550 the software 4.94.2 refused", BounceClass.HARD, "General Hard Bounce"),
        ("no words at all", BounceClass.UNKNOWN, "General Bounce"),
    ],
)
def test_classes_and_reasons(reply: str, bounce_class: BounceClass, reason: str) -> None:
    """lk-111"""
    bounce = of_reply(reply)
    assert (bounce.bounce_class, bounce.reason) == (bounce_class, reason)
