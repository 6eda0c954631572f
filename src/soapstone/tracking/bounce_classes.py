"""The class and the named reason of a bounce, from the server's code and words."""

from __future__ import annotations

import itertools
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
    # The sender's address is refused, which says nothing of the recipient.
    "1.7": (_C.BLOCK, "General Mail Block"),
    "1.8": (_C.BLOCK, "General Mail Block"),
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
        r"user unknown|unknown user|no such (user|mailbox|recipient|person|address|account)"
        r"|(user|recipient|mailbox|account|address) (is )?(not found|unknown|invalid)|unrouteable address"
        r"|(user|recipient|mailbox|account|address)( that you tried to reach)? (does not|doesn't) exist"
        r"|(user|recipient|mailbox|account|address) (could not|couldn't) be found"
        r"|unknown (recipient|mailbox|address)|invalid (recipient|mailbox|user)|no mailbox here|address unavailable"
        r"|addressee unknown|doesn't have an? \S{1,100} account|unknown or illegal|not listed in"
        r"|(recipient|user)( name)? is not recognized"
        # Exchange Online's words for a recipient that its organisation does not have.
        r"|recipient address rejected: access denied",
        _C.USER,
        "Invalid Address",
    ),
    (
        r"(host|domain)[^.\n]{0,20} (not found(?!, try again)|unknown|does not exist)|unknown (host|domain)"
        r"|host unknown|no such (host|domain)|no mx|null mx|mx or srv record|no relevant answers|doesn't receive email",
        _C.DOMAIN,
        "DNS Failure",
    ),
    (
        r"(mailbox|folder|quota)[^.\n]{0,40}(full|exceed)|over quota|exceeded[^.\n]{0,40}quota|not enough space",
        _C.FULL,
        "Mailbox Full",
    ),
    (r"(message|mail)[^.\n]{0,40}too (large|big)|size limit", _C.SIZE, "Message Too Large"),
    (r"relay(ing)?( access)? (denied|not permitted)|not permitted to relay", _C.BLOCK, "Relay Denied"),
    (r"spam|unsolicited|black ?list|blocklist|\brbl\b|dnsbl", _C.BLOCK, "Spam Block"),
    (
        r"\b(spf|dkim|dmarc|ptr|rdns)\b|reverse dns|authenticat|polic(y|ies)|block(ed|ing)\b|denied|forbidden"
        r"|not (allowed|permitted|accepting)|sender|too many (recipients|messages|connections)|limited|rate limit"
        r"|mismatch",
        _C.BLOCK,
        "General Mail Block",
    ),
    (r"attachment", _C.CONTENT, "Attachment Detected"),
    (r"virus|line limit|duplicate header", _C.CONTENT, "General Soft Bounce"),
)
_PATTERNS = [(re.compile(words, re.IGNORECASE), found, reason) for words, found, reason in _WORDS]
# Words of a server that gave up, where its report has no code that says so.
_GAVE_UP = re.compile(
    r"retry time(out)?|timed? ?out|expired|network is (down|unreachable)|connection refused|no route to host|temporar"
    r"|failing for a long time|too long|giving up|not found, try again|try later|aborted after|\d attempts"
    r"|did not accept our requests|not responding",
    re.IGNORECASE,
)
# Codes that say less than words may; with them go those of no address, mailbox or policy that have no line above.
_VAGUE = {"1.0", "2.0", "4.1", "7.0", "7.1"}
_OF_NO_RECIPIENT = ("0", "3", "4", "5", "6")
# An enhanced code has a subject from 0 to 7 (RFC 3463 3), which most numbers of versions have not.
_MOST_CODES = 10
_ENHANCED = re.compile(r"(?<![\d.])([245])\.([0-7]\.\d{1,3})(?![\d.])")
_REPLY = re.compile(r"\s*([2-5]\d\d)(?!\d)")


# Reason → class, the more usual one where a reason has several.
_BY_REASON = {
    reason: found
    for found, reason in (
        *((each[1], each[2]) for each in reversed(_WORDS)),
        *_BY_SUBJECT.values(),
        *_BY_DETAIL.values(),
    )
}


def of_reason(reason: str) -> BounceClass:
    """Return the class of a reason as lk-111 names it."""
    return _BY_REASON.get(reason, BounceClass.UNKNOWN)


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
    return of_report(status="", diagnostic=reply)


def of_report(*, status: str, diagnostic: str, words: str = "") -> Bounce:
    """Return the bounce that a delivery report tells of, by its fields Status and Diagnostic-Code (RFC 3464).

    The server's own enhanced code in the diagnostic goes first, then the status, unless it is x.0.0 and says nothing,
    then the code of the server's reply. `words` are the report's text, for reports without a diagnostic.
    """
    text = " ".join((diagnostic or words).split())[:DETAIL_CHARACTERS]
    reply = _REPLY.match(text) if diagnostic else None
    found = _enhanced_in(text)
    if found and reply and found[1] != reply[1][0] and found[2] != "4.7":
        # The reply code decides whether a refusal is final (RFC 5321 4.2.1); the other code is a mistake. But services
        # that gave up write 554 before 4.4.7.
        found = None
    if not found:
        given = _ENHANCED.match(status.strip())
        found = given if given and given[2] != "0.0" and not (reply and reply[1][0] > given[1]) else None
    if found:
        code, detail = found[0], found[2]
        if reply and reply[1][0] == "4" and code[0] == "5":
            # Haraka writes 5 for mails that it gives up after many refusals for now.
            code = f"4.{detail}"
    else:
        code, detail = reply[1] if reply else "", ""
    if reply and reply[1] == "552" and detail.startswith("1."):
        # 552 is about room (RFC 5321 4.2.3), whatever a code says of the address.
        detail = ""
    bounce_class, reason = _judged(code, detail, text, status)
    return Bounce(bounce_class=bounce_class, reason=reason, code=code, detail=text)


def _enhanced_in(text: str) -> re.Match[str] | None:
    """Return the first enhanced code of a text that is not x.x.0; gateways write one before the server's own code."""
    found = list(itertools.islice(_ENHANCED.finditer(text), _MOST_CODES))
    return next((each for each in found if each[1] == found[0][1] and each[2][-2:] != ".0"), next(iter(found), None))


def _judged(code: str, detail: str, text: str, status: str) -> tuple[BounceClass, str]:
    if code.startswith("4") and detail != "2.2":
        return _C.TRANSIENT, "Transient Failure"
    # Each pattern takes its time.
    told = ((bounce_class, reason) for pattern, bounce_class, reason in _PATTERNS if pattern.search(text))
    subject = detail.partition(".")[0]
    is_vague = detail in _VAGUE or (subject in _OF_NO_RECIPIENT and detail not in _BY_DETAIL)
    if (not detail or is_vague) and (first := next(told, None)):
        return first
    if (not code or (is_vague and subject in _OF_NO_RECIPIENT)) and _GAVE_UP.search(text):
        return _C.TRANSIENT, "Transient Failure"
    if detail:
        found = _BY_DETAIL.get(detail) or _BY_SUBJECT.get(subject) or (_C.HARD, "General Hard Bounce")
        if found[0] in (_C.BLOCK, _C.CONTENT):
            # The words may name the kind of policy.
            return next((each for each in told if each[0] is found[0]), found)
        return found
    if code.startswith("5") or status.startswith("5"):
        return _C.HARD, "General Hard Bounce"
    if status.startswith("4"):
        return _C.TRANSIENT, "Transient Failure"
    return _C.UNKNOWN, "General Bounce"
