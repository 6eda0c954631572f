"""What a reply of an SMTP server means: one table, reply × stage → verdict (RFC 5321 3.8, 4.2.1, 4.5.4.1).

The stage of a reply decides what it is about. Up to MAIL a server speaks of the connection, of the client or of the
sender, so the mail that happens to be next is not to blame. From RCPT on it speaks of this mail. Within a stage the
first digit decides, as RFC 5321 4.2.1 asks: servers answer 252 to RCPT and 200 after the content, too.

What follows for the recipient, such as another try, is in `retries`; what follows for the send in `availability`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Stage(StrEnum):
    """The stage of a mail: which reply was awaited."""

    # The greeting, EHLO and STARTTLS.
    GREETING = "greeting"
    LOGIN = "login"
    # Before the next mail, if the previous one was refused.
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    # The reply to the whole mail.
    CONTENT = "content"


class Verdict(StrEnum):
    """The meaning of a reply for the mail."""

    # The mail goes on. After the content: the server has accepted the mail.
    ACCEPTED = "accepted"
    # This mail is refused for now, and retried later.
    DEFERRED = "deferred"
    # This mail is refused for good.
    FAILED = "failed"
    # The server has the whole mail and sent no final reply.
    UNKNOWN = "unknown"
    # The server does not serve this connection now. The mail was not offered, or not received.
    BUSY = "busy"
    # The server refuses this mail's sender, or everything: the next recipient's mail shows which.
    REFUSES_SENDER = "refuses sender"
    # The server accepts nothing from us until our settings, or its own, change.
    REFUSES_WORK = "refuses work"


# The verdicts that leave a mail as it was. A set would ask for the hash of each one, which takes longer to find.
UNTOUCHED = (Verdict.BUSY, Verdict.REFUSES_SENDER, Verdict.REFUSES_WORK)


class Outcome(NamedTuple):
    """The result of a mail: the deciding reply, its stage, and its meaning."""

    verdict: Verdict
    stage: Stage
    reply: str

    @property
    def took_up(self) -> bool:
        """Whether the server accepted MAIL and judged the mail, which proves that it works."""
        return self.verdict not in UNTOUCHED and self.stage in (Stage.RCPT, Stage.DATA, Stage.CONTENT)


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
# Replies to MAIL about one mail: it is too large (RFC 1870 6.1, RFC 3463 3.3 and 3.4; some servers answer 534), or
# its addresses need what the server lacks (RFC 6531 3.5, RFC 5321 4.1.1.11; MAIL has no other parameter of ours).
_OF_ONE_MAIL = frozenset({534, 552, 555})
_OF_ONE_MAIL_ENHANCED = frozenset({"2.3", "3.4", "6.7"})
# Replies to RCPT about the sender (RFC 3463 3.2): postfix and sendmail check its domain only then.
_OF_SENDER = frozenset({"1.7", "1.8"})
_ENHANCED = re.compile(r"[245]\.(\d{1,3}\.\d{1,3})(?!\S)")


@lru_cache(256)
def classify(code: int | None, enhanced_code: str, stage: Stage) -> Verdict:
    """Return the meaning of a reply.

    `code` is None if the connection was lost or the reply was not SMTP. `enhanced_code` is the subject and detail of
    an enhanced status code, such as `1.8` of `5.1.8` (RFC 3463 2), and empty without one.
    """
    if code in _LOGIN_WANTED:
        return Verdict.REFUSES_WORK
    if stage is Stage.RCPT and enhanced_code in _OF_SENDER:
        stage = Stage.MAIL
    elif stage is Stage.MAIL and (
        code in _OF_ONE_MAIL or ((code or 0) >= 500 and enhanced_code in _OF_ONE_MAIL_ENHANCED)
    ):
        return Verdict.FAILED
    column = 4 if code is None or not 200 <= code < 600 else code // 100 - 2
    return _TABLE[stage][column]


def enhanced_code(text: str) -> str:
    """Return subject and detail of the enhanced status code that a reply's text begins with (RFC 2034), or nothing."""
    found = _ENHANCED.match(text)
    return found[1] if found else ""


def closes(code: int) -> bool:
    """Return whether the server ends the connection with this reply, at whatever stage (RFC 5321 3.8)."""
    return code == 421
