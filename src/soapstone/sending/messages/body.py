"""One body of all mails of a message, as bytes: what does not differ between the mails is prepared once.

A text comes in pieces, as its template gives them. The whole lines within a piece that is the same in every mail are
encoded once and kept; the lines in which something is merged are encoded together for each mail. The result is the same
as if the whole text were encoded for itself: quoted-printable knows nothing beyond a line, and what decides about the
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
# What RFC 2045 lets a line of quoted-printable hold.
_LONGEST_QUOTED = 76

# Octets that may stand in the open, and those that quoted-printable must quote for not being ASCII.
_OPEN = bytes([*b"\t\n", *range(0x20, 0x7F)])
_HIGH = bytes(range(0x7F, 0x100))
# The start of our boundaries, which may not stand in the open.
_MARK = b"--=_"
# Quoted-printable breaks a long line by it.
_SOFT_BREAK = b"=\r\n"
# A line that stands for shared lines among those of one mail.
_SEPARATOR = "\x01\n"
_OPEN_OR_SEPARATOR = _OPEN + b"\x01"


class SharedLines:
    """Whole lines that are the same in every mail, but for its stem; all that is worked out of them is kept.

    `gap` is the text that stands for the stem, if there is one.
    """

    def __init__(self, text: str, gap: str = "") -> None:
        self._text = _normalized(text)
        data = self._text.encode()
        # Whether they may stand as they are: ASCII without control characters, no boundary, no line too long.
        self.open = self._text.isascii() and _is_open(data, _OPEN)
        self._as_is = data.replace(b"\n", b"\r\n") if self.open else b""
        self._gap = None
        if gap and gap in text:
            self._gap = re.compile(b"(" + b"(?:=\r\n)?".join(re.escape(letter.encode()) for letter in gap) + b")")
        self._data: dict[str, bytes | None] = {}
        self._high: dict[str, int] = {}
        self._quoted: dict[str, bytes] = {}
        # Way of encoding → its pieces, of which every second one is a gap, and the soft line break in each gap.
        self._pieces: dict[str, tuple[list[bytes], list[int]]] = {}

    def as_is(self, stem: bytes) -> bytes:
        """Return the lines as they go out in the open, if they may, with the stem of the mail."""
        return self._joined("", self._as_is, stem)

    def quoted(self, charset: str, stem: bytes) -> bytes:
        """Return the lines as they go out in quoted-printable, with the stem of the mail."""
        quoted = self._quoted.get(charset)
        if quoted is None:
            quoted = self._quoted[charset] = _quoted(self.data(charset) or b"")
        return self._joined(charset, quoted, stem)

    def data(self, charset: str) -> bytes | None:
        """Return the lines in a character set, with LF as line end; None when it has not all their letters."""
        if charset not in self._data:
            self._data[charset] = _encoded(self._text, charset)
        return self._data[charset]

    def high(self, charset: str) -> int:
        """Return how many octets of these data are not ASCII."""
        if charset not in self._high:
            self._high[charset] = _high(self.data(charset) or b"")
        return self._high[charset]

    def _joined(self, way: str, encoded: bytes, stem: bytes) -> bytes:
        """Return the lines, encoded in this way, with the stem in their gaps."""
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
    there is one. With `texts` the pieces of each mail are these texts, which are fixed, and a value between each two of
    them. Not for several threads.
    """

    def __init__(
        self,
        subtype: str,
        charset: str = "utf-8",
        fixed: Collection[str] = (),
        stem: str = "",
        texts: Sequence[str] = (),
    ) -> None:
        self._subtype = subtype
        self._charset = charset
        self._stem = stem
        # Of a piece with whole lines between its first and its last line end: the rest with a separator in their place.
        self._fixed: dict[str, tuple[str, SharedLines]] = {}
        for piece in fixed:
            first, last = piece.find("\n") + 1, piece.rfind("\n") + 1
            if last > first:
                self._fixed[piece] = piece[:first] + _SEPARATOR + piece[last:], SharedLines(piece[first:last], stem)
        # What all mails have of these texts: their own lines with gaps for the values, and shared lines.
        self._texts, self._shared = self._divided(texts)
        self._gaps = [""] * (2 * len(texts) - 1)
        self._gaps[::2] = self._texts
        self._heads: dict[tuple[str, str], bytes] = {}

    def write(self, pieces: Sequence[str], stem: str = "") -> bytes:
        """Return the body of one mail with its headers, from the pieces of its text; it ends in a line break.

        `stem` is that of the mail, and as long as what stands for it.
        """
        if self._texts:
            own, shared = self._gaps.copy(), self._shared
            own[1::2] = pieces[1::2]
        else:
            own, shared = self._divided(pieces)
        text = "".join(own)
        if text.count(_SEPARATOR[0]) != len(shared):
            # A value has this character.
            text, shared = "".join(pieces), []
        if self._stem:
            text = text.replace(self._stem, stem)
        text = _normalized(text)
        return self._encode(text if text.endswith("\n") else text + "\n", shared, stem.encode())

    def _divided(self, pieces: Sequence[str]) -> tuple[list[str], list[SharedLines]]:
        """Return pieces with separators in place of shared lines, and the latter."""
        own: list[str] = []
        shared: list[SharedLines] = []
        for piece in pieces:
            known = self._fixed.get(piece)
            if known is None:
                own.append(piece)
            else:
                own.append(known[0])
                shared.append(known[1])
        return own, shared

    def _encode(self, text: str, shared: Sequence[SharedLines], stem: bytes) -> bytes:
        """Return the body with its headers: the lines of this mail, with shared lines in place of separators."""
        charset = self._charset
        if text.isascii() and all(part.open for part in shared):
            data = text.encode()
            if _is_open(data, _OPEN_OR_SEPARATOR if shared else _OPEN):
                lines = data.replace(b"\n", b"\r\n")
                return self._head(charset, "7bit") + _filled(lines, b"\x01\r\n", [part.as_is(stem) for part in shared])
        parts = [part.data(charset) for part in shared]
        encoded = _encoded(text, charset)
        if encoded is None or None in parts:
            charset = "utf-8"
            parts, encoded = [part.data(charset) for part in shared], text.encode()
        # Text that is mostly not ASCII is three times as long when every byte of it is quoted.
        size = len(encoded) + sum([len(part) - len(_SEPARATOR) for part in parts if part])
        if (_high(encoded) + sum([part.high(charset) for part in shared])) * 6 > size:
            whole = _filled(encoded, b"\x01\n", [part or b"" for part in parts])
            if self._stem:
                whole = whole.replace(self._stem.encode(), stem)
            lines = base64.encodebytes(whole.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n")
            return self._head(charset, "base64") + lines
        quoted = _filled(_quoted(encoded), b"=01\r\n", [part.quoted(charset, stem) for part in shared])
        return self._head(charset, "quoted-printable") + quoted

    def _head(self, charset: str, encoding: str) -> bytes:
        if (charset, encoding) not in self._heads:
            text = f'Content-Type: text/{self._subtype}; charset="{charset}"\r\n'
            text += f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
            self._heads[charset, encoding] = text.encode()
        return self._heads[charset, encoding]


def _normalized(text: str) -> str:
    """Return the text with LF as line end."""
    return _LINE_BREAK.sub("\n", text) if "\r" in text else text


def _encoded(text: str, charset: str) -> bytes | None:
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        return None


def _quoted(data: bytes) -> bytes:
    """Return lines in quoted-printable, of at most 76 octets (RFC 2045 6.7)."""
    quoted = binascii.b2a_qp(data)
    if b"=20\n" in quoted or b"=09\n" in quoted:
        # binascii quotes a blank at the end of a line without looking at the length.
        lines = quoted.split(b"\n")
        quoted = b"\n".join(
            [line if len(line) <= _LONGEST_QUOTED else line[:-3] + b"=\n" + line[-3:] for line in lines]
        )
    return quoted.replace(b"\n", b"\r\n")


def _high(data: bytes) -> int:
    """Return how many octets are not ASCII."""
    return len(data) - len(data.translate(None, _HIGH))


def _filled(lines: bytes, separator: bytes, shared: Sequence[bytes]) -> bytes:
    """Return the lines with shared ones in place of the separators."""
    if not shared:
        return lines
    parts = [b""] * (2 * len(shared) + 1)
    parts[0::2], parts[1::2] = lines.split(separator), shared
    return b"".join(parts)


def _is_open(data: bytes, octets: bytes) -> bool:
    return not (data.translate(None, octets) or _MARK in data or _has_long_line(data))


def _has_long_line(data: bytes) -> bool:
    return len(data) > _LONGEST_LINE and max(map(len, data.split(b"\n"))) > _LONGEST_LINE
