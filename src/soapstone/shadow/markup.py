"""XML bodies read without a declaration of them: as a tree of elements, or written again with other texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from soapstone.xml_declaration import can_be_followed

MAX_DEPTH = 100
_UNKNOWN_ENCODING = "The encoding is not known."

Path = tuple[str, ...]
"""Local names of the elements from the root to a text; an attribute's own name comes last, with an @ before it."""


class UnreadableXml(Exception):
    """The body is not XML, or uses what is refused here: document types, and depth beyond `MAX_DEPTH`."""


@dataclass
class Element:
    """An element: local name, attributes by local name, children, and the text that stands directly inside it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def child(self, name: str) -> Element | None:
        """Return the first child of this name."""
        return next((each for each in self.children if each.name == name), None)

    @property
    def nil(self) -> bool:
        """Whether it says that there is no value."""
        return self.attributes.get("nil", "").strip() in ("true", "1")


def local(name: str) -> str:
    """Return a name without its prefix."""
    return name.rpartition(":")[2]


def charset_of(content_type: str) -> str | None:
    """Return the charset that a media type names, if it does."""
    for part in content_type.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'") or None
    return None


def tree(body: bytes, content_type: str = "") -> Element:
    """Return the root element of a body. Raises UnreadableXml."""
    top = Element("")
    open_elements = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > MAX_DEPTH:
            raise UnreadableXml("The elements are too deep.")
        element = Element(local(name), {local(key): value for key, value in attributes.items()})
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        element = open_elements.pop()
        element.text = "".join(texts.pop(id(element), ()))

    texts: dict[int, list[str]] = {}

    def text(data: str) -> None:
        texts.setdefault(id(open_elements[-1]), []).append(data)

    _parse(body, content_type, start, end, text)
    return top.children[0]


def rewritten(body: bytes, content_type: str, edit: Callable[[Path, str], str]) -> bytes:
    """Return the body, in UTF-8, with each text and value of an attribute as `edit` returns it.

    Prefixes stay, so that names inside of values keep their meaning. Comments and processing instructions are left out,
    and so is what declares a namespace: it goes to no `edit`. Raises UnreadableXml.
    """
    parts = ['<?xml version="1.0" encoding="utf-8"?>']
    path: list[str] = []
    pending: list[str] = []

    def flush() -> None:
        if pending:
            whole = "".join(pending)
            pending.clear()
            parts.append(escape(edit(tuple(path), whole)))

    def start(name: str, attributes: dict[str, str]) -> None:
        flush()
        if len(path) >= MAX_DEPTH:
            raise UnreadableXml("The elements are too deep.")
        path.append(local(name))
        parts.append(f"<{name}")
        for key, value in attributes.items():
            declares = key == "xmlns" or key.startswith("xmlns:")
            parts.append(f" {key}={quoteattr(value if declares else edit((*path, '@' + local(key)), value))}")
        parts.append(">")

    def end(name: str) -> None:
        flush()
        path.pop()
        parts.append(f"</{name}>")

    _parse(body, content_type, start, end, pending.append)
    return "".join(parts).encode()


def _parse(
    body: bytes,
    content_type: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    def refuse(*_: object) -> None:
        raise UnreadableXml("It has a document type.")

    try:
        charset = charset_of(content_type)
        # expat itself knows few charsets.
        parser = expat.ParserCreate("utf-8" if charset or not can_be_followed(body) else None)
        if charset and charset.lower() not in ("utf-8", "utf8"):
            body = body.decode(charset).encode()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
        parser.StartDoctypeDeclHandler = refuse
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as trouble:
        raise UnreadableXml(str(trouble) or _UNKNOWN_ENCODING) from None
