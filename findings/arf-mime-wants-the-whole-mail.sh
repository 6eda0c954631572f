#!/bin/sh
# Python's arf-mime 1.1.0 finds nothing of the mail that a feedback report is about when the report returns its header
# alone, as text/rfc822-headers, which RFC 5965 2 allows beside message/rfc822: the header is None, and serialize_report
# says {}. So the address that the complaint is about, and List-Id or CFBL-Feedback-ID (RFC 9477), are missing. mailbot
# (maildrop) returns the header alone by default.
# A reader of reports looks for both types.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check arf-mime==1.1.0
"$work/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from arf import ARFMessage

print("arf-mime", version("arf-mime"))


def read(kind):
    return ARFMessage(f"""From: feedback@provider.example
To: fbl@example.com
Subject: Complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

A complaint.

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1.0
Version: 1

--b
Content-Type: {kind}

From: news@example.com
CFBL-Feedback-ID: 4x

--b--
""")


for kind in ("message/rfc822", "text/rfc822-headers"):
    print(f"{kind}:", read(kind).serialize_report()["OriginalMessageHeaders"])
assert dict(read("message/rfc822").get_original_message_headers())["CFBL-Feedback-ID"] == "4x"
assert read("text/rfc822-headers").get_original_message_headers() is None
assert read("text/rfc822-headers").get_feedback_report().get_feedback_type() == "abuse"
PYTHON
