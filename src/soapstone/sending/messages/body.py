"""One body of all mails of a message, as bytes: what does not differ between the mails is prepared once.

A text comes in pieces, as its template gives them. The whole lines within a piece that is the same in every mail are
encoded once and kept; only the lines in which something is merged are encoded for each mail. The result is the same as
if the whole text were encoded for itself: quoted-printable knows nothing beyond a line, and what decides about the
encoding (letters, lengths, marks) is summed up from the parts.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from functools import cached_property

_LINE_BREAK = re.compile("\r\n?")
# What RFC 5322 lets a line hold, without its end.
_LONGEST_LINE = 998

# Octets that may stand in the open, and those that quoted-printable must quote for not being ASCII.
_OPEN = bytes([*b"\t\n", *range(0x20, 0x7F)])
_HIGH = bytes(range(0x7F, 0x100))
# The start of our boundaries, which may not stand in the open.
_MARK = b"--=_"


class Lines:
    """Whole lines of a text, each with its end. All that is worked out is kept."""

    def __init__(self, text: str) -> None:
        self._text = _LINE_BREAK.sub("\n", text) if "\r" in text else text
        self._data: dict[str, bytes | None] = {}
        self._quoted: dict[str, bytes] = {}

    @cached_property
    def open(self) -> bool:
        """Whether they may stand as they are: ASCII without control characters, no boundary, no line too long."""
        text = self._text
        if not text.isascii():
            return False
        data = text.encode()
        return not (data.translate(None, _OPEN) or _MARK in data or _has_long_line(data))

    @cached_property
    def as_is(self) -> bytes:
        """The lines as they go out, if they may stand in the open."""
        return self._text.encode().replace(b"\n", b"\r\n")

    def data(self, charset: str) -> bytes | None:
        """Return the lines in a character set, with LF as line end; None when it has not all their letters."""
        if charset not in self._data:
            try:
                self._data[charset] = self._text.encode(charset)
            except UnicodeEncodeError:
                self._data[charset] = None
        return self._data[charset]

    def quoted(self, charset: str) -> bytes:
        """Return the lines as they go out in quoted-printable."""
        if charset not in self._quoted:
            self._quoted[charset] = binascii.b2a_qp(self.data(charset) or b"").replace(b"\n", b"\r\n")
        return self._quoted[charset]


class Body:
    """Writes one body of all mails of a message. `fixed` are pieces that are the same in every mail.

    `charset` is that of the texts, as far as it has their letters. Not for several threads.
    """

    def __init__(self, subtype: str, charset: str = "utf-8", fixed: Collection[str] = ()) -> None:
        self._subtype = subtype
        self._charset = charset
        # Of a piece with at least one line end: up to the first one, the whole lines after it, and what follows them.
        self._fixed: dict[str, tuple[str, Lines | None, str]] = {}
        for piece in fixed:
            first, last = piece.find("\n") + 1, piece.rfind("\n") + 1
            if first:
                middle = Lines(piece[first:last]) if last > first else None
                self._fixed[piece] = (piece[:first], middle, piece[last:])
        self._heads: dict[tuple[str, str], bytes] = {}

    def write(self, pieces: Sequence[str]) -> bytes:
        """Return the body of one mail with its headers, from the pieces of its text; it ends in a line break."""
        return self._encode(self._lines(pieces))

    def _lines(self, pieces: Sequence[str]) -> list[Lines]:
        lines: list[Lines] = []
        begun: list[str] = []
        for piece in pieces:
            known = self._fixed.get(piece)
            if known is None:
                begun.append(piece)
                continue
            before, middle, after = known
            begun.append(before)
            if middle is not None:
                lines += (Lines("".join(begun)), middle)
                begun = [after]
            else:
                begun.append(after)
        rest = "".join(begun)
        if rest or not lines:
            lines.append(Lines(rest if rest.endswith(("\n", "\r")) else rest + "\n"))
        return lines

    def _encode(self, lines: list[Lines]) -> bytes:
        if all(part.open for part in lines):
            charset = self._charset
            return self._head(charset, "7bit") + b"".join([part.as_is for part in lines])
        charset = self._charset
        parts = [part.data(charset) for part in lines]
        if None in parts:
            charset = "utf-8"
            parts = [part.data(charset) for part in lines]
        data = b"".join([part for part in parts if part])
        # Text that is mostly not ASCII is three times as long when every byte of it is quoted.
        if (len(data) - len(data.translate(None, _HIGH))) * 6 > len(data):
            encoded = base64.encodebytes(data.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n")
            return self._head(charset, "base64") + encoded
        return self._head(charset, "quoted-printable") + b"".join([part.quoted(charset) for part in lines])

    def _head(self, charset: str, encoding: str) -> bytes:
        if (charset, encoding) not in self._heads:
            text = f'Content-Type: text/{self._subtype}; charset="{charset}"\r\n'
            text += f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
            self._heads[charset, encoding] = text.encode()
        return self._heads[charset, encoding]


def _has_long_line(data: bytes) -> bool:
    return len(data) > _LONGEST_LINE and max(map(len, data.split(b"\n"))) > _LONGEST_LINE
