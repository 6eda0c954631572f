"""The encoding of a text file: its detection, and a UTF-8 copy if the file cannot be split as bytes."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from soapstone.imports.charsets import codec_of, must_be_decoded_first

# A block that stays in the processor's cache: 500 MB take half a second; with 1 MB it is twice that.
BLOCK = 256 << 10
# A longer line is checked in pieces.
LINE_BYTES = 8 << 20
# Both byte order marks of UTF-16, which is read through a copy.
WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# Bytes needed to detect UTF-16 without a mark.
HEAD_BYTES = 1024
# The replacement of undecodable bytes in a copy: half a character, which is no UTF-8 either.
_NO_TEXT = "\ud800"


@dataclass(frozen=True)
class Plain:
    """A file to read with a Python codec whose line breaks are the bytes 10 and 13; `skip` bytes precede the text."""

    path: Path
    codec: str
    skip: int


def plain(path: Path, encoding: str, folder: Path) -> Plain:
    """Return how to read a file; if its text must be decoded first, a UTF-8 copy in `folder`.

    `encoding` as in ImportSpec, "" to detect it. A byte order mark of UTF-8 overrides it.
    """
    with path.open("rb") as file:
        codec, skip = tell(file, encoding)
        if not must_be_decoded_first(codec):
            return Plain(path, codec, skip)
        copy = folder / "utf-8"
        with copy.open("w+b") as target:
            return Plain(copy, "utf-8", transcode(file, codec, skip, target))


@contextmanager
def readable(path: Path, encoding: str) -> Iterator[tuple[BinaryIO, str, int]]:
    """Yield the file for reading, its Python codec, and the number of bytes before its text; otherwise like `plain`."""
    with path.open("rb") as file:
        codec, skip = tell(file, encoding)
        if not must_be_decoded_first(codec):
            yield file, codec, skip
            return
        # The copy has no name, and disappears with the process, however that ends.
        with TemporaryFile(dir=path.parent) as copy:
            target = cast(BinaryIO, copy)
            yield target, "utf-8", transcode(file, codec, skip, target)


def tell(file: BinaryIO, encoding: str) -> tuple[str, int]:
    """Return the file's Python codec, and the number of bytes before its text. Raises InvalidError for an unknown
    charset.

    A file without byte order mark is UTF-16 when it looks like that. It is UTF-8 when at least two lines hold valid
    multi-byte text, and they are at least as many as the lines with other bytes beyond ASCII, or when at least 99 of
    100 lines with bytes beyond ASCII are valid; else Windows-1252 (lk-68). The answer depends on the bytes alone.
    """
    named = codec_of(encoding) if encoding else ""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    # A program that quotes each value may quote the mark as well.
    if head.startswith(codecs.BOM_UTF8) or (head[:1] in b"\"'" and head[1:].startswith(codecs.BOM_UTF8)):
        return "utf-8", _marks(file)
    if named in ("", *WIDE.values()):
        for mark, codec in WIDE.items():
            if head.startswith(mark):
                return codec, len(mark)
        if encoding in ("", "utf-16") and (wide := _wide(head)):
            return wide, 0
    return named or _guess(file), 0


def _marks(file: BinaryIO) -> int:
    """Return the number of bytes of byte order marks at the beginning of a UTF-8 file."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    mark = codecs.BOM_UTF8
    return next(at for at in range(0, HEAD_BYTES + len(mark), len(mark)) if not head.startswith(mark, at))


def transcode(file: BinaryIO, codec: str, skip: int, copy: BinaryIO) -> int:
    """Write a copy in UTF-8, and return the number of bytes before its text.

    Undecodable bytes stay undecodable in the copy, so that their rows are reported.
    """
    file.seek(skip)
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass" if codec in WIDE.values() else _NO_TEXT_ERRORS)
    while block := file.read(BLOCK):
        copy.write(decoder.decode(block).encode("utf-8", "surrogatepass"))
    try:
        copy.write(decoder.decode(b"", final=True).encode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        # The file ends within a character.
        copy.write(b"\xff")
    return _marks(copy)


def _without_text(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _NO_TEXT, error.end


_NO_TEXT_ERRORS = "soapstone.no_text"
codecs.register_error(_NO_TEXT_ERRORS, _without_text)


def _wide(head: bytes) -> str:
    """Return the codec of UTF-16 without mark, or "".

    Other text has no zero bytes. In UTF-16 they are one half of each Latin letter, digit and delimiter; a character
    of another script has one in the other half now and then.
    """
    even, odd = head[::2].count(0), head[1::2].count(0)
    few, many = sorted((even, odd))
    if many * 4 < len(head) or few * 10 > many or not many:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _guess(file: BinaryIO) -> str:
    left = file.seek(0, os.SEEK_END)
    file.seek(0)
    beyond_ascii = invalid = 0
    rest = b""
    while block := file.read(BLOCK):
        left -= len(block)
        text = rest + block
        cut = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if not cut and len(text) > LINE_BYTES:
            cut = len(text)
        head, rest = text[:cut], text[cut:]
        if not head.isascii():
            more, bad = _count_lines(head)
            beyond_ascii, invalid = beyond_ascii + more, invalid + bad
            # A line with a character beyond ASCII has at least three bytes: so many lines can follow without changing
            # the answer.
            if invalid and beyond_ascii - invalid + (left + len(rest)) // 3 + 1 < max(2, invalid):
                return "cp1252"
    more, bad = _count_lines(rest)
    beyond_ascii, invalid = beyond_ascii + more, invalid + bad
    valid = beyond_ascii - invalid
    return "utf-8" if valid >= max(2, invalid) or invalid * 100 <= beyond_ascii else "cp1252"


def _count_lines(text: bytes) -> tuple[int, int]:
    """Count the lines with bytes beyond ASCII, and those of them that are not UTF-8."""
    lines = list(filterfalse(bytes.isascii, text.splitlines()))
    if _valid(text):
        # A line break is no part of a character: each line is valid.
        return len(lines), 0
    return len(lines), sum(not _valid(line) for line in lines)


def _valid(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
