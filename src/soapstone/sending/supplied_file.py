"""The file of a Send to File: recipients, one a row, with values of their own."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from soapstone.sending.template import merge_key

# The column with the addresses, letter case aside; without it the first column has them (lk-87).
ADDRESS_COLUMN = "emailaddress"

# Longer lines and values are no list of people; the bounds keep a broken file from filling the memory. In characters.
LONGEST_LINE = 1 << 20
LONGEST_VALUE = csv.field_size_limit()
DETECT_BYTES = 1 << 20


class InvalidFile(Exception):
    """The supplied file, or what was said about it, cannot be used; the text is a sentence for its sender."""


@dataclass(frozen=True, kw_only=True)
class FileForm:
    """How a supplied file is written: one delimiter, one text qualifier or none, with column names or without.

    An empty delimiter means a comma and a backslash with a "t" a tab (lk-68). Raises InvalidFile.
    """

    name: str = ""
    delimiter: str = ","
    qualifier: str = '"'
    header: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "delimiter", {"": ",", "\\t": "\t"}.get(self.delimiter, self.delimiter))
        if len(self.delimiter) != 1 or self.delimiter in "\r\n\0":
            raise InvalidFile("The delimiter of the file is not one character.")
        if len(self.qualifier) > 1 or (self.qualifier and self.qualifier in "\r\n\0"):
            raise InvalidFile("The text qualifier of the file is not one character.")
        if self.qualifier == self.delimiter:
            raise InvalidFile("The delimiter and the text qualifier of the file are the same.")

    @property
    def document(self) -> dict[str, Any]:
        """The form as a job's request keeps it."""
        return {"delimiter": self.delimiter, "qualifier": self.qualifier, "header": self.header}


@dataclass(frozen=True)
class Row:
    """One recipient of the file: the address as it stands there, and the value of each column by merge key."""

    address: str
    values: Mapping[str, str]


class SuppliedFile:
    """Reads a supplied file, row by row, in little memory: UTF-8, with or without mark, else Windows-1252."""

    def __init__(self, path: Path, form: FileForm) -> None:
        self._path = path
        self._form = form
        self._encoding = _encoding(path)
        first = next(self._records(), None)
        if first is None:
            raise InvalidFile("The file is empty.")
        names = first if form.header else []
        keys = [merge_key(_clean(name)) or f"column{n}" for n, name in enumerate(names, 1)]
        self._keys = keys or [f"column{n}" for n in range(1, len(first) + 1)]
        self._address = self._keys.index(ADDRESS_COLUMN) if ADDRESS_COLUMN in self._keys else 0

    @property
    def columns(self) -> frozenset[str]:
        """Merge keys of the columns; without column names they are `column1`, `column2` …"""
        return frozenset(self._keys)

    def rows(self) -> Iterator[Row]:
        """All rows in order. Raises InvalidFile in the middle when the file cannot be read on."""
        records = self._records()
        if self._form.header:
            next(records, None)
        # Of two columns with one name the first counts, so it comes last.
        columns = list(enumerate(self._keys))[::-1]
        for record in records:
            width = len(record)
            values = {key: record[n] for n, key in columns if n < width}
            yield Row(record[self._address].strip() if self._address < width else "", values)

    def _records(self) -> Iterator[list[str]]:
        with self._path.open("rb") as file:
            text = io.TextIOWrapper(file, self._encoding, errors="replace", newline="")
            if self._form.qualifier:
                reader = csv.reader(_lines(text), delimiter=self._form.delimiter, quotechar=self._form.qualifier)
            else:
                reader = csv.reader(_lines(text), delimiter=self._form.delimiter, quoting=csv.QUOTE_NONE)
            try:
                for record in reader:
                    # Blank lines are no records.
                    if record:
                        yield [_clean(value) for value in record]
            except csv.Error:
                raise InvalidFile(
                    f"The file cannot be read on after line {reader.line_num}: a value is longer than "
                    f"{LONGEST_VALUE} characters; perhaps a text qualifier was not closed."
                ) from None


def _clean(value: str) -> str:
    # No database takes NUL characters in documents.
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if len(line) >= LONGEST_LINE:
            raise InvalidFile(f"Line {number} of the file is longer than {LONGEST_LINE - 1} characters.")
        yield line


def _encoding(path: Path) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            for data in _blocks(file):
                decoder.decode(data)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(DETECT_BYTES):
        yield data
