"""The links in the texts of a message, as its author wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from soapstone.sending.messages.content import LINK_KEYS
from soapstone.sending.messages.html_reader import EndTag, HtmlReader, StartTag, Text
from soapstone.sending.messages.link_places import trimmed
from soapstone.sending.messages.marked_text import MARK, MarkedText
from soapstone.sending.messages.message import InvalidMessage, Parts
from soapstone.sending.messages.template import names_in
from soapstone.sending.signed_links import Links

_WEB = re.compile(rf"(?:https?|ftp)://.|{MARK.pattern}", re.IGNORECASE)
_IN_TEXT = re.compile(rf'(?:(?:https?|ftp)://|mailto:)[^\s<>"]+|{MARK.pattern}', re.IGNORECASE)

# "web" leads to a page, "mail" to an address, "own" to a page of this server.
Kind = Literal["web", "mail", "own"]


@dataclass(frozen=True, kw_only=True)
class Hyperlink:
    """A link: its address with merge fields as written, its shown text, and its kind."""

    url: str
    text: str
    kind: Kind


def hyperlinks(message: Parts, links: Links | None) -> list[Hyperlink]:
    """Return all links of a stored message, those of the HTML body first; each address once, at its first place.

    `links` recognises links of this server; None if it has none.
    """
    found: dict[str, Hyperlink] = {}
    for link in (*_in_html(message.html, links), *_in_text(message.plain, links)):
        found.setdefault(link.url, link)
    return list(found.values())


def links_of(html: str, plain: str) -> list[tuple[str, str]]:
    """Return address and shown text of the links of a mail, those of the HTML first; each address once."""
    reader, text = HtmlReader(html), MarkedText(plain, template=False)
    found: dict[str, str] = {}
    with suppress(InvalidMessage):
        for url, shown in _anchors(reader):
            if _kind(reader, url, None):
                found.setdefault(url, shown)
    for match in _IN_TEXT.finditer(text.marked()):
        url = trimmed(match[0])
        found.setdefault(url, url)
    return list(found.items())


def _in_html(html: str, links: Links | None) -> Iterator[Hyperlink]:
    reader = HtmlReader(html, template=True)
    for url, text in _anchors(reader):
        if kind := _kind(reader, url, links):
            yield Hyperlink(url=reader.restored(url), text=reader.restored(text), kind=kind)


def _in_text(text: str, links: Links | None) -> Iterator[Hyperlink]:
    reader = MarkedText(text)
    for match in _IN_TEXT.finditer(reader.marked()):
        found = trimmed(match[0])
        kind = _kind(reader, found, links)
        # A field of the recipient may be anything; in text only what the message itself makes a link of is one.
        if kind and (kind == "own" or not MARK.match(found)):
            url = reader.restored(found)
            yield Hyperlink(url=url, text=url, kind=kind)


def _kind(reader: MarkedText, marked: str, links: Links | None) -> Kind | None:
    if any(LINK_KEYS.keys() & names_in(tag.text) for tag in reader.tags_in(marked) if not tag.block):
        return "own"
    if links is not None and links.held_by(marked):
        return "own"
    if marked[:7].lower() == "mailto:":
        return "mail"
    return "web" if _WEB.match(marked) else None


def _anchors(reader: HtmlReader) -> Iterator[tuple[str, str]]:
    """Yield address and text of each link; a link has several addresses if the template chooses one of them."""
    # State of the open link; links do not nest.
    addresses: list[str] | None = None
    text: list[str] = []
    for token in (*reader, EndTag("a", 0, 0)):
        if isinstance(token, Text):
            text.append(token.text)
        elif isinstance(token, StartTag) and token.name == "area":
            for address in token.values("href"):
                yield address, token.value("alt")
        elif isinstance(token, StartTag) and token.name == "img":
            text.append(token.value("alt"))
        elif isinstance(token, StartTag | EndTag) and token.name == "a":
            if addresses is not None:
                shown = " ".join("".join(text).split())
                for address in addresses:
                    yield address, shown
            text = []
            addresses = token.values("href") if isinstance(token, StartTag) else None
