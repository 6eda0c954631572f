"""Blocks: the records of a delimited text file, thousands at a time.

A block without qualifiers is split into lines and values; the csv module reads a block with well-formed qualifiers as a
whole. Both are many times as fast as `Records`, which reads any other block record by record, with the same records,
flaws and places.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from soapstone.imports.formulas import may_be_escaped, unescape_rows
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
# After records without an end, blocks are smaller, because they may be read again.
FEW_BYTES = 1 << 16
# Qualifiers are rare if so many bytes hold less than one.
SPARSE_BYTES = 4096
# The decoder's replacements of undecodable bytes.
_NO_TEXT = re.compile("[\udc80-\udcff]")
# A sentinel line after the last one: a record that includes it does not end in the block.
_END = "end"


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive records.

    `rows` are their fields, `lines` the physical line that each begins on, `flaws` the outcomes of bad ones (position →
    outcome). `start` and `end` are the beginnings of this block and the next. `texts` are the records before they are
    split at the delimiter, where they were requested and `rows` hold only the first fields.
    """

    rows: list[list[str]]
    lines: Sequence[int]
    start: Place
    end: Place
    flaws: dict[int, str] = field(default_factory=dict)
    texts: Sequence[str] = ()
    # Either the bytes of the block, or the ends of its records.
    _raw: bytes = b""
    _ends: Sequence[Place] = ()

    def place(self, position: int) -> Place:
        """Return the beginning of the record at this position, or of blank lines before it; `end` after the last."""
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
    file: BinaryIO,
    dialect: Dialect,
    start: Place,
    stop: int | None = None,
    columns: int | None = None,
    *,
    texts: bool = False,
) -> Iterator[Block]:
    """Yield the records from `start` on, or only those that begin before the byte `stop`.

    With `columns` only so many first columns are needed: further fields may be missing or still joined. With `texts`
    they are needed later: a block of such rows has the texts of all of them.
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
        # A full read may end within a line. CR LF is never split: the cut is after its LF.
        whole = len(raw) < size or place.offset + size == stop
        cut = len(raw) if whole else max(raw.rfind(b"\n"), raw.rfind(b"\r", 0, len(raw) - 1)) + 1
        cut = _before_quotes(raw, cut, dialect)
        block = _quick(raw[:cut], dialect, place, columns, texts) if cut else None
        if block is None:
            block = _thorough(file, dialect, place, place.offset + max(cut, 1))
        elif block.end == place:
            # The first record has no end in the block, or takes too many lines; the fast path resumes after it.
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
    """Return a smaller cut if qualifiers are rare: lines without them can be split, and the others need no large
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


def _quick(raw: bytes, dialect: Dialect, start: Place, columns: int | None, texts: bool) -> Block | None:
    """Read the block on the fast path, up to a record that needs `Records`; None if it is the first."""
    # Bytes are searched faster than text. In all codecs here these characters are their bytes (Dialect).
    if b"\0" in raw:
        return None
    text, all_text = _decoded(raw, dialect.encoding)
    backslashes = dialect.escaped and "\\" in text
    escaped = backslashes or may_be_escaped(text, dialect.qualifier)
    if texts and (escaped or not all_text or text.startswith(MARK)):
        # These rows do not stay as they stand in the file.
        columns = None
    block = (
        _parsed(raw, text, all_text, dialect, start)
        if dialect.qualifier and (backslashes or dialect.qualifier in text)
        else _split(raw, text, all_text, dialect, start, columns, texts)
    )
    if block is not None and escaped:
        unescape_rows(block.rows)
    return block


def _parsed(raw: bytes, text: str, all_text: bool, dialect: Dialect, start: Place) -> Block | None:
    """Return a block with qualifiers, as the csv module reads it; None on an error."""
    physical = list(io.StringIO(text, newline=""))
    reader = reader_of(iter([*physical, _END]), dialect)
    rows: list[list[str]] = []
    # The line that each record begins on, from 0, and the line after the last one.
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
    # A record that extends beyond the block begins the next block.
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
    """Decode the bytes; return the text and whether all bytes were valid. `_NO_TEXT` matches the others."""
    try:
        return raw.decode(codec), True
    except UnicodeDecodeError:
        return raw.decode(codec, "surrogateescape"), False


def _split(
    raw: bytes, text: str, all_text: bool, dialect: Dialect, start: Place, columns: int | None, texts: bool
) -> Block:
    """Return a block without qualifiers, where each line is a record."""
    returns = raw.count(b"\r")
    physical = text.split("\r\n" if returns else "\n")
    if returns and not len(physical) - 1 == returns == raw.count(b"\n"):
        physical = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not physical[-1]:
        physical.pop()
    end = Place(start.offset + len(raw), start.line + len(physical))
    lines: Sequence[int] = range(start.line, end.line)
    if "" in physical:
        lines = [line for line, content in zip(lines, physical, strict=True) if content]
        physical = [content for content in physical if content]
    if columns == 1 and not texts:
        # The first look at a file with the key in front: no other part of a record is copied.
        rows = [[content.partition(dialect.delimiter)[0]] for content in physical]
    else:
        most = -1 if columns is None else columns
        rows = [content.split(dialect.delimiter, most) for content in physical]
    flaws = {} if all_text else _flawed(_without_text(physical), rows, dialect.encoding)
    kept = physical if texts and columns is not None else ()
    return Block(rows=rows, lines=lines, flaws=flaws, texts=kept, start=start, end=end, _raw=raw)


def _without_text(physical: list[str]) -> list[int]:
    """Return the lines with undecodable bytes, from 0."""
    return [line for line, content in enumerate(physical) if not content.isascii() and _NO_TEXT.search(content)]


def _flawed(positions: Iterable[int], rows: list[list[str]], codec: str) -> dict[int, str]:
    """Return the flaws of records with undecodable bytes, and replace these bytes in them."""
    flaws: dict[int, str] = {}
    for position in positions:
        flaws[position] = ImportOutcome.ENCODING
        rows[position] = [value.encode(codec, "surrogateescape").decode(codec, "replace") for value in rows[position]]
    return flaws
