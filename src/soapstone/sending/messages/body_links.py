"""The links of a list in the bodies of a message: which of them readers see, and where they can be added."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from soapstone.sending.messages.html_reader import HIDDEN, TEXT_ONLY, Comment, EndTag, HtmlReader, StartTag, Text
from soapstone.sending.messages.marked_text import MarkedText
from soapstone.sending.messages.template import MergeTag, shown_by


class Span(NamedTuple):
    """A part of a source: `source[start:end]`."""

    start: int
    end: int


def links_in_text(template: str, keys: frozenset[str]) -> frozenset[str]:
    """Return those of the merge keys that every reader of a text body sees. Raises InvalidMessage."""
    return _always(MarkedText(template).merge_tags, [Span(0, len(template))], keys)


def links_in_html(template: str, keys: frozenset[str]) -> frozenset[str]:
    """Return those of the merge keys that every reader of an HTML body sees, as text or as a link. Raises
    InvalidMessage."""
    reader = HtmlReader(template, template=True)
    return _always(reader.merge_tags, _visible(reader), keys)


def _visible(reader: HtmlReader) -> list[Span]:
    """Return where readers see what stands there: texts, and addresses of links that have something to click."""
    found: list[Span] = []
    hidden = 0
    # Addresses of the link that is open, until there is something to click.
    addresses: list[Span] = []
    for token in reader:
        if isinstance(token, StartTag | EndTag) and token.name in HIDDEN:
            hidden = max(0, hidden + (1 if isinstance(token, StartTag) else -1))
        elif hidden:
            continue
        elif isinstance(token, Text):
            found.append(Span(token.start, token.end))
            if token.text.strip():
                found += addresses
                addresses = []
        elif isinstance(token, EndTag):
            addresses = [] if token.name == "a" else addresses
        elif isinstance(token, StartTag) and token.name in ("a", "area"):
            targets = [Span(each.start, each.end) for each in token.attributes if each.name == "href"]
            if token.name == "a":
                addresses = targets
            else:
                found += targets
        elif isinstance(token, StartTag) and token.name == "img":
            found += addresses
            addresses = []
    return sorted(found)


def _always(tags: Sequence[MergeTag], spans: Sequence[Span], keys: frozenset[str]) -> frozenset[str]:
    """Return the keys whose values stand in the spans whatever conditions apply: outside of them, or in all their
    branches."""
    # For each condition that is open, and the whole text: what all branches so far have, what this one has.
    every: list[frozenset[str]] = [keys]
    here: list[frozenset[str]] = [frozenset()]
    last: list[bool] = [False]
    places = iter(spans)
    place = next(places, None)
    for tag in tags:
        while place is not None and place.end <= tag.start:
            place = next(places, None)
        if tag.block == "if":
            every.append(keys)
            here.append(frozenset())
            last.append(False)
        elif tag.block in ("elif", "else"):
            every[-1] &= here[-1]
            here[-1] = frozenset()
            last[-1] = tag.block == "else"
        elif tag.block == "endif":
            both = every.pop() & here.pop()
            if last.pop():
                here[-1] |= both
        elif not tag.block and place is not None and place.start <= tag.start:
            here[-1] |= shown_by(tag.text) & keys
    return here[0]


def end_of_body(template: str) -> int:
    """Return where something can be added at the end of an HTML body so that every reader sees it, as an index.

    That is before the end tag of the body, if it is one: not in a comment, a script or a condition. Where the source
    ends in a comment, a script or a tag that has no end, it is before that one. Raises InvalidMessage.
    """
    reader = HtmlReader(template, template=True)
    conditions = _conditions(reader.merge_tags)
    end = len(template)
    # Where the elements begin in which nothing can be added.
    closed: list[int] = []
    for token in reader:
        if isinstance(token, StartTag) and token.name in HIDDEN | TEXT_ONLY:
            closed.append(token.start)
        elif isinstance(token, EndTag) and token.name in HIDDEN | TEXT_ONLY:
            del closed[-1:]
        elif closed:
            continue
        elif isinstance(token, EndTag) and token.name in ("body", "html"):
            if _outside(token.start, conditions) == token.start:
                return token.start
        elif isinstance(token, Comment) and not token.closed:
            end = token.start
    return _outside(closed[0] if closed else end, conditions)


def _conditions(tags: Sequence[MergeTag]) -> list[Span]:
    """Return the outermost conditions of a template."""
    found: list[Span] = []
    depth = start = 0
    for tag in tags:
        if tag.block == "if":
            start = start if depth else tag.start
            depth += 1
        elif tag.block == "endif":
            depth -= 1
            if not depth:
                found.append(Span(start, tag.end))
    return found


def _outside(position: int, conditions: Sequence[Span]) -> int:
    """Return the position, or the start of the condition that it is in."""
    before = bisect_left(conditions, Span(position, position)) - 1
    return conditions[before].start if before >= 0 and position < conditions[before].end else position
