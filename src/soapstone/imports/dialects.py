"""The dialect of a file: whether a qualifier within a qualified value is doubled, or stands behind a backslash."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from soapstone.imports.backslashes import doubling
from soapstone.imports.blocks import Block, blocks
from soapstone.imports.records import BLOCK, Dialect, Place, UnreadableError

# Lines that a record may have from the one on with which it begins in the other reading.
LINES = 20
# Most records tried: a file that proves nothing by so many of them has another reason for its backslashes.
MOST_TRIED = 300


def dialect_of(file: BinaryIO, start: int, delimiter: str, qualifier: str, encoding: str) -> Dialect:
    """Return the dialect of a file whose text begins at the byte `start`.

    One record proves that qualifiers stand behind backslashes: read so, it has as many values as the first one; else it
    is malformed, or has another number of values. No record of a well-formed file does. The answer depends on the bytes
    alone.
    """
    plain = Dialect(delimiter, qualifier, encoding)
    if not qualifier or "\\" in (delimiter, qualifier) or not _may_be_escaped(file, start, plain):
        return plain
    escaped = Dialect(delimiter, qualifier, encoding, escaped=True)
    file.seek(start)
    first = _lines(b"".join(file.readline(BLOCK) for _ in range(LINES)), plain)
    width = _width(first, plain, escaped)
    tried = 0
    try:
        for block in blocks(file, plain, Place(start, 1)):
            for lines in _questionable(file, block, plain):
                if _proves(lines, width, plain, escaped):
                    return escaped
                tried += 1
                if tried == MOST_TRIED:
                    return plain
    except UnreadableError:
        # Whoever reads the file says so.
        return plain
    return plain


def _width(lines: list[str], plain: Dialect, escaped: Dialect) -> int:
    """Return the number of values of the first record; 0 if it cannot be read."""
    lines = lines[next((at for at, line in enumerate(lines) if line.strip("\r\n")), 0) :]
    for dialect in (plain, escaped):
        _, rows, state = _whole(lines, 1, dialect)
        if state != "malformed":
            return len(rows[0]) if rows else 0
    return 0


def _may_be_escaped(file: BinaryIO, start: int, dialect: Dialect) -> bool:
    """Return whether a qualifier behind a backslash is in the file where none can end a line or a doubled one be."""
    pair = f"\\{dialect.qualifier}".encode(dialect.encoding, "replace")
    telling = re.compile(re.escape(pair) + rb"[^\r\n" + re.escape(pair[1:]) + rb"]")
    file.seek(start)
    rest = b""
    while block := file.read(BLOCK):
        raw = rest + block
        if pair in raw and telling.search(raw):
            return True
        rest = raw[-len(pair) :]
    return False


def _questionable(file: BinaryIO, block: Block, dialect: Dialect) -> Iterator[list[str]]:
    """Yield the lines from the beginning of each record on in which a qualifier stands behind a backslash."""
    held = [position for position, row in enumerate(block.rows) if "\\" in "".join(row)]
    if not held:
        return
    file.seek(block.start.offset)
    raw = file.read(block.end.offset - block.start.offset)
    lines = _lines(raw + b"".join(file.readline(BLOCK) for _ in range(LINES)), dialect)
    pair = f"\\{dialect.qualifier}"
    begins = [number - block.start.line for number in block.lines]
    for position in held:
        first = begins[position]
        ends = begins[position + 1] if position + 1 < len(begins) else first + LINES
        # Others tell nothing, and may be many: a backslash stands in paths and names of logins, too.
        if any(pair in line for line in lines[first:ends]):
            yield lines[first : first + LINES]


def _lines(raw: bytes, dialect: Dialect) -> list[str]:
    return list(io.StringIO(raw.decode(dialect.encoding, "replace").replace("\0", ""), newline=""))


def _proves(lines: list[str], width: int, plain: Dialect, escaped: Dialect) -> bool:
    count, rows, state = _whole(lines, 1, escaped)
    pair = f"\\{plain.qualifier}"
    if state != "whole" or [len(row) for row in rows] != [width] or not any(pair in line for line in lines[:count]):
        return False
    _, rows, state = _whole(lines, count, plain)
    return state == "malformed" or any(len(row) != width for row in rows if row)


def _whole(lines: list[str], least: int, dialect: Dialect) -> tuple[int, list[list[str]], str]:
    """Return how many lines, from `least` on, end with a record, and what `_read` makes of them."""
    rows, state = _read(lines[:least], dialect)
    while state == "open" and least < len(lines):
        least += 1
        rows, state = _read(lines[:least], dialect)
    return least, rows, state


def _read(lines: Iterable[str], dialect: Dialect) -> tuple[list[list[str]], str]:
    """Return the records of some lines, and whether the last one is "whole", "malformed" or goes on: "open"."""
    doubled = doubling(dialect.delimiter, dialect.qualifier)
    ended = False

    def feed() -> Iterator[str]:
        nonlocal ended
        yield from map(doubled, lines) if dialect.escaped else lines
        ended = True

    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(feed(), delimiter=dialect.delimiter, quotechar=dialect.qualifier, strict=True))
    except csv.Error:
        return rows, "open" if ended else "malformed"
    return rows, "whole"
