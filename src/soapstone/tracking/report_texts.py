"""Bounces without a standard form: text for people, as dma, qmail, many gateways and servers of old write it.

A mail is one if a mail server wrote it and its words say that a mail did not arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce

from soapstone.tracking.bounce_classes import Bounce, of_report
from soapstone.tracking.complaint_reports import returned_headers
from soapstone.tracking.mail_parts import IncomingMail
from soapstone.tracking.recipient_reports import LONGEST_ADDRESS, MOST_RECIPIENTS, DeliveryReport, RecipientReport
from soapstone.vocabulary.tracking import BounceClass

# Characters of a report's text that are read.
_TEXT = 16 << 10
# Characters of the server's words about one recipient.
_WORDS = 2000

_ADDRESS = r"([^\s<>:,;\"()\[\]|]{1,64}@[\w.-]{0,254}\w)"
_ANYWHERE = re.compile(_ADDRESS)
# An address at the beginning of a line, or behind the reply code of a transcript: `550 5.1.1 <a@b.example>... words`.
_LISTED = re.compile(
    rf"^[ \t*>|\"'<]{{0,40}}(?:(?:[45]\d\d )(?:[45]\.\d{{1,3}}\.\d{{1,3}} )?<)?{_ADDRESS}(?=[>\s:,;\"'(\[<]|\.\.\.|$)",
    re.MULTILINE,
)
# Lines that name somebody else than the recipient.
_OTHERS = re.compile(
    r"[\s>|]*(?:(?:in: +)?mail from|from|sender|reply-to|original sender|message-id|date|subject|cc)\b"
    r"|.{0,200}\b(?:contact|assistance|support)\b",
    re.IGNORECASE,
)
_SENDERS = re.compile(r"mailer-daemon|post_?master|mail deliver|qmail", re.IGNORECASE)
_NOBODY = re.compile(r"<\s*(?:mailer-daemon\b[^>]*)?>", re.IGNORECASE)
_FAILED = re.compile(
    r"(?:not|unable to|n't|never) (?:be |been |yet |able to ){0,3}(?:sent|deliver|reach)"
    r"|undeliver(?:able|ed)|non-deliver|did not reach"
    r"|deliver(?:y|ing|ed|every)?\b[^.\n]{0,60}(?:fail|error|problem|abort)|fail[^.\n]{0,30}deliver"
    r"|(?:permanent|fatal) errors|address[^.\n]{0,12} failed|returned (?:mail|to sender)|failure notice|mail failed"
    r"|rejected by a remote|no such (?:user|recipient|mailbox)|aborted after"
    r"|(?:user|recipient) unknown|unknown user|error (?:has )?occurred|error (?:sending|delivering) your",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"\A[^\n]{0,200}\b(?:delay(?:ed)?|warning|still being retried)\b"
    r"|warning (?:message )?only|only a temporary failure report|has (?:been delayed|not yet been delivered)",
    re.IGNORECASE,
)
# Where the returned mail begins in a text.
_RETURNED = re.compile(
    r"^-{2,}.{0,10}(?:below|this is a copy|original|returned|the (?:unsent|header)|unsent|begin)"
    r"|^[^\n]{0,20}message headers follow|^[^\n]{0,40}original message(?: headers| follows)?[:.]?[ \t]*$"
    r"|^received:|^return-path: ",
    re.IGNORECASE | re.MULTILINE,
)


def read_text(mail: IncomingMail) -> DeliveryReport | None:
    """Read a bounce that is text alone; None if the mail is none."""
    failed = failed_recipients(mail)
    text = text_of(mail)
    words = f"{mail.header.get('subject')}\n{text}"
    is_delayed = bool(_DELAYED.search(words))
    if not failed and not (is_of_server(mail) and (is_delayed or _FAILED.search(words))):
        return None
    start = _FAILED.search(text)
    listed = listed_addresses(text)
    addresses = failed or list(listed) or list(_elsewhere(mail, text[start.end() if start else 0 :], text))[:1]
    # dma names the recipient of the mail; the address in its text may be an alias.
    original = next((each for value in mail.header.all("x-original-to") for each in _ANYWHERE.findall(value)), "")
    recipients: list[RecipientReport] = []
    status = "5.0.0" if "permanent" in words else ""
    for address in addresses[:MOST_RECIPIENTS] or [""]:
        # What is told of one recipient alone may stand before the address.
        texts = [listed.get(address, ""), *([text] if len(addresses) < 2 else [])]
        reply = next(filter(None, map(reply_in, texts)), "")
        bounces = (of_report(status=status, diagnostic=reply, words=each[:_WORDS]) for each in texts)
        bounce = None if is_delayed else reduce(_clearer, bounces)
        recipients.append(
            RecipientReport(
                address=address[:LONGEST_ADDRESS],
                original_address=original,
                action="delayed" if is_delayed else "failed",
                bounce=bounce,
            )
        )
    return DeliveryReport(recipients=tuple(recipients))


def _clearer(one: Bounce, other: Bounce) -> Bounce:
    vague = (BounceClass.UNKNOWN, BounceClass.HARD)
    return other if one.bounce_class in vague and not one.code and other.bounce_class not in vague else one


def is_of_server(mail: IncomingMail) -> bool:
    """Return whether a mail server wrote a mail, by its sender."""
    if any(_NOBODY.fullmatch(value.strip()) for value in mail.header.all("return-path")):
        return True
    return is_named_as_server(mail)


def is_named_as_server(mail: IncomingMail) -> bool:
    """Return whether From names a mail server, or nobody."""
    sender = mail.header.get("from")
    return not sender or "<>" in sender or bool(_SENDERS.search(sender))


def is_address(text: str) -> bool:
    """Return whether a text is an address, and no file or command to which a server delivers."""
    return text[:1] not in ("/", "|", "@", "") and "@" in text and " " not in text


def failed_recipients(mail: IncomingMail) -> list[str]:
    """Return the addresses of the field X-Failed-Recipients, which Exim and others write."""
    return [address for value in mail.header.all("x-failed-recipients") for address in _ANYWHERE.findall(value)]


def text_of(mail: IncomingMail) -> str:
    """Return the report's text for people, without the mail that it returns."""
    part = next((part for part in mail.parts if part.content_type == "text/plain"), None)
    if part is None:
        return ""
    text = part.text[:_TEXT]
    returned = _RETURNED.search(text)
    return text[: returned.start()] if returned else text


