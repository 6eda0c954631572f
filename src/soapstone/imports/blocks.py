"""Blocks: the records of a delimited text file, some thousands at a time.

Where a block keeps to its dialect the csv module reads it as a whole, which is many times faster than record by record.
Any other block is read by `Records`; both give the same records, flaws and places.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from soapstone.imports import outcomes
from soapstone.imports.records import RECORD_LINES, VALUE_CHARACTERS, Dialect, Place, Records, reader_of

# Bytes of a block. No value of a block can be too long, so it must not be larger than the limit of one.
BLOCK_BYTES = 1 << 20
assert BLOCK_BYTES <= VALUE_CHARACTERS  # noqa: S101
# What the decoder makes of bytes that are no text.
_NO_TEXT = re.compile("[\udc80-\udcff]")
# A line of our own behind the last one: a record that swallows it has no end in the block.
_END = "end"


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive records.

    `rows` are their fields, `lines` the physical line that each begins on, `flaws` what is wrong with some of them
    (position → outcome). `start` and `end` are where the block begins and where the next one does.
    """

    rows: list[list[str]]
    lines: Sequence[int]
    start: Place
    end: Place
    flaws: dict[int, str] = field(default_factory=dict)
    # Either the bytes of the block, or where its records end.
    _raw: bytes = b""
    _ends: Sequence[Place] = ()

    def place(self, position: int) -> Place:
        """Where the record at this position begins, or blank lines before it; `end` behind the last one."""
        if position >= len(self.rows):
            return self.end
        if position == 0:
            return self.start
        if self._ends:
            return self._ends[position - 1]
        before = self.lines[position] - self.start.line
        size = sum(map(len, self._raw.splitlines(keepends=True)[:before]))
        return Place(self.start.offset + size, self.lines[position])


def blocks(
    file: BinaryIO, dialect: Dialect, start: Place, stop: int | None = None, columns: int | None = None
) -> Iterator[Block]:
    """The records from `start` on, or only those that begin before the byte `stop`.

    With `columns` only so many first columns are wanted: further fields may be missing or still joined.
    """
    place = start
    while stop is None or place.offset < stop:
        size = BLOCK_BYTES if stop is None else min(BLOCK_BYTES, stop - place.offset)
        file.seek(place.offset)
        raw = file.read(size)
        if not raw:
            return
        # A full read may end amid a line. CR LF is never cut in two: its LF is the later one.
        whole = len(raw) < size or place.offset + size == stop
        cut = len(raw) if whole else max(raw.rfind(b"\n"), raw.rfind(b"\r", 0, len(raw) - 1)) + 1
        block = _quick(raw[:cut], dialect, place, columns) if cut else None
        if block is None:
            block = _thorough(file, dialect, place, place.offset + max(cut, 1))
        place = block.end
        if block.rows:
            yield block


def _thorough(file: BinaryIO, dialect: Dialect, start: Place, stop: int) -> Block:
    """The block as `Records` reads it."""
    rows: list[list[str]] = []
    lines: list[int] = []
    ends: list[Place] = []
    flaws: dict[int, str] = {}
    records = Records(file, dialect, start, stop)
    for record in records:
        if record.flaw:
            flaws[len(rows)] = record.flaw
        rows.append(record.fields)
        lines.append(record.line)
        ends.append(records.place)
    return Block(rows=rows, lines=lines, flaws=flaws, start=start, end=records.place, _ends=ends)


def _quick(raw: bytes, dialect: Dialect, start: Place, columns: int | None) -> Block | None:
    """The block as the csv module reads it; None when that would not do."""
    no_text = False
    try:
        text = raw.decode(dialect.encoding)
    except UnicodeDecodeError:
        text = raw.decode(dialect.encoding, "surrogateescape")
        no_text = True
    if "\0" in text:
        return None
    if columns is not None and not no_text and not (dialect.qualifier and dialect.qualifier in text):
        return _keys_only(raw, text, dialect, start, columns)
    physical = list(io.StringIO(text, newline=""))
    reader = reader_of(iter([*physical, _END]), dialect)
    rows: list[list[str]] = []
    ends: list[int] = []
    try:
        # Each record takes at least one line, so as many records as lines are one on each.
        rows = list(reader)
        if len(rows) <= len(physical):
            reader = reader_of(iter([*physical, _END]), dialect)
            rows = []
            for row in reader:
                rows.append(row)
                ends.append(reader.line_num)
    except csv.Error:
        return None
    if ends:
        if len(rows) < 2:
            return None
        open_end = ends[-2] != len(physical)
        firsts = [0, *ends[:-1]]
        if max(end - first for end, first in zip(ends, firsts, strict=True)) > RECORD_LINES:
            return None
    else:
        open_end = False
        firsts = list(range(len(rows)))
    rows.pop()
    taken = firsts.pop()
    end = Place(start.offset + len(raw), start.line + len(physical))
    if open_end:
        size = sum(map(len, raw.splitlines(keepends=True)[:taken]))
        raw, end = raw[:size], Place(start.offset + size, start.line + taken)
    flaws = _flawed(physical, firsts, taken, rows, dialect.encoding) if no_text else {}
    lines = [start.line + first for first in firsts]
    if [] in rows:
        kept = [position for position, row in enumerate(rows) if row]
        news = {old: new for new, old in enumerate(kept)}
        rows, lines = [rows[position] for position in kept], [lines[position] for position in kept]
        flaws = {news[position]: flaw for position, flaw in flaws.items()}
    return Block(rows=rows, lines=lines, flaws=flaws, start=start, end=end, _raw=raw)


def _keys_only(raw: bytes, text: str, dialect: Dialect, start: Place, columns: int) -> Block:
    """The first columns of a block without qualifiers, where each line is a record."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    physical = text.split("\n")
    if not physical[-1]:
        physical.pop()
    end = Place(start.offset + len(raw), start.line + len(physical))
    lines: Sequence[int] = range(start.line, end.line)
    if "" in physical:
        lines = [line for line, content in zip(lines, physical, strict=True) if content]
        physical = [content for content in physical if content]
    delimiter = dialect.delimiter
    rows = [content.split(delimiter, columns) for content in physical]
    return Block(rows=rows, lines=lines, start=start, end=end, _raw=raw)


def _flawed(physical: list[str], firsts: list[int], taken: int, rows: list[list[str]], codec: str) -> dict[int, str]:
    """Records with bytes that are no text; these bytes are replaced in them."""
    flaws = {}
    for position, (first, last) in enumerate(zip(firsts, [*firsts[1:], taken], strict=True)):
        if any(not line.isascii() and _NO_TEXT.search(line) for line in physical[first:last]) and rows[position]:
            flaws[position] = outcomes.ENCODING
            rows[position] = [
                value.encode(codec, "surrogateescape").decode(codec, "replace") for value in rows[position]
            ]
    return flaws
