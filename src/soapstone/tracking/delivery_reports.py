"""Delivery reports (RFC 3464, RFC 6533), and bounces of servers that write none of these forms.

Forms of real servers: OpenSMTPD puts its report into `multipart/mixed` and the server's words into the text; Exim,
OpenSMTPD and Courier write 5.0.0 for everything; nullmailer does not fold its lines; Haraka leaves out Action; dma and
qmail write text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from soapstone.tracking.bounce_classes import Bounce, of_report
from soapstone.tracking.mail_parts import IncomingMail

MOST_RECIPIENTS = 100
LONGEST_ADDRESS = 320
# Characters of a report's text in which the server's words are looked for.
_TEXT = 16 << 10
STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
# Actions after which the mail went on (RFC 3464 2.3.3).
_GOOD = ("delivered", "relayed", "expanded")

_STATUS_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:(.*)")
_REPLY = re.compile(r"[2-5]\d\d[ -]")
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ADDRESS = r"<?([^\s<>:\"]{1,64}@[^\s<>:,;\"]{1,255}[^\s<>:,;.\"])>?"
_SENDERS = re.compile(r"mailer-daemon|postmaster|mail delivery|qmail", re.IGNORECASE)
# The beginning of a bounce that is text alone, and what follows: its addresses, and the server's words after each.
_TEXTS = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        r"(?:wasn't able|was not able|unable) to deliver your message to the following addresses",
        r"following address(?:\(es\)|es)? (?:failed|had (?:permanent fatal )?errors)",
        r"had permanent (?:fatal )?(?:delivery )?errors",
        r"could not be delivered to (?:one or more|the following|all)",
        r"error (?:has )?occurred while (?:attempting|trying) to deliver",
        r"error delivering your (?:mail|message) to",
        r"(?:delivery|message|mail)[^.\n]{0,60} (?:to|for) the following (?:recipient|address)(?:e?s)? (?:has )?failed",
        r"(?:following|this) (?:message|mail)[^.\n]{0,40}(?:could not be|was not) delivered",
    )
)
_LISTED = re.compile(rf"^[ \t]*{_ADDRESS}(?:[ \t]*:[ \t]*(.*)|[ \t]*)$", re.MULTILINE)
_ANYWHERE = re.compile(_ADDRESS)
# Where the returned mail begins in a text.
_RETURNED = re.compile(
    r"^-{2,}.{0,10}(?:below|this is a copy|original|returned|the unsent|begin)|^[^\n]{0,20}message headers follow"
    r"|^received: |^return-path: ",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class RecipientReport:
    """What a report says of one recipient: `action` as in RFC 3464, and the bounce, if the mail came back."""

    address: str
    original_address: str
    action: str
    bounce: Bounce | None


@dataclass(frozen=True, kw_only=True)
class DeliveryReport:
    """A delivery report with its recipients; there may be none."""

    recipients: tuple[RecipientReport, ...]

    def about(self, address: str) -> RecipientReport | None:
        """Return what the report says of a mail to this address.

        After forwarding the addresses in the report are others: then it is a failure before any other word.
        """
        key = address.casefold()
        mine = [each for each in self.recipients if key in (each.original_address.casefold(), each.address.casefold())]
        mine = mine if key else []
        among = mine or self.recipients
        return next((each for each in among if each.bounce), among[0] if among else None)


def read_report(mail: IncomingMail) -> DeliveryReport | None:
    """Read a report in a standard form; None if the mail is none."""
    statuses = list(mail.of_type(*STATUS_TYPES))
    if not statuses:
        return None
    words = _text_of(mail)
    found: list[RecipientReport] = []
    for part in statuses:
        for block in _blocks(part.text):
            if len(found) == MOST_RECIPIENTS:
                break
            if "final-recipient" in block or "original-recipient" in block or "action" in block:
                found.append(_recipient(block, words))
    return DeliveryReport(recipients=tuple(found))


def read_text(mail: IncomingMail) -> DeliveryReport | None:
    """Read a bounce that is text alone, as dma, qmail and older servers write it; None if the mail is none."""
    failed = [address for value in mail.header.all("x-failed-recipients") for address in _ANYWHERE.findall(value)]
    text = _text_of(mail)
    start = next((found for words in _TEXTS if (found := words.search(text))), None)
    if not failed and (start is None or not _is_of_server(mail)):
        return None
    body = text[start.end() :] if start else text
    listed = {found[1]: found for found in _LISTED.finditer(body)}
    addresses = failed or list(listed)
    if not addresses:
        # The signed address may still tell whose mail it was.
        first = _ANYWHERE.search(body)
        addresses = [first[1] if first else ""]
    # dma names the recipient of the mail; the address in its text may be an alias.
    original = next((each for value in mail.header.all("x-original-to") for each in _ANYWHERE.findall(value)), "")
    recipients: list[RecipientReport] = []
    for address in addresses[:MOST_RECIPIENTS]:
        here = listed.get(address)
        words = body[here.start() if here else 0 :]
        bounce = of_report(status="", diagnostic=_reply_in(words), words=words[:500])
        address = _shortened(address)
        recipients.append(RecipientReport(address=address, original_address=original, action="failed", bounce=bounce))
    return DeliveryReport(recipients=tuple(recipients))


def _is_of_server(mail: IncomingMail) -> bool:
    """Return whether a mail server wrote the mail, by its sender."""
    if any("<>" in value for value in mail.header.all("return-path")):
        return True
    sender = mail.header.get("from")
    return not sender or "<>" in sender or bool(_SENDERS.search(sender))


def _text_of(mail: IncomingMail) -> str:
    """Return the report's text for people, without the mail that it returns."""
    part = next((part for part in mail.parts if part.content_type == "text/plain"), None)
    if part is None:
        return ""
    text = part.text[:_TEXT]
    returned = _RETURNED.search(text)
    return text[: returned.start()] if returned else text


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """Yield the blocks of a status part: names in lower case, values on one line.

    Lines that begin with a space or a reply code, or have no name, go on with the field before.
    """
    block: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if not line.strip():
            if block:
                yield block
            block, name = {}, ""
            continue
        found = None if line[0] in " \t" or _REPLY.match(line) else _STATUS_LINE.fullmatch(line)
        if found:
            name = found[1].lower()
            if name not in block:
                block[name] = found[2].strip()
        elif name and len(block[name]) < 4000:
            block[name] += " " + line.strip()
    if block:
        yield block


