#!/bin/sh
# BounceClassifier 0.3.3 for Python has one pattern for dead addresses, written over many lines with the tabs of its source
# in it: each alternative that begins a line wants six tabs in the diagnostic text. So "User unknown", "No such user" and
# "No such mailbox" are unclassified, and "account disabled", which stands on the first line, is a dead address. The list
# of refusals is alike. The address comes with the blank behind "rfc822;".
# Go by the status, 5.1.1, which RFC 3463 3.2 defines, before any words.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check BounceClassifier==0.3.3
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

from BounceClassifier.bounce_classifier import Bounce_classifier

REPORT = """\
Final-Recipient: rfc822; no@example.org
Action: failed
Status: {}
Diagnostic-Code: smtp; 550 {} {}
"""
SEEN = {
    ("5.1.1", "User unknown"): "unclassified",
    ("5.1.1", "No such user here"): "unclassified",
    ("5.1.1", "No such mailbox"): "unclassified",
    ("5.2.1", "Account disabled"): "deadrcpt",
    ("5.1.1", "Invalid recipient"): "deadrcpt",
    ("5.7.0", "Message refused"): "unclassified",
    ("5.2.2", "Quota exceeded"): "fullbox",
}
print("BounceClassifier", version("BounceClassifier"))
for (status, words), kind in SEEN.items():
    report = Bounce_classifier(REPORT.format(status, status, words))
    found = report.diagonostic_code()[1]
    print(f"{status} {words}: {found}, {report.recipient_email()!r}")
    assert found == kind, kind
    assert report.recipient_email() == " no@example.org"
PYTHON
