"""Delivery reports (RFC 3464, RFC 6533).

Forms of real servers: OpenSMTPD puts its report into `multipart/mixed` and the server's words into the text; Exim,
OpenSMTPD and Courier write 5.0.0 for everything; nullmailer does not fold its lines; Haraka leaves out Action; Exim
names a file or a command as the recipient that it could not deliver to.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from functools import cache

from soapstone.tracking.bounce_classes import of_report
from soapstone.tracking.mail_parts import IncomingMail
from soapstone.tracking.recipient_reports import LONGEST_ADDRESS, MOST_RECIPIENTS, DeliveryReport, RecipientReport
from soapstone.tracking.report_texts import (
    failed_recipients,
    is_address,
    is_of_server,
    listed_addresses,
    reply_in,
    text_of,
)

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
# Actions after which the mail went on (RFC 3464 2.3.3), and Postfix' for an address that it was only to try.
_GOOD = ("delivered", "relayed", "expanded", "deliverable")

_RECIPIENTS = ("original-recipient", "final-recipient")

_STATUS_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:(.*)")
_REPLY = re.compile(r"[2-5]\d\d[ -]")
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
# A report whose parts cannot be told apart: its fields stand in the text.
_IN_TEXT = re.compile(r"^(?:final|original)-recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)


def read_report(mail: IncomingMail) -> DeliveryReport | None:
    """Read a report in a standard form; None if the mail is none, or if it names no recipient."""
    texts = [part.text for part in mail.of_type(*STATUS_TYPES)]
    if not texts and is_of_server(mail):
        texts = [part.text for part in mail.of_type("text/plain") if _IN_TEXT.search(part.text)]
    if not texts:
        return None
    words = text_of(mail)

    @cache
    def others() -> list[str]:
        return [*failed_recipients(mail), *listed_addresses(words)]

    found: list[RecipientReport] = []
    for block in itertools.chain.from_iterable(map(_blocks, texts)):
        if len(found) == MOST_RECIPIENTS:
            break
        if "final-recipient" in block or "original-recipient" in block or "action" in block:
            found.append(_recipient(block, words, others))
    return DeliveryReport(recipients=tuple(found)) if found else None


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
            if name in block and name in _RECIPIENTS:
                # The empty line between two recipients is missing.
                yield block
                block = {}
            if name not in block:
                block[name] = found[2].strip()
        elif name and len(block[name]) < 4000:
            block[name] += " " + line.strip()
    if block:
        yield block


def _recipient(block: dict[str, str], words: str, others: Callable[[], list[str]]) -> RecipientReport:
    address, original = _address(block.get("final-recipient", "")), _address(block.get("original-recipient", ""))
    if not is_address(address):
        # Reports without an address of their own are rare.
        address = next(iter(others()), address)
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
        bounce = of_report(status=status, diagnostic=diagnostic or reply_in(near), words=near or comment)
    # A block without Action (Haraka) tells of a failure.
    return RecipientReport(
        address=address[:LONGEST_ADDRESS],
        original_address=original[:LONGEST_ADDRESS],
        action=action or "failed",
        bounce=bounce,
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