def _recipient(block: dict[str, str], words: str) -> RecipientReport:
    address, original = _address(block.get("final-recipient", "")), _address(block.get("original-recipient", ""))
    action, status = block.get("action", "").split(" ")[0].lower(), block.get("status", "").strip()
    diagnostic = block.get("diagnostic-code", "")
    kind, separator, rest = diagnostic.partition(";")
    if separator and re.fullmatch(r"[A-Za-z][\w-]{0,40}", kind.strip()):
        diagnostic = rest.strip()
        # The exit code of a local program (sendmail) is no reply.
        if kind.strip().lower() == "x-unix":
            diagnostic = ""
    bounce = None
    if action not in (*_GOOD, "delayed") or (action == "delayed" and status.startswith("4.4.7")):
        near = _near(words, address or original)
        comment = status.partition("(")[2].rstrip(")")
        bounce = of_report(status=status, diagnostic=diagnostic or _reply_in(near), words=near or comment)
    # A block without Action (Haraka) tells of a failure.
    return RecipientReport(
        address=_shortened(address), original_address=_shortened(original), action=action or "failed", bounce=bounce
    )


def _address(value: str) -> str:
    """Return the address of a field `type; address`; the type says little, and may be missing (RFC 3464 2.1.2)."""
    kind, separator, rest = value.partition(";")
    address = (rest if separator and "@" not in kind else value).strip().strip("<>").strip()
    return _ESCAPED.sub(_unescaped, address)


def _unescaped(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if 0x20 < number < 0x110000 and not 0xD800 <= number < 0xE000 else ""


def _near(words: str, address: str) -> str:
    """Return the words after an address in the report's text, up to the next empty line."""
    start = words.find(address) if address else -1
    if start < 0:
        return ""
    # Exim: "other@example.com (generated from address)".
    after = words[start + len(address) :][:1500].lstrip(">): \t")
    return after.partition("\n\n")[0].strip()


def _reply_in(words: str) -> str:
    """Return the first reply of a server in a text, with all of its lines."""
    found = re.search(r"(?:^|[\s:;])((?:[45]\d\d-.*\n\s*)*[45]\d\d[ -](?:.*(?:\n[ \t]+\S.*)*))", words[:2000])
    return " ".join(found[1].split()) if found else ""


def _shortened(address: str) -> str:
    return address[:LONGEST_ADDRESS]
