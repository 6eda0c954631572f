"""The parts of a mail that came in, read within bounds.

Written here rather than taken from `email`: its parser calls itself for each level, and compares each line with the
boundaries of all levels.
"""

from __future__ import annotations

import quopri
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

# What is read of a mail: bytes in all, bytes and fields of one header, levels of multiparts, and parts.
LARGEST_MAIL = 256 << 10
LARGEST_HEADER = 64 << 10
MOST_FIELDS = 500
DEEPEST = 10
MOST_PARTS = 50

_HEADER_END = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.){0,300})"|([^\s;"]{1,300}))')
_CONTROL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\ufffe\uffff]")


@dataclass(frozen=True)
class Header:
    """The fields of a header, names in lower case, values unfolded, in their order."""

    fields: tuple[tuple[str, str], ...]

    def all(self, *names: str) -> Iterator[str]:
        """Yield the values of the fields with these names, by name, then in their order."""
        for name in names:
            yield from (value for field, value in self.fields if field == name)

    def get(self, name: str) -> str:
        """Return the value of the first field with this name, or an empty text."""
        return next(self.all(name), "")


@dataclass(frozen=True)
class Part:
    """A part of a mail that is no multipart: its header, content type and undecoded body."""

    header: Header
    content_type: str
    raw: bytes

    @cached_property
    def body(self) -> bytes:
        """The body without its transfer encoding; of damaged base64, what could be read."""
        encoding = self.header.get("content-transfer-encoding").strip().lower()
        if encoding == "quoted-printable":
            return quopri.decodestring(self.raw)
        if encoding == "base64":
            try:
                return b64decode(self.raw[: len(self.raw) - 3 * (len(self.raw) % 4 == 1)] + b"==")
            except Base64Error:
                return b""
        return self.raw

    @cached_property
    def text(self) -> str:
        """The body as text with plain line breaks."""
        return as_text(self.body)


@dataclass(frozen=True)
class IncomingMail:
    """A mail that came in: its header, its content type, and its parts in their order."""

    header: Header
    content_type: str
    parts: tuple[Part, ...]

    def of_type(self, *content_types: str) -> Iterator[Part]:
        """Yield the parts of these types."""
        return (part for part in self.parts if part.content_type in content_types)


def read_mail(raw: bytes) -> IncomingMail:
    """Read a mail, at most its first 256 KiB; a leading line `From …` of a mailbox file is dropped."""
    raw = raw[:LARGEST_MAIL]
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    header, body = split_header(raw)
    kind, parameters = _content_type(header, "text/plain")
    return IncomingMail(header, kind, tuple(_parts(header, body, kind, parameters)))


def split_header(raw: bytes) -> tuple[Header, bytes]:
    """Return the header of a mail or part, and what follows it."""
    end = _HEADER_END.search(raw)
    head, body = (raw[: end.start()], raw[end.end() :]) if end else (raw, b"")
    return read_header(as_text(head[:LARGEST_HEADER])), body


def read_header(text: str) -> Header:
    """Return the fields of a header; lines that are none are left out."""
    fields: list[list[str]] = []
    for line in text.split("\n"):
        if line[:1] in (" ", "\t"):
            if fields:
                fields[-1].append(line.strip())
        elif found := _FIELD.fullmatch(line):
            if len(fields) == MOST_FIELDS:
                break
            fields.append([found[1].lower(), found[2].strip()])
    return Header(tuple((name, " ".join(values).strip()) for name, *values in fields))


def as_text(content: bytes) -> str:
    """Return bytes as text with plain line breaks, without control characters that a database refuses."""
    return _CONTROL.sub("", content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))


def _content_type(header: Header, usual: str) -> tuple[str, dict[str, str]]:
    value = header.get("content-type")[:2000]
    # Some leave out the semicolon before a parameter.
    kind = next(iter(value.partition(";")[0].lower().split()), "")
    parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value)}
    return (kind if "/" in kind else usual), parameters


def _parts(header: Header, body: bytes, kind: str, parameters: dict[str, str]) -> Iterator[Part]:
    """Yield the parts; of more levels or parts than are read, the first."""
    waiting = [(header, body, kind, parameters, 0)]
    given = 0
    while waiting and given < MOST_PARTS:
        header, body, kind, parameters, depth = waiting.pop()
        boundary = parameters.get("boundary", "")
        if kind.startswith("multipart/") and boundary and depth < DEEPEST:
            usual = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            pieces = []
            for piece in _split(body, boundary.encode()):
                inner, rest = split_header(piece)
                pieces.append((inner, rest, *_content_type(inner, usual), depth + 1))
            if pieces:
                waiting += reversed(pieces)
                continue
        given += 1
        # What has parts that cannot be told apart is read as text.
        yield Part(header, "text/plain" if kind.startswith("multipart/") and depth < DEEPEST else kind, body)


def _split(body: bytes, boundary: bytes) -> list[bytes]:
    """Return the pieces of a multipart; the last one may lack its end."""
    # The boundary is another one in each mail, and the library takes longer to compile a pattern than to read a mail.
    body, mark = b"\n" + body, b"\n--" + boundary
    pieces: list[bytes] = []
    start, place = None, body.find(mark)
    while place >= 0:
        after = place + len(mark)
        end = body.find(b"\n", after)
        end = len(body) if end < 0 else end
        rest = body[after:end].removesuffix(b"\r").rstrip(b" \t")
        if rest in (b"", b"--"):
            if start is not None:
                pieces.append(body[start:place].removesuffix(b"\r"))
            if rest or len(pieces) == MOST_PARTS:
                return pieces
            start = min(end + 1, len(body))
            # The line break before the next mark may be the one that ends this mark.
            start -= body.startswith(b"--", start)
        place = body.find(mark, after)
    if start is not None:
        pieces.append(body[start:])
    return pieces
