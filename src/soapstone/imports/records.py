"""Records of a delimited text file, each with the physical line and the byte at which it begins.

The csv module parses; this module feeds it physical lines and tracks those that it takes. So each record has an exact
place, and one bad record spoils no other.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from soapstone.errors import InvalidError
from soapstone.imports.backslashes import doubling
from soapstone.imports.formulas import unescape
from soapstone.vocabulary.rows import ImportOutcome

if TYPE_CHECKING:
    from _csv import Reader

# A quoted value longer than this, in characters, or a record of more lines than this lacks its closing quote.
VALUE_CHARACTERS = 1 << 20
RECORD_LINES = 1000
# A physical line longer than this, in bytes, is not kept in memory.
LINE_BYTES = 4 << 20
# Nor is a record.
RECORD_BYTES = 16 << 20
# Bytes kept of the first line of a record without an end.
FLAWED_CHARACTERS = 4000
BLOCK = 256 << 10
# A byte order mark in quotes, or a second one, is no part of the first value of a file.
MARK = "\ufeff"

# The limit is global to the process, in which no other code reads values that long.
csv.field_size_limit(VALUE_CHARACTERS)


class UnreadableError(InvalidError):
    """The file cannot be read in its dialect; the message is a sentence for its owner."""


@dataclass(frozen=True)
class Dialect:
    """The format of a file. `encoding` is a Python codec in which line breaks are the bytes 10 and 13.

    `escaped` says that a qualifier within a qualified value stands behind a backslash (imports.backslashes).
    """

    delimiter: str
    qualifier: str
    encoding: str
    escaped: bool = False


@dataclass(frozen=True)
class Place:
    """The beginning of a record: byte offset and physical line (from 1)."""

    offset: int
    line: int


class Record(NamedTuple):
    """A record: its first physical line, its fields, and its flaw ("" or an outcome)."""

    line: int
    fields: list[str]
    flaw: str


class _Runaway(Exception):
    """The present record takes too many lines."""


class Records:
    """Reads the records of a file from `start` on, or only those that begin before the byte `stop`.

    Blank lines are no records. Line breaks are LF, CR LF and CR, inside quoted values too. `place` is the place after
    the last record returned. Raises UnreadableError if too much of the file had to be read repeatedly.
    """

    def __init__(self, file: BinaryIO, dialect: Dialect, start: Place, stop: int | None = None) -> None:
        self.place = start
        self._dialect = dialect
        self._stop = stop
        self._lines = _Lines(file, dialect.encoding, start.offset)

    def __iter__(self) -> Iterator[Record]:
        lines = self._lines
        reader = self._reader(lines)
        taken, stop, line = lines.taken, self._stop, self.place.line
        while stop is None or lines.offset < stop:
            lines.begin()
            flaw = ""
            try:
                fields = next(reader)
            except StopIteration:
                self.place = Place(lines.offset, line)
                return
            except _Runaway:
                flaw = (
                    ImportOutcome.TOO_LONG if lines.flaw == ImportOutcome.TOO_LONG else ImportOutcome.UNTERMINATED_QUOTE
                )
            except csv.Error:
                # The only error of a non-strict reader that gets single lines: a value over the limit.
                quoted = bool(self._dialect.qualifier) and any(
                    self._dialect.qualifier in taken_line.text for taken_line in taken
                )
                flaw = ImportOutcome.UNTERMINATED_QUOTE if quoted else ImportOutcome.TOO_LONG
            else:
                if lines.ended_early:
                    flaw = ImportOutcome.UNTERMINATED_QUOTE
            if flaw:
                fields = self._only_first_line(taken[0].text)
                lines.give_back_all_but_first()
                reader = self._reader(lines)
            elif lines.flaw:
                flaw = lines.flaw
            first, line = line, line + len(taken)
            if fields:
                if first == 1:
                    fields[0] = fields[0].lstrip(MARK)
                unescape(fields)
                self.place = Place(lines.offset, line)
                yield Record(first, fields, flaw)
        self.place = Place(lines.offset, line)

    def _reader(self, lines: Iterator[str]) -> Reader:
        return reader_of(lines, self._dialect)

    def _only_first_line(self, text: str) -> list[str]:
        # Without the qualifier any line is a record; a value too long for the csv module is cut.
        cut = text[:FLAWED_CHARACTERS]
        return next(reader_of(iter([cut]), replace(self._dialect, qualifier="")))


def reader_of(lines: Iterator[str], dialect: Dialect) -> Reader:
    """Return a csv reader for lines of this dialect."""
    if dialect.qualifier:
        if dialect.escaped:
            lines = map(doubling(dialect.delimiter, dialect.qualifier), lines)
        return csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.qualifier)
    return csv.reader(lines, delimiter=dialect.delimiter, quotechar=None, quoting=csv.QUOTE_NONE)


def behind(file: BinaryIO, start: Place, lines: int) -> Place:
    """Return the place after so many lines."""
    file.seek(start.offset)
    for _, size in islice(_physical_lines(file), lines):
        start = Place(start.offset + size, start.line + 1)
    return start


class _Line(NamedTuple):
    text: str
    # In bytes of the file; larger than the text if the line was cut.
    size: int
    flaw: str


class _Lines:
    """Physical lines of a file as text, one at a time, from a byte offset on.

    `taken` holds the lines since `begin`, `flaw` an outcome if one of them is bad; `ended_early` says that the file
    ended when more lines were requested. `offset` is the byte after the last line.
    """

    def __init__(self, file: BinaryIO, encoding: str, offset: int) -> None:
        file.seek(offset)
        self.offset = offset
        self.taken: list[_Line] = []
        self.flaw = ""
        self.ended_early = False
        self._begun = offset
        self._encoding = encoding
        self._source = _physical_lines(file)
        self._again: deque[_Line] = deque()
        # Lines read, and lines read again: bounds the cost of a file with broken quotes.
        self._read = self._reread = 0

    def begin(self) -> None:
        """Begin a record with the next line."""
        self.taken.clear()
        self.flaw = ""
        self.ended_early = False
        self._begun = self.offset

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.taken and self._must_end():
            raise _Runaway
        if self._again:
            line = self._again.popleft()
            self._reread += 1
        else:
            try:
                raw, size = next(self._source)
            except StopIteration:
                self.ended_early = bool(self.taken)
                raise
            self._read += 1
            line = self._line(raw, size)
        if line.flaw:
            self.flaw = line.flaw
        self.taken.append(line)
        self.offset += line.size
        return line.text

    def give_back_all_but_first(self) -> None:
        """Cut the record to its first line; the others are read again."""
        if self._reread > 1_000_000 + 4 * self._read:
            raise UnreadableError("The file cannot be read: too many of its quoted values have no end.")
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
        self.offset = self._begun + self.taken[0].size

    def _must_end(self) -> bool:
        return (
            len(self.taken) >= RECORD_LINES
            or self.offset - self._begun > RECORD_BYTES
            or self.flaw == ImportOutcome.TOO_LONG
        )

    def _line(self, raw: bytes, size: int) -> _Line:
        flaw = "" if size == len(raw) else ImportOutcome.TOO_LONG
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError:
            text = raw.decode(self._encoding, "replace")
            flaw = flaw or ImportOutcome.ENCODING
        if "\0" in text:
            # PostgreSQL cannot store this character in texts, and people cannot type it.
            text = text.replace("\0", "")
        return _Line(text, size, flaw)


def _physical_lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield lines with their ends, cut at LINE_BYTES, and their full sizes in bytes."""
    rest = b""
    while block := file.read(BLOCK):
        lines = (rest + block).splitlines(keepends=True)
        # A CR at the end may be half of CR LF.
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        for line in lines:
            yield line, len(line)
        if len(rest) > LINE_BYTES:
            kept, size = rest[:LINE_BYTES], len(rest)
            size, rest = _skip_line(file, rest[-1:], size)
            yield kept, size
    for line in rest.splitlines(keepends=True):
        yield line, len(line)


def _skip_line(file: BinaryIO, last: bytes, size: int) -> tuple[int, bytes]:
    """Read to the end of a line that has `size` bytes so far; return its size, and the bytes read after it."""
    while block := file.read(BLOCK):
        if last == b"\r":
            half = block.startswith(b"\n")
            return size + half, block[half:]
        head = block.splitlines(keepends=True)[0]
        size += len(head)
        last = head[-1:]
        if last == b"\n" or (last == b"\r" and len(head) < len(block)):
            return size, block[len(head) :]
    return size, b""
