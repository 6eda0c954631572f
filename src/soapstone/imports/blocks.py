"""Blocks: the records of a delimited text file, some thousands at a time.

A block without qualifiers is split into lines and values; where one with qualifiers keeps to its dialect, the csv
module reads it as a whole. Both are many times as fast as reading record by record, which `Records` does for any other
block, with the same records, flaws and places.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from soapstone.imports.formulas import may_be_escaped, unescape
from soapstone.imports.records import (
    MARK,
    RECORD_LINES,
    VALUE_CHARACTERS,
    Dialect,
    Place,
    Records,
    UnreadableError,
    reader_of,
)
from soapstone.vocabulary.rows import ImportOutcome

# Bytes of a block. No value of a block can be too long, so it must not be larger than the limit of one.
BLOCK_BYTES = 1 << 20
assert BLOCK_BYTES <= VALUE_CHARACTERS  # noqa: S101
# Where records turn out to have no end, what lies behind them is read in smaller blocks, for it may be read again.
FEW_BYTES = 1 << 16
# Qualifiers are few where there is less than one in so many bytes.
SPARSE_BYTES = 4096
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
        """Return where the record at this position begins, or blank lines before it; `end` behind the last one."""
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
    """Yield the records from `start` on, or only those that begin before the byte `stop`.

    With `columns` only so many first columns are wanted: further fields may be missing or still joined.
    """
    place = start
    most = BLOCK_BYTES
    open_ended = 0
    while stop is None or place.offset < stop:
        size = most if stop is None else min(most, stop - place.offset)
        file.seek(place.offset)
        raw = file.read(size)
        if not raw:
            return
        # A full read may end amid a line. CR LF is never cut in two: its LF is the later one.
        whole = len(raw) < size or place.offset + size == stop
        cut = len(raw) if whole else max(raw.rfind(b"\n"), raw.rfind(b"\r", 0, len(raw) - 1)) + 1
        cut = _before_quotes(raw, cut, dialect)
        block = _quick(raw[:cut], dialect, place, columns) if cut else None
        if block is None:
            block = _thorough(file, dialect, place, place.offset + max(cut, 1))
        elif block.end == place:
            # The first record has no end in the block, or takes too many lines; the quick way goes on behind it.
            block = _thorough(file, dialect, place, place.offset + 1)
            most = FEW_BYTES if block.flaws else min(2 * most, BLOCK_BYTES)
            open_ended += bool(block.flaws)
            if open_ended * RECORD_LINES > 1_000_000 + 4 * (place.line - start.line):
                raise UnreadableError("The file cannot be read: too many of its quoted values have no end.")
        else:
            most = min(2 * most, BLOCK_BYTES)
        if place.line == 1 and block.rows and block.lines[0] == 1 and block.rows[0][0].startswith(MARK):
            block.rows[0][0] = block.rows[0][0].lstrip(MARK)
        place = block.end
        if block.rows:
            yield block


def _before_quotes(raw: bytes, cut: int, dialect: Dialect) -> int:
    """Return a smaller cut where qualifiers are few: lines without them can be split, and the others need no large
    block."""
    qualifier = dialect.qualifier.encode(dialect.encoding, "replace")
    first = raw.find(qualifier, 0, cut) if qualifier else -1
    if first < 0:
        return cut
    if (lines := raw.rfind(b"\n", 0, first) + 1) >= FEW_BYTES:
        return lines
    if raw.count(qualifier, 0, cut) * SPARSE_BYTES < cut:
        return raw.rfind(b"\n", 0, max(FEW_BYTES, first)) + 1 or cut
    return cut


def _thorough(file: BinaryIO, dialect: Dialect, start: Place, stop: int) -> Block:
    """Return the block as `Records` reads it."""
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
    """Return the block at one go, up to a record that does not do; None when there is no such way."""
    text, all_text = _decoded(raw, dialect.encoding)
    if "\0" in text:
        return None
    block = (
        _parsed(raw, text, all_text, dialect, start)
        if dialect.qualifier and dialect.qualifier in text
        else _split(raw, text, all_text, dialect, start, columns)
    )
    if block is not None and may_be_escaped(text, dialect.qualifier):
        for row in block.rows:
            # A look at each value would cost far more, and apostrophes are few.
            if "'" in "".join(row):
                unescape(row)
    return block


def _parsed(raw: bytes, text: str, all_text: bool, dialect: Dialect, start: Place) -> Block | None:
    """Return a block with qualifiers, as the csv module reads it; None where it finds an error."""
    physical = list(io.StringIO(text, newline=""))
    reader = reader_of(iter([*physical, _END]), dialect)
    rows: list[list[str]] = []
    # Which line each record begins on, from 0, and the last one ends before.
    bounds = [0]
    try:
        for row in reader:
            rows.append(row)
            bounds.append(reader.line_num)
    except csv.Error:
        return None
    rows.pop()
    bounds.pop()
    sizes = list(map(int.__sub__, bounds[1:], bounds))
    if sizes and max(sizes) > RECORD_LINES:
        good = next(position for position, size in enumerate(sizes) if size > RECORD_LINES)
        del rows[good:], bounds[good + 1 :]
    # A record that goes beyond the block, if there is one, begins the next block.
    lines = bounds[-1]
    if lines != len(physical):
        raw = b"".join(raw.splitlines(keepends=True)[:lines])
    end = Place(start.offset + len(raw), start.line + lines)
    flaws = {}
    if not all_text:
        holders = {bisect_right(bounds, line) - 1 for line in _without_text(physical[:lines])}
        flaws = _flawed([position for position in holders if rows[position]], rows, dialect.encoding)
    numbers = [start.line + line for line in bounds[:-1]]
    if [] in rows:
        kept = [position for position, row in enumerate(rows) if row]
        flaws = {new: flaws[old] for new, old in enumerate(kept) if old in flaws}
        rows, numbers = [rows[position] for position in kept], [numbers[position] for position in kept]
    return Block(rows=rows, lines=numbers, flaws=flaws, start=start, end=end, _raw=raw)


def _decoded(raw: bytes, codec: str) -> tuple[str, bool]:
    """Return the text, and whether all of it is one; bytes that are none stand in it as `_NO_TEXT` finds them."""
    try:
        return raw.decode(codec), True
    except UnicodeDecodeError:
        return raw.decode(codec, "surrogateescape"), False


def _split(raw: bytes, text: str, all_text: bool, dialect: Dialect, start: Place, columns: int | None) -> Block:
    """Return a block without qualifiers, where each line is a record."""
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
    most = -1 if columns is None else columns
    rows = [content.split(dialect.delimiter, most) for content in physical]
    flaws = {} if all_text else _flawed(_without_text(physical), rows, dialect.encoding)
    return Block(rows=rows, lines=lines, flaws=flaws, start=start, end=end, _raw=raw)


def _without_text(physical: list[str]) -> list[int]:
    """Return the lines with bytes that are no text, from 0."""
    return [line for line, content in enumerate(physical) if not content.isascii() and _NO_TEXT.search(content)]


def _flawed(positions: Iterable[int], rows: list[list[str]], codec: str) -> dict[int, str]:
    """Return the flaws of records with bytes that are no text; these bytes are replaced in them."""
    flaws: dict[int, str] = {}
    for position in positions:
        flaws[position] = ImportOutcome.ENCODING
        rows[position] = [value.encode(codec, "surrogateescape").decode(codec, "replace") for value in rows[position]]
    return flaws
