"""Delivery reports in the forms of real servers, in words of our own."""

from __future__ import annotations

VERP = "b+aaaa@bounce.example.com"
RETURNED = """\
Return-Path: <b+aaaa@bounce.example.com>
From: News <news@example.com>
To: ann@receiver.example
Subject: Spring
Message-ID: <x.1@example.com>

Hello.
"""


def report(
    status: str,
    *,
    text: str = "The mail did not arrive.",
    top: str = "multipart/report; report-type=delivery-status",
    kind: str = "message/delivery-status",
    returned: str = "message/rfc822",
    head: str = "",
    to: str = VERP,
) -> bytes:
    """A report whose status part is `status`; blocks are separated by empty lines."""
    return f"""\
From: Mail System <MAILER-DAEMON@mx.example.net>
To: {to}
Subject: Your mail came back
Message-ID: <r1@mx.example.net>
{head}MIME-Version: 1.0
Content-Type: {top}; boundary="cut"

--cut
Content-Type: text/plain; charset=us-ascii

{text}

--cut
Content-Type: {kind}

{status}
--cut
Content-Type: {returned}

{RETURNED}
--cut--
""".encode()


def block(
    address: str = "ann@receiver.example", action: str = "failed", status: str = "5.0.0", diagnostic: str = ""
) -> str:
    """A status part about one recipient."""
    return (
        "Reporting-MTA: dns; mx.example.net\n\n"
        f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n"
        + (f"Diagnostic-Code: smtp; {diagnostic}\n" if diagnostic else "")
    )


def plain(text: str, *, head: str = "From: MAILER-DAEMON <>\n") -> bytes:
    """A bounce that is text alone."""
    return f"{head}To: {VERP}\nSubject: came back\n\n{text}\n".encode()


def complaint(
    *, feedback: str = "abuse", fields: str = "", returned: str = RETURNED, kind: str = "message/rfc822"
) -> bytes:
    """A complaint as RFC 5965 has it."""
    return f"""\
From: <feedback@provider.example>
To: <fbl@bounce.example.com>
Subject: complaint
Message-ID: <c1@provider.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="cut"

--cut
Content-Type: text/plain

A complaint.

--cut
Content-Type: message/feedback-report

Feedback-Type: {feedback}
User-Agent: Provider/1.0
Version: 1
{fields}
--cut
Content-Type: {kind}

{returned}
--cut--
""".encode()
