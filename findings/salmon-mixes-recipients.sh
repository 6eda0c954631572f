#!/bin/sh
# salmon-mail 3.3.0, a mail server in Python, reads one recipient of a delivery report, though RFC 3464 2.3 has as many as
# failed. Of a report about two it gives a mixture, another one in each process: the address of one with the status of
# the other, such as a full mailbox as a hard bounce. And a report that a mail arrived, or is late, is a soft bounce by
# is_bounce and is_soft; only the attribute action tells.
# Read such reports block by block, and ask for Action: failed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check salmon-mail==3.3.0 2>"$work/log" || { cat "$work/log"; exit 1; }
cat >"$work/read.py" <<'PYTHON'
import sys
from importlib.metadata import version

from salmon.mail import MailRequest

ANN = ("ann@example.org", "failed", "5.1.1", "550 5.1.1 No such person")
BOB = ("bob@example.org", "failed", "4.2.2", "452 4.2.2 No room")
CY = ("cy@example.org", "delayed", "4.2.1", "450 4.2.1 Busy")
DAN = ("dan@example.org", "delivered", "2.0.0", "250 Ok")


def read(*recipients):
    """Return what salmon says: whether it is a bounce, of whom, whether hard or soft, code and action."""
    blocks = "\n".join(
        f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {reply}\n"
        for address, action, status, reply in recipients
    )
    mail = MailRequest(
        "localhost",
        "",
        "news@example.com",
        f"""From: MAILER-DAEMON@mx.example.net
To: news@example.com
Subject: Delivery report
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

See below.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

{blocks}
--b
Content-Type: message/rfc822

From: news@example.com
Message-ID: <1@example.com>

News
--b--
""",
    )
    is_bounce, bounce = mail.is_bounce(), mail.bounce
    kind = "hard" if bounce.is_hard() else "soft" if bounce.is_soft() else ""
    said = is_bounce, bounce.final_recipient, kind, bounce.diagnostic_codes[0], bounce.action
    print(*(f"{address} {action} {status}," for address, action, status, _ in recipients), "says", *said)
    return said


if sys.argv[1:] == ["two"]:
    read(BOB, ANN)
else:
    print("salmon-mail", version("salmon-mail"))
    assert read(ANN) == (True, "ann@example.org", "hard", "550", "failed")
    assert read(BOB) == (True, "bob@example.org", "soft", "452", "failed")
    assert read(CY) == (True, "cy@example.org", "soft", "450", "delayed")
    assert read(DAN) == (True, "dan@example.org", "soft", "250", "delivered")
PYTHON
"$work/venv/bin/python" "$work/read.py"
# The order in a set is that of this number.
for seed in 0 1 2 3 4 5 6 7 8 9 10 11; do
    PYTHONHASHSEED=$seed "$work/venv/bin/python" "$work/read.py" two
done | sort | uniq -c | tee "$work/found"
[ "$(wc -l <"$work/found")" -gt 1 ]
grep -q 'says True bob@example.org hard' "$work/found"
