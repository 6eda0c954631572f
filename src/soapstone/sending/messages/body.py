"""One body of all mails of a message, as bytes: what does not differ between the mails is prepared once.

A text comes in pieces, as its template gives them. The whole lines within a piece that is the same in every mail are
encoded once and kept; only the lines in which something is merged are encoded for each mail. The result is the same as
if the whole text were encoded for itself: quoted-printable knows nothing beyond a line, and what decides about the
encoding (letters, lengths, marks) is summed up from the parts.

In a tracked message a text of letters and digits stands for the stem, which differs in each mail. It is as long as a
stem, so encodings and line breaks are those of the mail, and the stem is joined into the encoded lines.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Sequence

_LINE_BREAK = re.compile("\r\n?")
# What RFC 5322 lets a line hold, without its end.
_LONGEST_LINE = 998

# Octets that may stand in the open, and those that quoted-printable must quote for not being ASCII.
_OPEN = bytes([*b"\t\n", *range(0x20, 0x7F)])
_HIGH = bytes(range(0x7F, 0x100))
# The start of our boundaries, which may not stand in the open.
_MARK = b"--=_"
# Quoted-printable breaks a long line by it.
_SOFT_BREAK = b"=\r\n"


class Lines:
    """Whole lines of a text, each with its end. All that is worked out is kept."""

    # `cached_property` would keep these, too, but takes a lock the first time, and most lines are of one mail.
    __slots__ = ("_as_is", "_data", "_open", "_quoted", "_text")

    def __init__(self, text: str) -> None:
        self._text = _LINE_BREAK.sub("\n", text) if "\r" in text else text
        self._open: bool | None = None
        self._as_is: bytes | None = None
        self._data: dict[str, bytes | None] = {}
        self._quoted: dict[str, bytes] = {}

    def joined(self, way: str, encoded: bytes, stem: bytes) -> bytes:
        """Return the lines, encoded in this way, with the stem of the mail where it belongs."""
        return encoded

    @property
    def open(self) -> bool:
        """Whether they may stand as they are: ASCII without control characters, no boundary, no line too long."""
        if self._open is None:
            self._open = self._text.isascii() and _is_open(self._text.encode())
        return self._open

    @property
    def as_is(self) -> bytes:
        """The lines as they go out, if they may stand in the open."""
        if self._as_is is None:
            self._as_is = self._text.encode().replace(b"\n", b"\r\n")
        return self._as_is

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


class SharedLines(Lines):
    """Lines that are the same in every mail, but for its stem; `gap` finds what stands for it."""

    __slots__ = ("_gap", "_pieces")

    def __init__(self, text: str, gap: re.Pattern[bytes] | None) -> None:
        super().__init__(text)
        self._gap = gap
        # Way of encoding → its pieces, of which every second one is a gap, and the soft line break in each gap.
        self._pieces: dict[str, tuple[list[bytes], list[int]]] = {}

    def joined(self, way: str, encoded: bytes, stem: bytes) -> bytes:
        """Return the encoded lines with the stem in their gaps."""
        if self._gap is None:
            return encoded
        if way not in self._pieces:
            found = self._gap.split(encoded)
            self._pieces[way] = found, [gap.find(_SOFT_BREAK) for gap in found[1::2]]
        pieces, breaks = self._pieces[way]
        pieces[1::2] = [stem if at < 0 else stem[:at] + _SOFT_BREAK + stem[at:] for at in breaks]
        return b"".join(pieces)


class Body:
    """Writes one body of all mails of a message. `fixed` are pieces that are the same in every mail.

    `charset` is that of the texts, as far as it has their letters. `stem` is the text that stands for a mail's stem, if
    there is one. Not for several threads.
    """

    def __init__(self, subtype: str, charset: str = "utf-8", fixed: Collection[str] = (), stem: str = "") -> None:
        self._subtype = subtype
        self._charset = charset
        self._stem = stem
        gap = None
        if stem:
            gap = re.compile(b"(" + b"(?:=\r\n)?".join(re.escape(letter.encode()) for letter in stem) + b")")
        # Of a piece with at least one line end: up to the first one, the whole lines after it, and what follows them.
        self._fixed: dict[str, tuple[str, Lines | None, str]] = {}
        for piece in fixed:
            first, last = piece.find("\n") + 1, piece.rfind("\n") + 1
            if first:
                middle = SharedLines(piece[first:last], gap) if last > first else None
                self._fixed[piece] = (piece[:first], middle, piece[last:])
        self._heads: dict[tuple[str, str], bytes] = {}

    def write(self, pieces: Sequence[str], stem: str = "") -> bytes:
        """Return the body of one mail with its headers, from the pieces of its text; it ends in a line break.

        `stem` is that of the mail, and as long as what stands for it.
        """
        return self._encode(self._lines(pieces, stem), stem.encode())

    def _lines(self, pieces: Sequence[str], stem: str) -> list[Lines]:
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
                lines += (self._own(begun, stem), middle)
                begun = [after]
            else:
                begun.append(after)
        rest = "".join(begun)
        if rest or not lines:
            lines.append(self._own([rest if rest.endswith(("\n", "\r")) else rest + "\n"], stem))
        return lines

    def _own(self, pieces: Sequence[str], stem: str) -> Lines:
        """Return lines of this mail alone."""
        text = "".join(pieces)
        return Lines(text.replace(self._stem, stem) if self._stem else text)

    def _encode(self, lines: list[Lines], stem: bytes) -> bytes:
        if all(part.open for part in lines):
            charset = self._charset
            return self._head(charset, "7bit") + b"".join([part.joined("7bit", part.as_is, stem) for part in lines])
        charset = self._charset
        parts = [part.data(charset) for part in lines]
        if None in parts:
            charset = "utf-8"
            parts = [part.data(charset) for part in lines]
        data = b"".join([part for part in parts if part])
        # Text that is mostly not ASCII is three times as long when every byte of it is quoted.
        if (len(data) - len(data.translate(None, _HIGH))) * 6 > len(data):
            if self._stem:
                data = data.replace(self._stem.encode(), stem)
            encoded = base64.encodebytes(data.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n")
            return self._head(charset, "base64") + encoded
        quoted = [part.joined(charset, part.quoted(charset), stem) for part in lines]
        return self._head(charset, "quoted-printable") + b"".join(quoted)

    def _head(self, charset: str, encoding: str) -> bytes:
        if (charset, encoding) not in self._heads:
            text = f'Content-Type: text/{self._subtype}; charset="{charset}"\r\n'
            text += f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
            self._heads[charset, encoding] = text.encode()
        return self._heads[charset, encoding]


def _is_open(data: bytes) -> bool:
    return not (data.translate(None, _OPEN) or _MARK in data or _has_long_line(data))


def _has_long_line(data: bytes) -> bool:
    return len(data) > _LONGEST_LINE and max(map(len, data.split(b"\n"))) > _LONGEST_LINE
