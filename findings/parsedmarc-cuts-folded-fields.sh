#!/bin/sh
# parsedmarc 11.1.0 reads a field of a failure report (RFC 6591) up to the end of its first line. Fields may be folded (RFC
# 5322 2.2.3), and Authentication-Results mostly is: nothing is left of it but the name of the server, and which check
# failed is lost. A time with a zone by name, "EDT" (RFC 5322 4.3), is taken for UTC: four hours off. And a complaint, a
# report of the type abuse, counts as a failure report, too.
# Unfold the fields before parsedmarc reads a mail, and take complaints out.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check parsedmarc==11.1.0
"$work/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import parsedmarc

print("parsedmarc", version("parsedmarc"))


def read(results, zone, kind="auth-failure"):
    mail = f"""From: reports@example.net
To: dmarc@example.com
Subject: A report
Date: Sat, 8 Mar 2025 15:00:00 -0400
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

A report.

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Reporter/1
Version: 1
Original-Mail-From: <news@example.com>
Arrival-Date: Sat, 8 Mar 2025 14:00:00 {zone}
Source-IP: 192.0.2.1
Authentication-Results: {results}
Reported-Domain: example.com
Auth-Failure: dmarc
Delivery-Result: reject

--b
Content-Type: text/rfc822-headers

From: news@example.com
Subject: News
Date: Sat, 8 Mar 2025 14:00:00 -0400

--b--
"""
    found = parsedmarc.parse_report_email(mail, offline=True)
    report = found["report"]
    print(found["report_type"], report["feedback_type"], report["authentication_results"], report["arrival_date_utc"])
    return report["authentication_results"], report["arrival_date_utc"], found["report_type"]


whole = "mx.example.net; dkim=fail header.d=example.com"
assert read(whole, "-0400") == (whole, "2025-03-08 18:00:00", "failure")
assert read(whole.replace("; ", ";\n "), "EDT") == ("mx.example.net;", "2025-03-08 14:00:00", "failure")
assert read(whole, "-0400", "abuse")[2] == "failure"
PYTHON
