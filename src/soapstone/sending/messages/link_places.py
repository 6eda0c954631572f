"""The links in the bodies of a message that lead to web pages, with the place of each address in the source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from soapstone.sending.messages.html_reader import (
    Attribute,
    Comment,
    EndTag,
    HtmlReader,
    StartTag,
    Text,
    Token,
    undelimited_references,
)
from soapstone.sending.messages.marked_text import MARK, MarkedText
from soapstone.sending.messages.template import names_in

# The attribute by which authors leave a link untracked.
SWITCH = "data-track"

_SPACE = "\t\n\f\r "
# An address in a text begins and ends here.
_BEGIN = re.compile(r'https?://(?=[^\s<>"])', re.IGNORECASE)
_END = re.compile(r'[\s<>"]|\Z')
_AFTER_LINK = ".,;:!?'*)]}"
# Outlook reads what stands in such a comment.
_CONDITION = re.compile(r"<!--\[if [^\]>]*\]>", re.IGNORECASE)
_CONDITION_ENDS = re.compile(r"<!\[endif\]-->$", re.IGNORECASE)
# Hosts that an address has as its author wrote it, up to what a merge tag can change.
_HOST = re.compile(r"https?://([^/?#\\@:\s\ufdd0\ufdd1]+)", re.IGNORECASE)
# A merge tag as programs write it that encode addresses, such as those that put style sheets into elements.
_ENCODED = re.compile(r"%7B%7B(?:(?!%7B%7B|%7D%7D)[^\s\"'<>{}])++%7D%7D", re.IGNORECASE)


class LinkPlace(NamedTuple):
    """A link: `source[start:end]` is its address as it is written.

    `url` is the address with its merge tags, decoded; `address` has marks in their place, `names` the merge keys that
    it uses, and `hosts` are those that its author wrote. `text`, `images` (text that stands for them) and `title` are
    its words, with merge tags; `shown` is the text with marks. With `off` its author leaves it untracked.
    """

    start: int
    end: int
    url: str
    address: str
    names: frozenset[str]
    hosts: frozenset[str]
    shown: str = ""
    text: str = ""
    images: str = ""
    title: str = ""
    off: bool = False

    @property
    def is_dynamic(self) -> bool:
        """Whether merge tags change the address."""
        return MARK.search(self.address) is not None


class Replacement(NamedTuple):
    """`source[start:end]` becomes `text`."""

    start: int
    end: int
    text: str


def trimmed(address: str) -> str:
    """Return an address in a text without what mail programs leave out: punctuation, and brackets opened before it."""
    end = len(address)
    unopened = address.count(")") - address.count("(")
    while end and address[end - 1] in _AFTER_LINK:
        if address[end - 1] == ")":
            if unopened <= 0:
                break
            unopened -= 1
        end -= 1
    return address[:end]


def places_in_text(reader: MarkedText) -> list[LinkPlace]:
    """Return the addresses of http and https in a text body."""
    found: list[LinkPlace] = []
    text, position, last = reader.filled, 0, 0
    while (match := _BEGIN.search(text, position)) is not None:
        start = match.start()
        # Conditions cut addresses short; what follows up to `last` is not searched again for each of them.
        if start >= last and (ends := _END.search(text, match.end())):
            last = ends.start()
        position = end = _whole(reader, start, last)
        end = start + len(trimmed(text[start:end]))
        found.append(_place(reader, start, end, reader.marked(start, end)))
    return found


def places_in_html(reader: HtmlReader) -> tuple[list[LinkPlace], list[Replacement]]:
    """Return the links of an HTML body in their order, and what takes the attributes `data-track="off"` out.

    Links are `href` of `a` and `area`, and of drawn shapes (VML) in Outlook's conditional comments.
    """
    places: list[LinkPlace] = []
    switches: list[Replacement] = []
    for offset, part, tokens in _parts(reader):
        for tag, text, images in _links(tokens, in_comment=part is not reader):
            off = False
            for each in tag.attributes:
                if each.name == SWITCH and each.value.strip().lower() == "off":
                    off = True
                    switches.append(_without(part, tag, each, offset))
            title = _words(part, tag.value("title"))
            for each in tag.attributes:
                if each.name == "href" and each.start < each.end == _whole(part, each.start, each.end):
                    place = _place(part, each.start, each.end, each.value.strip())
                    places.append(
                        place._replace(
                            start=each.start + offset,
                            end=each.end + offset,
                            shown=" ".join(text.split()),
                            text=_words(part, text),
                            images=_words(part, images),
                            title=title,
                            off=off,
                        )
                    )
    return sorted(places), sorted(switches)


def undelimited_in_links(html: str) -> list[str]:
    """Return what queries of links hold that browsers read as a character and some webmails do not, such as `&reg_id`.

    An author means a parameter, and should write `&amp;reg_id`.
    """
    places, _ = places_in_html(HtmlReader(html, template=True))
    queries = (html[place.start : place.end].partition("?")[2] for place in places)
    return sorted({each for query in queries for each in undelimited_references(query)})


def encoded_merge_tags(html: str) -> list[str]:
    """Return merge tags that a program has encoded in addresses, such as `%7B%7B%20City%20%7D%7D`."""
    return sorted(set(_ENCODED.findall(html)))


def _place(reader: MarkedText, start: int, end: int, address: str) -> LinkPlace:
    tags = [tag for tag in reader.tags_in(address) if not tag.block]
    names = frozenset(name for tag in tags for name in names_in(tag.text))
    hosts = frozenset(match[1] for match in _HOST.finditer(address))
    return LinkPlace(start, end, reader.restored(address), address, names, hosts)


def _whole(reader: MarkedText, start: int, end: int) -> int:
    """Return where a part of a template ends that holds whole conditions only: here, or before the first other tag."""
    depth, outermost = 0, start
    for number in reader.numbers(start, end):
        tag = reader.merge_tags[number]
        # A minus sign takes white space away that stands outside of the part.
        if tag.block == "raw" or tag.text[2:3] == "-" or tag.text.rstrip()[-3:-2] == "-":
            return outermost if depth else tag.start
        if tag.block == "if":
            outermost = outermost if depth else tag.start
            depth += 1
        elif tag.block and not depth:
            return tag.start
        elif tag.block == "endif":
            depth -= 1
    return outermost if depth else end


def _parts(reader: HtmlReader) -> Iterator[tuple[int, HtmlReader, Sequence[Token]]]:
    """Yield the body and what its conditional comments hold, each with its place and its tokens."""
    tokens = list(reader)
    yield 0, reader, tokens
    for token in tokens:
        if isinstance(token, Comment) and (begins := _CONDITION.match(reader.filled, token.start)):
            start, end = begins.end(), token.end
            if _CONDITION_ENDS.search(reader.filled[max(start, end - 12) : end]):
                end -= len("<![endif]-->")
            part = reader.part(start, end)
            yield start, part, list(part)


def _links(tokens: Sequence[Token], *, in_comment: bool) -> Iterator[tuple[StartTag, str, str]]:
    """Yield each link with its text and the text that stands for its images. Links do not nest."""
    opened: StartTag | None = None
    text: list[str] = []
    images: list[str] = []
    for token in tokens:
        if isinstance(token, Text):
            text.append(token.text)
        elif isinstance(token, StartTag) and token.name == "img":
            images.append(token.value("alt"))
        elif isinstance(token, StartTag) and token.name == "area":
            yield token, "", token.value("alt")
        elif isinstance(token, StartTag):
            is_shape = in_comment and ":" in token.name and token.value("href")
            if token.name == "a" or is_shape:
                if opened:
                    yield opened, "".join(text), " ".join(images)
                opened, text, images = token, [], []
        elif isinstance(token, EndTag) and opened and token.name == opened.name:
            yield opened, "".join(text), " ".join(images)
            opened = None
    if opened:
        yield opened, "".join(text), " ".join(images)


def _words(reader: MarkedText, text: str) -> str:
    return reader.restored(" ".join(text.split()))


def _without(reader: MarkedText, tag: StartTag, attribute: Attribute, offset: int) -> Replacement:
    """Return what takes an attribute out of its tag, with the white space before it."""
    source = reader.source
    name = source.lower().rfind(SWITCH, tag.start, attribute.start)
    start = tag.start + len(source[tag.start : name].rstrip(_SPACE))
    quote = source[attribute.start - 1]
    end = attribute.end + (quote in "\"'" and source[attribute.end : attribute.end + 1] == quote)
    return Replacement(start + offset, end + offset, "" if source[end] in f"{_SPACE}/>" else " ")
