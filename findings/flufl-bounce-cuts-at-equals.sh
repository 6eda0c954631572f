#!/bin/sh
# flufl.bounce 6.0.0, which Mailman 3 reads bounces with, cuts an address at "=": a report about ann=work@example.org
# names "ann" as the one who failed, without a domain. "=" is an ordinary letter of a local part (atext, RFC
# 5322 3.2.3), and rewritten senders (VERP, SRS, BATV) have it always. Take the recipient of a bounce from the signed
# envelope address that it came to, and not from such a reader.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check flufl.bounce==6.0.0
"$work/venv/bin/python" - <<'PYTHON'
from email import message_from_string
from importlib.metadata import version

from flufl.bounce import all_failures

print("flufl.bounce", version("flufl.bounce"))


def failures(address):
    report = f"""From: MAILER-DAEMON@mx.example.net
To: news@example.com
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

It did not arrive.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1

--b--
"""
    return [sorted(map(bytes.decode, found)) for found in all_failures(message_from_string(report))]


for address in ("ann@example.org", "ann+work@example.org", "ann=work@example.org"):
    print(address, "->", *failures(address))
assert failures("ann+work@example.org") == [[], ["ann+work@example.org"]]
assert failures("ann=work@example.org") == [[], ["ann"]]
PYTHON
