"""Plain text of an HTML body, for those who read no HTML."""

from __future__ import annotations

from collections.abc import Collection

from soapstone.sending.messages.html_reader import HIDDEN, EndTag, HtmlReader, StartTag, Text
from soapstone.sending.messages.marked_text import MARK, mark
from soapstone.sending.messages.message import MOST_MARKUP

_BLOCK_NAMES = """
address article aside blockquote body center dd div dl dt fieldset figure figcaption footer form h1 h2 h3 h4 h5 h6
header main nav ol p pre section table tbody tfoot thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
# Blocks with an empty line around them.
_APART = frozenset({"blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"})


def plain_template(html: str, most: int = MOST_MARKUP) -> str:
    """Return the template of the text part that belongs to an HTML body: tags of the template stay where they were.

    Raises InvalidMessage for an HTML body that is no template, and for more than `most` pieces of markup.
    """
    reader = HtmlReader(html, template=True, most=most)
    return reader.restored(_written(reader), _literal)


def _literal(text: str) -> str:
    """Return the text between two tags of a template: its braces must not become part of a tag."""
    if "{{" not in text and "{%" not in text and not text.endswith("{"):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{{{ "{text}" }}}}'


def text_and_markup(html: str, most: int = MOST_MARKUP) -> tuple[str, int]:
    """Return the text of HTML, and how many pieces of markup were read for it.

    Blocks become lines, links keep their address, character references are decoded. Raises InvalidMessage for more than
    `most` pieces of markup.
    """
    reader = HtmlReader(html, most=most)
    return _written(reader), reader.pieces


def _written(reader: HtmlReader) -> str:
    writer = _Writer()
    for token in reader:
        if isinstance(token, Text) and not writer.hidden:
            writer.write_text(token.text)
            continue
        if blocks := _blocks_to_keep(reader, token.start, token.end):
            writer.keep("".join(blocks))
            if isinstance(token, StartTag):
                token = _without(token, frozenset(blocks))
        if isinstance(token, StartTag):
            writer.start(token)
        elif isinstance(token, EndTag):
            writer.end(token.name)
    writer.end_link()
    return writer.text()


def _blocks_to_keep(reader: HtmlReader, start: int, end: int) -> list[str]:
    """Return the marks of the block tags in a part of the source that is not shown: none if whole conditions are in it.

    What is shown may depend on the others, and the template needs them.
    """
    depth = 0
    whole = True
    marks: list[str] = []
    for number in reader.numbers(start, end):
        block = reader.merge_tags[number].block
        if block in ("", "raw"):
            continue
        marks.append(mark(number))
        whole = whole and (block == "if" or depth > 0)
        depth += (block == "if") - (block == "endif")
    return [] if whole and not depth else marks


def _without(tag: StartTag, marks: Collection[str]) -> StartTag:
    """Return the tag with attributes that do not have these marks."""
    attributes = []
    for attribute in tag.attributes:
        value = MARK.sub(lambda match: "" if match[0] in marks else match[0], attribute.value)
        attributes.append(attribute._replace(value=value))
    return tag._replace(attributes=tuple(attributes))


class _Writer:
    def __init__(self) -> None:
        self._out: list[str] = []
        # Line breaks that are due before the next text, and whether a space is.
        self._breaks = 0
        self._space = False
        self.hidden = 0
        self._pre = 0
        # The link that is open: its address and where its text begins.
        self._link: tuple[str, int] | None = None

    def text(self) -> str:
        lines = [line.rstrip() for line in "".join(self._out).split("\n")]
        return "\n".join(lines).strip("\n") + "\n"

    def start(self, tag: StartTag) -> None:
        name = tag.name
        if name in HIDDEN:
            self.hidden += 1
        if self.hidden:
            return
        if name in _BLOCKS:
            self._break(2 if name in _APART else 1)
        if name == "br":
            # Unlike blocks, line breaks add up.
            self._breaks = min(self._breaks + 1, 3)
            self._space = False
        elif name == "hr":
            self._break(1)
            self._write("-" * 20)
            self._break(1)
        elif name == "li":
            self._break(1)
            self._write("- ")
        elif name in ("td", "th"):
            self._space = True
        elif name == "pre":
            self._pre += 1
        elif name == "img":
            self.write_text(tag.value("alt"))
        elif name == "a":
            self._open_link(tag.value("href"))
        elif name == "area" and tag.value("href"):
            self._open_link(tag.value("href"))
            self._space = True
            self.write_text(tag.value("alt"))
            self.end_link()
            self._space = True

    def end(self, name: str) -> None:
        if name in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        if self.hidden:
            return
        if name == "a":
            self.end_link()
        elif name == "pre":
            self._pre = max(0, self._pre - 1)
        if name in _BLOCKS:
            self._break(2 if name in _APART else 1)

    def end_link(self) -> None:
        """End the link that is open, if one is: its address follows its text."""
        if self._link is None:
            return
        (address, start), self._link = self._link, None
        shown = "".join(self._out[start:]).strip()
        if address and not address.startswith("#") and address not in (shown, f"mailto:{shown}"):
            self._space = bool(shown)
            self._write(f"({address})" if shown else address)

    def keep(self, text: str) -> None:
        """Write what is no text: nothing about spaces and line breaks changes by it."""
        self._out.append(text)

    def write_text(self, data: str) -> None:
        if self._pre:
            self._write(data)
            return
        words = data.split()
        if words:
            self._space = self._space or data[0].isspace()
            self._write(" ".join(words))
        if data and data[-1].isspace():
            self._space = True

    def _open_link(self, address: str) -> None:
        # Links do not nest: a browser ends the first where the second begins.
        self.end_link()
        self._link = (address, len(self._out))

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
