"""What a reply of an SMTP server means: one table, stage × reply → verdict (RFC 5321 3.8, 4.2.1, 4.5.4.1).

The stage of a reply decides what it is about. Up to MAIL a server speaks of the connection, of the client or of the
sender, so the mail that happens to be next is not to blame. From RCPT on it speaks of this mail. Within a stage the
first digit decides, as RFC 5321 4.2.1 asks: servers answer 252 to RCPT and 200 after the content, too.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Stage(StrEnum):
    """Which reply was awaited."""

    # The greeting, EHLO and STARTTLS.
    GREETING = "greeting"
    LOGIN = "login"
    # Before the next mail, where the one before was refused.
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    # The reply to the whole mail.
    CONTENT = "content"


class Verdict(StrEnum):
    """What follows from a reply."""

    # The dialogue goes on. After the content: the server has taken the mail.
    ACCEPTED = "accepted"
    # This mail is refused for now, and tried again later.
    DEFERRED = "deferred"
    # This mail is refused for good.
    FAILED = "failed"
    # The server has the whole mail and did not say what it does with it.
    UNKNOWN = "unknown"
    # The server does not serve this connection now. The mail was not offered, or not heard of.
    BUSY = "busy"
    # The server refuses this mail's sender, or everything: the next mail to another recipient shows which.
    REFUSES_SENDER = "refuses sender"
    # The server takes nothing from us until somebody changes our settings, or its own.
    REFUSES_WORK = "refuses work"


# The verdicts that leave a mail as it was.
UNTOUCHED = frozenset({Verdict.BUSY, Verdict.REFUSES_SENDER, Verdict.REFUSES_WORK})

_V = Verdict
#                    2xx          3xx          4xx          5xx                lost, or no SMTP
_TABLE = {
    Stage.GREETING: (_V.ACCEPTED, _V.BUSY, _V.BUSY, _V.BUSY, _V.BUSY),
    Stage.LOGIN: (_V.ACCEPTED, _V.BUSY, _V.BUSY, _V.REFUSES_WORK, _V.BUSY),
    Stage.RSET: (_V.ACCEPTED, _V.BUSY, _V.BUSY, _V.BUSY, _V.BUSY),
    Stage.MAIL: (_V.ACCEPTED, _V.BUSY, _V.BUSY, _V.REFUSES_SENDER, _V.BUSY),
    Stage.RCPT: (_V.ACCEPTED, _V.DEFERRED, _V.DEFERRED, _V.FAILED, _V.DEFERRED),
    Stage.DATA: (_V.DEFERRED, _V.ACCEPTED, _V.DEFERRED, _V.FAILED, _V.DEFERRED),
    Stage.CONTENT: (_V.ACCEPTED, _V.UNKNOWN, _V.DEFERRED, _V.FAILED, _V.UNKNOWN),
}
# A login, another mechanism or TLS is missing (RFC 4954 6, RFC 3207 4). Servers say so at any stage.
_LOGIN_WANTED = frozenset({530, 535, 538})
# What MAIL can say of one mail: that it is too large (RFC 1870 6.1, RFC 3463 3.3 and 3.4; some servers answer 534), or
# that its addresses need what the server lacks (RFC 6531 3.5, RFC 5321 4.1.1.11; MAIL has no other parameter of ours).
_OF_ONE_MAIL = frozenset({534, 552, 555})
_OF_ONE_MAIL_ENHANCED = frozenset({"2.3", "3.4", "6.7"})
# What RCPT can say of the sender (RFC 3463 3.2): postfix and sendmail look at its domain only then.
_OF_SENDER = frozenset({"1.7", "1.8"})
_ENHANCED = re.compile(r"[245]\.(\d{1,3}\.\d{1,3})(?!\S)")


def classify(stage: Stage, code: int | None, text: str = "") -> Verdict:
    """Return what a reply means. `code` is None where the connection was lost or the reply was no SMTP.

    `text` is the reply's text, which may begin with an enhanced status code (RFC 2034).
    """
    if code in _LOGIN_WANTED:
        return Verdict.REFUSES_WORK
    found = _ENHANCED.match(text)
    enhanced = found[1] if found else ""
    if stage is Stage.RCPT and enhanced in _OF_SENDER:
        stage = Stage.MAIL
    elif stage is Stage.MAIL and (code in _OF_ONE_MAIL or ((code or 0) >= 500 and enhanced in _OF_ONE_MAIL_ENHANCED)):
        return Verdict.FAILED
    column = 4 if code is None or not 200 <= code < 600 else code // 100 - 2
    return _TABLE[stage][column]


def closes(code: int) -> bool:
    """Return whether the server ends the connection with this reply, at whatever stage (RFC 5321 3.8)."""
    return code == 421