def listed_addresses(text: str) -> dict[str, str]:
    """Return the addresses with which lines begin, each with its words: the text up to the next one."""
    found: dict[str, int] = {}
    for each in _LISTED.finditer(text):
        found.setdefault(each[1], each.start())
    starts = [*found.values(), len(text)]
    return {
        address: text[start : min(end, start + _WORDS)]
        for (address, start), end in zip(found.items(), starts[1:], strict=True)
    }


def reply_in(words: str) -> str:
    """Return the first reply of a server in a text, with all of its lines."""
    found = re.search(r"(?:^|[\s:;'])((?:[45]\d\d-.*\n\s*)*[45]\d\d[ :,-](?:.*(?:\n[ \t]+\S.*)*))", words[:_WORDS])
    return " ".join(found[1].split()) if found else ""


def _elsewhere(mail: IncomingMail, *texts: str) -> Iterator[str]:
    """Yield addresses that may be the recipient's: of the text, then of the mail that is returned."""
    for text in texts:
        for line in text.split("\n"):
            if not _OTHERS.match(line):
                yield from _ANYWHERE.findall(line[:_WORDS])
    for header in returned_headers(mail):
        yield from (address for value in header.all("to") for address in _ANYWHERE.findall(value))
    for part in mail.of_type("text/plain"):
        returned = _RETURNED.search(part.text[:_TEXT])
        rest = part.text[returned.start() : _TEXT] if returned else ""
        for found in re.finditer(r"^to:(.*)", rest, re.IGNORECASE | re.MULTILINE):
            yield from _ANYWHERE.findall(found[1])
