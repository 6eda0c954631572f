"""Plain text of an HTML body, for those who read no HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from soapstone.sending.template import tags

_BLOCK_NAMES = """
address article aside blockquote body center dd div dl dt fieldset figure figcaption footer form h1 h2 h3 h4 h5 h6
header main nav ol p pre section table tbody tfoot thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
# Blocks with an empty line around them.
_APART = frozenset({"blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"})
_HIDDEN = frozenset({"script", "style", "template", "title"})

# Stands for a tag of the template while the HTML around it is read: characters that no entity can make.
_TAG = re.compile("\ufdd0(\\d+)\ufdd1")


def plain_template(html: str) -> str:
    """The template of the text part that belongs to an HTML body: tags of the template stay where they were."""
    kept: list[str] = []
    pieces: list[str] = []
    for is_tag, text in tags(html.replace("\ufdd0", "").replace("\ufdd1", "")):
        if is_tag:
            pieces.append(f"\ufdd0{len(kept)}\ufdd1")
            kept.append(text)
        else:
            pieces.append(text)
    # A brace of the text must not become part of a tag.
    text = plain_text("".join(pieces)).replace("{", '{{ "{" }}')
    return _TAG.sub(lambda match: kept[int(match[1])], text)


def plain_text(html: str) -> str:
    """The text of HTML: blocks become lines, links keep their address, entities are decoded."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        # Line breaks that are due before the next text, and whether a space is.
        self._breaks = 0
        self._space = False
        self._hidden = 0
        self._pre = 0
        # For each open link: its address and where its text begins.
        self._links: list[tuple[str, int]] = []

    def text(self) -> str:
        lines = [line.rstrip() for line in "".join(self._out).split("\n")]
        return "\n".join(lines).strip("\n") + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        if self._hidden:
            return
        if tag in _BLOCKS:
            self._break(2 if tag in _APART else 1)
        values = {name: value or "" for name, value in attrs}
        if tag == "br":
            # Unlike blocks, line breaks add up.
            self._breaks = min(self._breaks + 1, 3)
            self._space = False
        elif tag == "hr":
            self._break(1)
            self._write("-" * 20)
            self._break(1)
        elif tag == "li":
            self._break(1)
            self._write("- ")
        elif tag in ("td", "th"):
            self._space = True
        elif tag == "pre":
            self._pre += 1
        elif tag == "img" and values.get("alt", "").strip():
            self.handle_data(values["alt"])
        elif tag == "a":
            self._links.append((values.get("href", "").strip(), len(self._out)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in _HIDDEN or tag in ("a", "pre"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        if self._hidden:
            return
        if tag == "a" and self._links:
            address, start = self._links.pop()
            shown = "".join(self._out[start:]).strip()
            if address and not address.startswith("#") and address not in (shown, f"mailto:{shown}"):
                self._space = bool(shown)
                self._write(f"({address})" if shown else address)
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
        if tag in _BLOCKS:
            self._break(2 if tag in _APART else 1)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._pre:
            self._write(data)
            return
        words = data.split()
        if words:
            self._space = self._space or data[0].isspace()
            self._write(" ".join(words))
        if data and data[-1].isspace():
            self._space = True

    def _break(self, lines: int) -> None:
        self._breaks = max(self._breaks, lines)
        self._space = False

    def _write(self, text: str) -> None:
        if self._breaks and self._out:
            self._out.append("\n" * self._breaks)
        elif self._space and self._out and not self._out[-1].endswith((" ", "\n")):
            self._out.append(" ")
        self._breaks, self._space = 0, False
        self._out.append(text)
