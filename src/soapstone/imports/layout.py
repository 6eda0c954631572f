"""The layout of a delimited file: its delimiter, and the lines above its first row."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from soapstone.imports.formulas import unescape_rows
from soapstone.imports.header_row import open_beginning
from soapstone.imports.records import Dialect, reader_of

# The candidates; of several that fit alike, the first wins.
DELIMITERS = (",", ";", "\t", "|")
# The part of a file that shows its delimiter, in bytes and in records.
SAMPLE_BYTES = 64 << 10
SAMPLE_RECORDS = 100
# A line of Excel, above all others, that names the delimiter.
_SEPARATOR = re.compile(r"\ufeff*\"?sep=(\\t|[^\r\n])\"?[,;\t| ]*", re.IGNORECASE)
# A value that is an address, maybe after a name. It holds no delimiter.
_ADDRESS = re.compile(r"(?:[^@<>]*<)?[^\s@,;|<>\"]+@[^\s@,;|<>\"]+>?")
# A longer value is no address.
_LONGEST = 400


class Layout(NamedTuple):
    """The delimiter, and the number of lines above the first row."""

    delimiter: str
    skip: int


def recognised(path: Path, *, delimiter: str, qualifier: str, encoding: str, skip: int, header: bool) -> Layout:
    """Return the layout of a file, from its beginning; an empty `delimiter` is detected. Raises InvalidError.

    A line `sep=;` at the top of the file is no row, and sets the delimiter unless the caller gives another one.
    """
    file, codec, top = open_beginning(path, encoding, 0)
    file.seek(top.offset)
    first = file.readline(100).splitlines()
    if first and (separator := _SEPARATOR.fullmatch(first[0].decode(codec, "replace"))):
        return Layout(delimiter or separator[1].replace(r"\t", "\t"), max(skip, 1))
    if delimiter:
        return Layout(delimiter, skip)
    file, codec, start = open_beginning(path, encoding, skip)
    file.seek(start.offset)
    sample = file.read(SAMPLE_BYTES)
    text = sample.decode(codec, "replace").replace("\0", "")
    return Layout(delimiter_of(text, qualifier, header=header, cut=len(sample) == SAMPLE_BYTES), skip)


def delimiter_of(text: str, qualifier: str, *, header: bool, cut: bool = False) -> str:
    """Return the delimiter of a text; `header` says that its first row is a header, `cut` that it ends within a row.

    The best one gives the most rows an address as a value, then the most rows as many values as the first, then the
    most columns. A delimiter that is not in the header counts only if the header has none: then the file has one
    column, and a row must not be split into several values.
    """
    tables = {delimiter: _table(text, delimiter, qualifier, cut) for delimiter in DELIMITERS if delimiter != qualifier}
    several = {delimiter: rows for delimiter, rows in tables.items() if rows and len(rows[0]) > 1}
    if header and not several:
        return max(tables, key=lambda delimiter: (_whole(tables[delimiter]), *_fitness(tables[delimiter], header)))
    return max(several or tables, key=lambda delimiter: _fitness(tables[delimiter], header))


def _table(text: str, delimiter: str, qualifier: str, cut: bool) -> list[list[str]]:
    reader = reader_of(io.StringIO(text, newline=""), Dialect(delimiter, qualifier, "utf-8"))
    rows: list[list[str]] = []
    # A value may be too long; the rows before it suffice.
    with suppress(csv.Error):
        rows.extend(islice(filter(None, reader), SAMPLE_RECORDS))
    unescape_rows(rows)
    if cut and 1 < len(rows) < SAMPLE_RECORDS:
        rows.pop()
    return rows


def _whole(rows: list[list[str]]) -> int:
    """Return the number of rows with at most one value."""
    return sum(sum(not value.isspace() for value in filter(None, row)) <= 1 for row in rows)


def _fitness(rows: list[list[str]], header: bool) -> tuple[int, int, int]:
    width = len(rows[0]) if rows else 0
    addresses = sum(any(map(_is_address, row[:width])) for row in rows[header:])
    return addresses, sum(len(row) == width for row in rows), width


def _is_address(value: str) -> bool:
    # A tab beside an address is a delimiter that was not split at.
    return len(value) <= _LONGEST and "@" in value and _ADDRESS.fullmatch(value.strip(" ")) is not None
