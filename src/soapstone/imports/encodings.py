"""The encoding of a text file: how it is told, and a copy in UTF-8 where line breaks would not be single bytes."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

BLOCK = 1 << 20
# A longer line is judged in pieces.
LINE_BYTES = 8 << 20
# Both byte order marks of UTF-16; a file with one of them is read through a copy.
WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@contextmanager
def readable(path: Path, encoding: str) -> Iterator[tuple[BinaryIO, str, int]]:
    """The file for reading, its Python codec, and the number of bytes before its text.

    `encoding` as in ImportSpec. A file without byte order mark is UTF-8 when at least 99 of 100 lines with bytes
    beyond ASCII are, else Windows-1252 (lk-68). The answer depends on nothing but the file.
    """
    with path.open("rb") as file:
        head = file.read(3)
        if head.startswith(codecs.BOM_UTF8):
            yield file, "utf-8", len(codecs.BOM_UTF8)
        elif encoding:
            yield file, encoding, 0
        elif head[:2] in WIDE:
            # Nobody else sees the copy, and it is gone when the process is, however that ends.
            with TemporaryFile(dir=path.parent) as copy:
                _transcode(file, WIDE[head[:2]], cast(BinaryIO, copy))
                yield cast(BinaryIO, copy), "utf-8", 0
        else:
            yield file, _guess(file), 0


def _guess(file: BinaryIO) -> str:
    file.seek(0)
    beyond_ascii = invalid = 0
    rest = b""
    while block := file.read(BLOCK):
        text = rest + block
        cut = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if not cut and len(text) > LINE_BYTES:
            cut = len(text)
        head, rest = text[:cut], text[cut:]
        if not head.isascii():
            more, bad = _judge(head)
            beyond_ascii, invalid = beyond_ascii + more, invalid + bad
    more, bad = _judge(rest)
    return "utf-8" if (invalid + bad) * 100 <= beyond_ascii + more else "cp1252"


def _judge(text: bytes) -> tuple[int, int]:
    """Lines with bytes beyond ASCII, and those of them that are not UTF-8."""
    lines = [line for line in text.splitlines() if not line.isascii()]
    try:
        text.decode()
    except UnicodeDecodeError:
        return len(lines), sum(not _valid(line) for line in lines)
    return len(lines), 0


def _valid(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _transcode(file: BinaryIO, codec: str, copy: BinaryIO) -> None:
    file.seek(2)
    decoder = codecs.getincrementaldecoder(codec)("replace")
    while block := file.read(BLOCK):
        copy.write(decoder.decode(block).encode())
    copy.write(decoder.decode(b"", final=True).encode())
