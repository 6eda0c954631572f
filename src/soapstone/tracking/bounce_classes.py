"""The class and the named reason of a bounce, from the server's code and words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from soapstone.vocabulary.tracking import HARD_BOUNCES, BounceClass

# Most characters of the server's words that are kept.
DETAIL_CHARACTERS = 1000

_C = BounceClass
# Enhanced status codes (RFC 3463) by their end: class and reason (lk-111).
_BY_DETAIL = {
    "1.0": (_C.USER, "Invalid Address"),
    "1.1": (_C.USER, "Invalid Address"),
    "1.3": (_C.USER, "Invalid Address"),
    "1.6": (_C.USER, "Invalid Address"),
    "2.1": (_C.USER, "Invalid Address"),
    "1.2": (_C.DOMAIN, "DNS Failure"),
    "1.10": (_C.DOMAIN, "DNS Failure"),
    "4.4": (_C.DOMAIN, "DNS Failure"),
    "2.2": (_C.FULL, "Mailbox Full"),
    "2.3": (_C.SIZE, "Message Too Large"),
    "3.4": (_C.SIZE, "Message Too Large"),
    "3.2": (_C.BLOCK, "General Mail Block"),
    "4.7": (_C.TRANSIENT, "Transient Failure"),
    "6.7": (_C.HARD, "General Hard Bounce"),
}
_BY_SUBJECT = {
    "1": (_C.HARD, "General Hard Bounce"),
    "2": (_C.HARD, "General Hard Bounce"),
    "6": (_C.CONTENT, "General Soft Bounce"),
    "7": (_C.BLOCK, "General Mail Block"),
}
# Words that say more than the codes 5.7.1, 5.0.0 and 5.4.1, and that stand alone where there is no enhanced code.
_WORDS: tuple[tuple[str, BounceClass, str], ...] = (
    (
        r"user unknown|unknown user|no such (user|mailbox|recipient)|(user|recipient|mailbox) (is )?not found"
        r"|(user|mailbox|account) (does not|doesn't) exist|unknown recipient|recipient unknown"
        r"|invalid (recipient|mailbox)",
        _C.USER,
        "Invalid Address",
    ),
    (r"(host|domain) (name )?(not found|unknown)|unknown (host|domain)|no mx", _C.DOMAIN, "DNS Failure"),
    (r"(mailbox|quota)[^.]{0,40}(full|exceeded)|over quota|exceeded[^.]{0,40}quota", _C.FULL, "Mailbox Full"),
    (r"(message|mail)[^.]{0,40}too (large|big)|size limit", _C.SIZE, "Message Too Large"),
    (r"relay(ing)?( access)? (denied|not permitted)|not permitted to relay", _C.BLOCK, "Relay Denied"),
    (r"spam|unsolicited|blacklist|blocklist|\brbl\b|dnsbl", _C.BLOCK, "Spam Block"),
    (r"attachment", _C.CONTENT, "Attachment Detected"),
)
_PATTERNS = [(re.compile(words, re.IGNORECASE), found, reason) for words, found, reason in _WORDS]
_VAGUE = {"7.1", "0.0", "4.1", "7.0"}
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY = re.compile(r"\s*([2-5]\d\d)(?!\d)")


@dataclass(frozen=True, kw_only=True)
class Bounce:
    """Why a mail came back: class, reason as lk-111 names it, status code, and the server's words."""

    bounce_class: BounceClass
    reason: str
    code: str
    detail: str

    @property
    def is_hard(self) -> bool:
        """Whether it counts toward the limit of hard bounces."""
        return self.bounce_class in HARD_BOUNCES


def of_reply(reply: str) -> Bounce:
    """Return the bounce that a final reply of an SMTP server makes.

    A reply that begins with 4 was the last of many: the mail was given up.
    """
    text = " ".join(reply.split())[:DETAIL_CHARACTERS]
    found, status = _ENHANCED.search(text), _REPLY.match(text)
    code = found[0] if found else status[1] if status else ""
    bounce_class, reason = _judged(code, found[2] if found else "", text)
    return Bounce(bounce_class=bounce_class, reason=reason, code=code, detail=text)


def _judged(code: str, detail: str, text: str) -> tuple[BounceClass, str]:
    if code.startswith("4") and detail != "2.2":
        return _C.TRANSIENT, "Transient Failure"
    if not detail or detail in _VAGUE:
        for pattern, bounce_class, reason in _PATTERNS:
            if pattern.search(text):
                return bounce_class, reason
    if detail:
        subject = detail.partition(".")[0]
        return _BY_DETAIL.get(detail) or _BY_SUBJECT.get(subject) or (_C.HARD, "General Hard Bounce")
    if code.startswith("5"):
        return _C.HARD, "General Hard Bounce"
    return _C.UNKNOWN, "General Bounce"
