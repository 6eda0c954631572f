#!/bin/sh
# Python's bounced 0.3.0 gives each recipient of a delivery report one `status` of three digits. It is the reply code of
# Diagnostic-Code if that has one (RFC 5321 4.2), else the digits of Status (RFC 3463) without dots, and nothing tells
# which: a full mailbox is 552 by one server and 522 by another, and 550 is any refusal by one, and a protocol error
# (5.5.0) by another. It raises ValueError for a Reporting-MTA that is no "dns", such as nullmailer's x-local-hostname, which
# RFC 3464 2.1.2 allows. A report in UTF-8 (message/global-delivery-status, RFC 6533) is no report to it.
# Compare the first digit alone, and read Status from the block yourself.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check bounced==0.3.0
venv/bin/python - <<'PYTHON'
import email
from importlib.metadata import version

from bounced import get_bounces

REPORT = """\
From: MAILER-DAEMON@mx.example.org
To: news@example.com
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type={type}; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/{type}

Reporting-MTA: {mta}

Final-Recipient: {kind}; full@example.org
Action: failed
Status: {status}
{diagnostic}
--b
Content-Type: text/rfc822-headers

Subject: News

--b--
"""


def status(status, diagnostic="", mta="dns; mx.example.org", type="delivery-status", kind="rfc822"):
    report = REPORT.format(status=status, diagnostic=diagnostic, mta=mta, type=type, kind=kind)
    bounces = get_bounces(email.message_from_string(report))
    return bounces if bounces is None else [each.status for each in bounces]


print("bounced", version("bounced"))
SAID = "Diagnostic-Code: smtp; {}\n"
full = [status("5.2.2"), status("5.2.2", SAID.format("552 5.2.2 Mailbox full"))]
print("full mailbox:", full)
assert full == [["522"], ["552"]], full
meanings = [status("5.5.0"), status("5.7.1", SAID.format("550 5.7.1 Refused")), status("5.1.1", SAID.format("550 Unknown"))]
print("protocol error, policy, unknown address:", meanings)
assert meanings == [["550"]] * 3, meanings
try:
    status("5.1.1", mta="x-local-hostname; mx.example.org")
except ValueError as error:
    print("ValueError:", error)
else:
    raise AssertionError("x-local-hostname is read")
utf8 = status("5.1.1", type="global-delivery-status", kind="utf-8")
print("message/global-delivery-status:", utf8)
assert utf8 is None
PYTHON
