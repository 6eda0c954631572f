"""The links in the texts of a message, as its author wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal

from soapstone.sending.content import LINK_KEYS
from soapstone.sending.links import Links
from soapstone.sending.message import Parts
from soapstone.sending.template import Template, tags

# Stands for a tag of the template while the text around it is read: characters that no entity can make.
_TAG = re.compile("\ufdd0(\\d+)\ufdd1")
_WEB = re.compile("(?:https?|ftp)://.|\ufdd0", re.IGNORECASE)
_IN_TEXT = re.compile('(?:(?:https?|ftp)://|mailto:)[^\\s<>"]+|\ufdd0\\d+\ufdd1', re.IGNORECASE)
_AFTER_LINK = ".,;:!?'*)]}"

# "web" leads to a page, "mail" to an address, "own" to a page of this server.
Kind = Literal["web", "mail", "own"]


@dataclass(frozen=True, kw_only=True)
class Hyperlink:
    """A link: its address with merge fields as written, the text that is shown for it, and where it leads."""

    url: str
    text: str
    kind: Kind


def hyperlinks(message: Parts, links: Links | None) -> list[Hyperlink]:
    """All links of a message that is stored, those of the HTML body first; each address once, where it stands first.

    `links` are those of this server, if it has any.
    """
    found: dict[str, Hyperlink] = {}
    for link in (*_in_html(message.html, links), *_in_text(message.plain, links)):
        found.setdefault(link.url, link)
    return list(found.values())


def _in_html(html: str, links: Links | None) -> Iterator[Hyperlink]:
    marked, kept = _marked(html)
    reader = _Reader()
    reader.feed(marked)
    reader.close()
    for url, text in reader.found:
        if kind := _kind(url, kept, links):
            yield Hyperlink(url=_restored(url, kept), text=_restored(text, kept), kind=kind)


def _in_text(text: str, links: Links | None) -> Iterator[Hyperlink]:
    marked, kept = _marked(text)
    for match in _IN_TEXT.finditer(marked):
        found = match[0].rstrip(_AFTER_LINK)
        kind = _kind(found, kept, links)
        # A field of the recipient may be anything; in text only what the message itself makes a link of is one.
        if kind and (kind == "own" or not found.startswith("\ufdd0")):
            url = _restored(found, kept)
            yield Hyperlink(url=url, text=url, kind=kind)


def _kind(marked: str, kept: list[str], links: Links | None) -> Kind | None:
    own = [kept[int(match[1])] for match in _TAG.finditer(marked)]
    if any(LINK_KEYS.keys() & Template(tag, "link").names.keys() for tag in own if tag.startswith("{{")):
        return "own"
    if links is not None and links.held_by(marked):
        return "own"
    if marked[:7].lower() == "mailto:":
        return "mail"
    return "web" if _WEB.match(marked) else None


def _marked(source: str) -> tuple[str, list[str]]:
    kept: list[str] = []
    pieces: list[str] = []
    for is_tag, text in tags(source.replace("\ufdd0", "").replace("\ufdd1", "")):
        if is_tag:
            pieces.append(f"\ufdd0{len(kept)}\ufdd1")
            kept.append(text)
        else:
            pieces.append(text)
    return "".join(pieces), kept


def _restored(marked: str, kept: list[str]) -> str:
    return _TAG.sub(lambda match: kept[int(match[1])], marked)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        # Address and text of the link that is open; links do not nest.
        self._open: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._end()
            self._open = (values.get("href", "").strip(), [])
        elif tag == "area":
            self.found.append((values.get("href", "").strip(), values.get("alt", "").strip()))
        elif tag == "img" and self._open is not None:
            self._open[1].append(values.get("alt", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end()

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._open[1].append(data)

    def close(self) -> None:
        super().close()
        self._end()

    def _end(self) -> None:
        if self._open is not None:
            url, text = self._open
            self.found.append((url, " ".join("".join(text).split())))
        self._open = None
