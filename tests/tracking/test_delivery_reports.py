"""Delivery reports in the forms of real servers (RFC 3464, RFC 6533)."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tracking.reports import block, plain, report

from soapstone.tracking import mail_parts
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.delivery_reports import read_report
from soapstone.tracking.incoming_mails import classify
from soapstone.tracking.mail_parts import read_mail
from soapstone.tracking.recipient_reports import MOST_RECIPIENTS, DeliveryReport
from soapstone.tracking.report_texts import read_text
from soapstone.vocabulary.tracking import BounceClass, IncomingKind


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
    "gave up, as services say it": (
        block(status="4.4.7", diagnostic="554 4.4.7 too old: <421 4.4.2 slow>"),
        "transient",
        "4.4.7",
    ),
    "gave up without such a code": (block(status="5.4.316", diagnostic="550 5.4.316 expired"), "transient", "5.4.316"),
    "a gateway's code before the server's": (block(diagnostic="5.1.0 - odd 550-'5.2.2 no room'"), "full", "5.2.2"),
    "room, whatever the code": (block(diagnostic="552 mailbox over quota (#5.1.1)"), "full", "5.1.1"),
    "words say more than 5.2.0": (block(diagnostic="550 5.2.0 user unknown"), "user", "5.2.0"),
    "words say more than 5.1.0": (block(diagnostic="550 5.1.0 sender domain listed"), "block", "5.1.0"),
    "words say more than 5.5.0": (block(diagnostic="550 5.5.0 blocked by SPF"), "block", "5.5.0"),
    "a refused recipient": (
        block(status="5.4.1", diagnostic="550 5.4.1 Recipient address rejected: Access denied"),
        "user",
        "5.4.1",
    ),
    "a loop": (block(status="5.4.6", diagnostic="554 5.4.6 Too many hops"), "hard", "5.4.6"),
    "no name server": (block(diagnostic="Host not found, try again"), "transient", ""),
    "given up, 4.0.0 and words without a code": (block(status="4.0.0", diagnostic="no answer"), "transient", ""),
    "words of a resolver": (block(diagnostic="lookup receiver.example: no such host"), "domain", ""),
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


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "deliverable", "delayed"])
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


@pytest.mark.parametrize("other", ["/var/mail/ann", "|/usr/bin/filter ann@elsewhere.example", "@receiver.example"])
def test_a_file_or_command_instead_of_an_address(other: str) -> None:
    """Exim names where it could not deliver to, and the recipient in a field of the mail."""
    status = f"Final-Recipient: rfc822;{other}\nAction: failed\nStatus: 5.0.0\n"
    assert outcome(report(status, head=f"X-Failed-Recipients: {ANN}\n"))[0] == ANN
    assert outcome(report(status, text=f"These failed:\n\n<{ANN}>\n    no room"))[0] == ANN


def test_no_empty_line_between_recipients() -> None:
    status = block(status="5.2.2") + block("bea@receiver.example", status="5.1.1").partition("\n\n")[2]
    read = found(report(status))
    assert [each.bounce.code for each in read.recipients if each.bounce] == ["5.2.2", "5.1.1"]


LINES = st.lists(
    st.sampled_from([b"--cut", b"--cut--", b"--cu", b"--", b"cut", b" ", b"\t", b"\r", b"\n", b"\r\n", b"x"]),
    max_size=30,
)


@given(LINES)
def test_boundaries_are_whole_lines(pieces: list[bytes]) -> None:
    """RFC 2046 5.1.1: the parts are those between the lines that a plain pattern finds."""
    body = b"".join(pieces)
    mark = re.compile(rb"(?:\A|\n)--cut(--)?[ \t]*(?=\r?\n|\r?\Z)")
    expected: list[bytes] = []
    start = None
    for found in mark.finditer(body):
        if start is not None:
            expected.append(body[start : found.start()].removesuffix(b"\r"))
        start = None if found[1] else body.find(b"\n", found.end()) + 1 or len(body)
        if start is None:
            break
        start -= body[start : start + 2] == b"--"
    if start is not None:
        expected.append(body[start:])
    assert mail_parts._split(body, b"cut") == expected[: mail_parts.MOST_PARTS]


@pytest.mark.parametrize("boundary", ['; boundary="other"', ""])
def test_parts_that_cannot_be_told_apart(boundary: str) -> None:
    raw = report(block(status="5.1.1")).replace(b'; boundary="cut"', boundary.encode())
    assert outcome(raw) == (ANN, "user", "5.1.1")
    # Of a person it is an answer about something.
    mail = read_mail(raw.replace(b"Mail System <MAILER-DAEMON@mx.example.net>", b"Ann <ann@receiver.example>"))
    assert read_report(mail) is None


def test_a_report_without_recipients() -> None:
    """Its words and the returned mail tell."""
    raw = report("Reporting-MTA: dns; mx.example.net\n", text="It could not be delivered. The report is lost.")
    assert outcome(raw) == (ANN, "unknown", "")


def test_a_parameter_without_a_semicolon() -> None:
    raw = plain(
        f"These failed: undeliverable\n\n{ANN} [User unknown]\n", head=f"{DAEMON}Content-Type: text/plain charset=x\n"
    )
    assert outcome(raw) == (ANN, "user", "")


DAEMON = "From: MAILER-DAEMON@mx.example.net\n"
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
    "quoted, with codes alone": (
        f'It could not be delivered:\n\n"{ANN}":\nafter RCPT\n5.2.2 <{ANN}>... no room\n',
        DAEMON,
        "full",
        "5.2.2",
    ),
    "a colon after the code": (f"It could not be delivered:\n<{ANN}>:\n550: 5.1.1 nobody\n", DAEMON, "user", "5.1.1"),
    "words before the address": (f"Mailbox is full: <{ANN}>\nUnable to deliver mail.\n", DAEMON, "full", ""),
    "a reply in quotes": (
        f"Delivery has failed to these people:\n\n{ANN}<mailto:{ANN}>\nIt was not found.\n\n{ANN}\n"
        "The server returned '550 5.1.10 not found'\n\nOriginal message headers:\n\nReceived: from a",
        DAEMON,
        "domain",
        "5.1.10",
    ),
    "a list with stars": (f"Delivery to these was aborted after 5 hours:\n\n  * {ANN}\n", DAEMON, "transient", ""),
    "a transcript": (
        f"--- Transcript of session follows ---\n>>> RCPT To:<{ANN}>\n<<< 550 who\n550 <{ANN}>... User unknown\n",
        f"{DAEMON}Subject: Returned mail: User unknown\n",
        "user",
        "550",
    ),
    "other addresses": (
        "From: news@example.com\nFor assistance, contact help@mx.example.net.\nSorry, it was not delivered.\n"
        f"Last try for {ANN}.\n",
        DAEMON,
        "unknown",
        "",
    ),
    "the address in the returned mail": (
        f"421 busy, giving up\n--- Unsent message follows ---\nFrom: a@b.example\nTo: Ann <{ANN}>\n\nHello",
        f"{DAEMON}Subject: Returned mail: not sent for 4 days\n",
        "transient",
        "421",
    ),
    "the empty sender alone": (
        f"The mail could not be delivered to:\n<{ANN}>\n550 5.1.1 no",
        "Return-Path: <>\nFrom: Ann <a@b.example>\n",
        "user",
        "5.1.1",
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


DELAYS = {
    "exim": (
        "It has not yet been delivered to one of its recipients:\n\n  {}\n    busy",
        "Warning: message 1 delayed 24 hours",
    ),
    "a notice": (
        "THIS IS A WARNING MESSAGE ONLY.\nDelivery to this recipient has been delayed:\n\n  {}\n",
        "Notification",
    ),
    "postfix of old": (
        "It could not be delivered for 2 hours.\n\n<{}>: no route to host",
        "Delayed Mail (still being retried)",
    ),
}


@pytest.mark.parametrize("form", DELAYS)
def test_delays_in_text_alone(form: str) -> None:
    text, subject = DELAYS[form]
    mail = read_mail(plain(text.format(ANN), head=f"{DAEMON}Auto-Submitted: auto-replied\nSubject: {subject}\n"))
    classified = classify(mail)
    assert classified.kind is IncomingKind.DELAY
    assert classified.report is not None
    assert [(each.address, each.action, each.bounce) for each in classified.report.recipients] == [
        (ANN, "delayed", None)
    ]


NO_BOUNCES = {
    "an absent person": (
        "Return-Path: <>\nFrom: Ann <ann@receiver.example>\nAuto-Submitted: auto-replied\n",
        "I am away. Mails to this mailbox are not delivered to anybody.",
        IncomingKind.AUTO_REPLY,
    ),
    "a person": (
        "From: Ann <ann@receiver.example>\n",
        "My mail to bea@x.example could not be delivered.",
        IncomingKind.REPLY,
    ),
    "a forwarded bounce": (
        "From: Ann <ann@receiver.example>\nSubject: Fwd: Returned mail\n",
        "> <bea@x.example>\n> 550 5.1.1 User unknown",
        IncomingKind.REPLY,
    ),
    "a server that says something else": (
        DAEMON,
        "The system will be down on Sunday.\nWrite to ann@receiver.example.",
        IncomingKind.REPLY,
    ),
}


@pytest.mark.parametrize("form", NO_BOUNCES)
def test_what_is_no_bounce(form: str) -> None:
    head, text, kind = NO_BOUNCES[form]
    assert classify(read_mail(plain(text, head=head))).kind is kind


def test_several_recipients_in_text_alone() -> None:
    text = f"Could not be delivered:\n\n{ANN} Error 550 5.1.1 nobody\n\nbea@receiver.example Error 552 5.2.2 full\n"
    read = found(plain(text, head=DAEMON))
    assert [(each.address, each.bounce.code) for each in read.recipients if each.bounce] == [
        (ANN, "5.1.1"),
        ("bea@receiver.example", "5.2.2"),
    ]


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
