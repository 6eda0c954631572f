"""Reads HTML as browsers do: tags, attributes and texts in the order of the source, each with its place.

This is the tokenizer of the HTML standard (13.2.5), without its tree. Trees were measured and do not fit templates: a
`{% if %}` between the rows of a table is text that no table may hold, so a tree moves it out of the table together
with its `{% endif %}`, and the condition is lost. A tree also copies and moves elements, while links and pixels are put
in by their place in the source. The stream of tokens of the library at hand has no places and takes quadratic time for
many comments. `html.parser` takes quadratic time for markup without end, does not know how references in attributes
differ from those in text, and fails at `<![1]>`.

Every step consumes what it has looked at, so time is linear in the length of any input. Only too much markup is an
error.

Merge tags of a template (`{{ First_Name }}`, `{% if %}`) count as letters: nothing inside of them is markup. The texts
that the reader gives are marked texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from typing import NamedTuple

from soapstone.sending.messages.marked_text import FILL, UNUSED, MarkedText
from soapstone.sending.messages.message import MOST_MARKUP, InvalidMessage

# Elements that are not shown (`noscript` is: mail programs run no scripts).
HIDDEN = frozenset({"iframe", "noembed", "noframes", "script", "style", "template", "title"})
# Elements that hold text only: of these, some with character references.
_REFERENCES = frozenset({"textarea", "title"})
TEXT_ONLY = _REFERENCES | {"iframe", "noembed", "noframes", "plaintext", "script", "style", "xmp"}

# Room for the markup of links that a list adds.
ROOM_MARKUP = 100

_SPACE = "\t\n\f\r "
_MARKUP = re.compile(rf"<(?:(/?)([A-Za-z][^{_SPACE}/>]*+)|!--(-?>)?|[!?]|/(?=[\s\S]))")
_COMMENT_END = re.compile("--!?>")
# The space before an attribute, then the end of the tag or the attribute's name and value.
_ATTRIBUTE = re.compile(
    rf"[{_SPACE}/]*+(?:(?P<end>>)|(?P<name>=?[^{_SPACE}/>=]*+)"
    rf"(?:[{_SPACE}]*+=[{_SPACE}]*+(?:\"(?P<double>[^\"]*+)(?P<closed>\")?+"
    rf"|'(?P<single>[^']*+)(?P<ended>')?+|(?P<bare>[^{_SPACE}>]*+)))?+)"
)
_TEXT_ENDS = {
    name: re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE | re.ASCII) for name in TEXT_ONLY - {"plaintext"}
}
_SCRIPT_MARKS = re.compile(rf"<!--(-*+>)?+|-->|<(/?)script(?=[{_SPACE}/>])", re.IGNORECASE | re.ASCII)
_REFERENCE = re.compile(r"&(?:#([0-9]++);?+|#[xX]([0-9A-Fa-f]++);?+|([A-Za-z][A-Za-z0-9]*+);?+)")
_LONGEST_NAME = max(map(len, html5))
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

_WORD = re.compile(r"[\w.-]{0,50}")


class Attribute(NamedTuple):
    """An attribute; `value` is decoded, `start` and `end` are where it stands in the source, without quotes."""

    name: str
    value: str
    start: int
    end: int


class StartTag(NamedTuple):
    """A start tag. As in browsers, of two attributes with one name the first counts.

    Where merge tags stand between them, both are here: `{% if … %}href="a"{% else %}href="b"{% endif %}`.
    """

    name: str
    attributes: tuple[Attribute, ...]
    start: int
    end: int

    def value(self, name: str) -> str:
        """Return the value of an attribute without white space around it, "" for one that is not there."""
        return next(iter(self.values(name)), "")

    def values(self, name: str) -> list[str]:
        """Return all values of an attribute of which merge tags choose one; usually there is one, or none."""
        return [each.value.strip() for each in self.attributes if each.name == name]


class EndTag(NamedTuple):
    """An end tag, whether or not there is a start tag for it."""

    name: str
    start: int
    end: int


class Text(NamedTuple):
    """Text with its character references decoded and LF as line break."""

    text: str
    start: int
    end: int


class Comment(NamedTuple):
    """A comment, or what browsers treat like one: doctypes, processing instructions, tags that the source ends in.

    `closed` is False for what goes to the end of the source because its own end is missing.
    """

    start: int
    end: int
    closed: bool


Token = StartTag | EndTag | Text | Comment


class HtmlReader(MarkedText):
    """Reads one source. With `template`, merge tags count as letters; then raises InvalidMessage if it is no template.

    All places are indexes of `source`. Reading raises InvalidMessage for more than `most` pieces of markup: tags,
    attributes, comments and character references. `pieces` is how many there were.
    """

    def __init__(self, source: str, *, template: bool = False, most: int = MOST_MARKUP + ROOM_MARKUP) -> None:
        super().__init__(source, template=template)
        self._most = most
        self.pieces = 0

    def _count(self, pieces: int) -> None:
        self.pieces += pieces
        if self.pieces > self._most:
            raise InvalidMessage(
                f"The HTML has more than {MOST_MARKUP:,} tags, attributes, comments and character references."
            )

    def __iter__(self) -> Iterator[Token]:
        text, position, begin = self._filled, 0, 0
        self.pieces = 0
        self._count(text.count("&"))
        length = len(text)
        while (found := _MARKUP.search(text, position)) is not None:
            start, name = found.start(), found[2]
            self._count(1)
            if name is None:
                end, closed = self._comment_end(found)
                yield from self._texts(begin, start)
                if end - start != len("</>") or not text.startswith("</>", start):
                    yield Comment(start, end, closed)
            else:
                name = self._name(name)
                attributes, end = self._attributes(found.end(), wanted=not found[1])
                yield from self._texts(begin, start)
                if end < 0:
                    yield Comment(start, length, closed=False)
                    return
                if found[1]:
                    yield EndTag(name, start, end)
                else:
                    yield StartTag(name, attributes, start, end)
                    if name in TEXT_ONLY:
                        position = self._end_of_text(name, end)
                        yield from self._texts(end, position, references=name in _REFERENCES)
                        begin = position
                        continue
            position = begin = end
        yield from self._texts(begin, length)

    def _comment_end(self, found: re.Match[str]) -> tuple[int, bool]:
        text, start = self._filled, found.start()
        if text.startswith("<!--", start):
            if found[3]:
                return found.end(), True
            ends = _COMMENT_END.search(text, found.end())
            end = ends.end() if ends else 0
        else:
            end = text.find(">", found.end()) + 1
        return (end, True) if end else (len(text), False)

    def _attributes(self, position: int, *, wanted: bool) -> tuple[tuple[Attribute, ...], int]:
        """Return the attributes of a tag whose name ends here, and its end; -1 for a tag that has none."""
        text, length = self._filled, len(self._filled)
        found: list[Attribute] = []
        seen: set[str] = set()
        while position < length:
            match = _ATTRIBUTE.match(text, position)
            assert match is not None  # noqa: S101 - it matches everywhere
            position = match.end()
            which = match.lastgroup
            if which == "end":
                return tuple(found), position
            if which in ("double", "single"):
                break
            self._count(1)
            if not wanted:
                continue
            name = match["name"]
            if FILL in name:
                # What merge tags put here may be another attribute, or decide which of them there are.
                seen.clear()
            name = self._name(name)
            if not name or name in seen:
                continue
            seen.add(name)
            value = {"closed": "double", "ended": "single"}.get(which or "", which or "name")
            start, end = match.span(value) if value != "name" else (position, position)
            found.append(Attribute(name, self.marked(start, end, decode_attribute), start, end))
        return (), -1

    def _end_of_text(self, name: str, position: int) -> int:
        """Return where the text of an element that holds text only ends: at its end tag, or with the source."""
        text = self._filled
        if name == "plaintext":
            return len(text)
        if name != "script":
            ends = _TEXT_ENDS[name].search(text, position)
            return ends.start() if ends else len(text)
        # Within a comment that is in a script, the end tag of a script that begins there does not end this one.
        commented = inner = False
        for mark in _SCRIPT_MARKS.finditer(text, position):
            if mark[0].startswith("<!--"):
                commented = commented or not mark[1]
            elif mark[0] == "-->":
                commented = inner = False
            elif not mark[2]:
                inner = commented
            elif not inner:
                return mark.start()
            else:
                inner = False
        return len(text)

    def _texts(self, start: int, end: int, *, references: bool = True) -> Iterator[Text]:
        if start < end and (text := self.marked(start, end, _decode if references else _with_line_feeds)):
            yield Text(text, start, end)

    def _name(self, name: str) -> str:
        return name.translate(_LOWER).replace(FILL, "")


def check_markup(html: str, most: int) -> None:
    """Raise InvalidMessage for an HTML body with more than `most` pieces of markup, or one that is no template."""
    for _ in HtmlReader(html, template=True, most=most):
        pass


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decode(text: str) -> str:
    text = _with_line_feeds(text)
    return _REFERENCE.sub(_in_text, text) if "&" in text else text


def decode_attribute(text: str) -> str:
    """Return the value of an attribute whose source this is, as browsers read it."""
    text = _with_line_feeds(text)
    return _REFERENCE.sub(_in_attribute, text) if "&" in text else text


def undelimited_references(text: str) -> list[str]:
    """Return what an attribute's source names as a character without a semicolon, where browsers read that character.

    Each with the word that goes on: `&reg_id` of `?a=1&reg_id=5`, which browsers read as `®_id`.
    """
    found = []
    for match in _REFERENCE.finditer(text) if "&" in text else ():
        if match[3] and not match[0].endswith(";") and _in_attribute(match) != match[0]:
            word = _WORD.match(text, match.end())
            found.append(match[0] + (word[0] if word else ""))
    return found


def _in_text(match: re.Match[str]) -> str:
    if match[3] is None:
        return _character(match)
    name, rest = _named(match[0][1:])
    return match[0] if name is None else html5[name] + rest


def _in_attribute(match: re.Match[str]) -> str:
    if match[3] is None:
        return _character(match)
    name, rest = _named(match[0][1:])
    # `?a=1&copy=2` in an address is no sign of copyright (HTML standard, 13.2.5.73).
    follows = rest[:1] or match.string[match.end() : match.end() + 1]
    if name is None or (not name.endswith(";") and (follows == "=" or (follows.isascii() and follows.isalnum()))):
        return match[0]
    return html5[name] + rest


def _named(text: str) -> tuple[str | None, str]:
    """Return the longest name of a character that a text begins with, and what follows it."""
    for length in range(min(len(text), _LONGEST_NAME), 1, -1):
        if text[:length] in html5:
            return text[:length], text[length:]
    return None, ""


# Windows-1252 is meant by numbers that stand for control characters (HTML standard, 13.2.5.84).
_WINDOWS = {
    code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def _character(match: re.Match[str]) -> str:
    digits, base = (match[1], 10) if match[1] else (match[2], 16)
    # So many digits are beyond all characters; Python refuses to read numbers that are very long.
    digits = digits.lstrip("0") or "0"
    code = int(digits, base) if len(digits) <= 7 else 0x110000
    if code == 0 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        return "\ufffd"
    return _WINDOWS.get(code) or chr(code).translate(UNUSED)
