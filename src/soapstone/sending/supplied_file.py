"""The file of a Send to File: one recipient per row, with merge values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soapstone.address_repair import repaired
from soapstone.errors import InvalidError
from soapstone.imports.columns import Headings
from soapstone.imports.dialects import dialect_of
from soapstone.imports.encodings import readable
from soapstone.imports.file_kinds import beginning_of, check_kind
from soapstone.imports.records import Dialect, Place, Record, Records, behind
from soapstone.sending.messages.template import merge_key

# The address column, in any case; without it the first column holds the addresses (lk-87).
ADDRESS_COLUMN = "emailaddress"


class InvalidFile(InvalidError):
    """The supplied file, or its description, cannot be used; the text is a sentence for its sender."""


@dataclass(frozen=True, kw_only=True)
class FileForm:
    """The format of a supplied file: delimiter, text qualifier or none, with column names or without.

    An empty delimiter means a comma, and a backslash with a "t" a tab (lk-68). `skip` lines precede the first row.
    `repair` takes addresses and their heading as imports of the command line do. Raises InvalidFile.
    """

    name: str = ""
    delimiter: str = ","
    qualifier: str = '"'
    header: bool = True
    skip: int = 0
    repair: bool = False

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
        """The format as stored in a job's request."""
        form = {"delimiter": self.delimiter, "qualifier": self.qualifier, "header": self.header}
        return form | ({"skip": self.skip} if self.skip else {}) | ({"repair": True} if self.repair else {})


@dataclass(frozen=True)
class Row:
    """One recipient of the file: the address, and the value of each column by merge key.

    A `flawed` row cannot be read reliably. `end` is the place in the file behind it. The address is as written, unless
    it was `repaired`.
    """

    address: str
    values: Mapping[str, str]
    flawed: bool
    end: Place
    repaired: bool = False


class SuppliedFile:
    """Reads a supplied file row by row, in constant memory; UTF-8, else Windows-1252. Raises InvalidError."""

    def __init__(self, path: Path, form: FileForm) -> None:
        self._path = path
        self._form = form
        # Told by the first record read, at the beginning of the file.
        self._dialect: Dialect | None = None
        check_kind(beginning_of(path))
        first = next(self._records(None), None)
        if first is None:
            raise InvalidFile("The file is empty.")
        record, behind = first
        self._begin = behind if form.header else None
        if form.header:
            if record.flaw:
                raise InvalidFile("The first line of the file, with the names of the columns, cannot be read.")
            self._keys = [merge_key(name) or f"column{n}" for n, name in enumerate(record.fields, 1)]
        else:
            self._keys = [f"column{n}" for n in range(1, len(record.fields) + 1)]
        self._address = self._keys.index(ADDRESS_COLUMN) if ADDRESS_COLUMN in self._keys else 0
        if form.repair and form.header and ADDRESS_COLUMN not in self._keys:
            with suppress(InvalidError):
                plan = Headings(None).read(dict(enumerate(record.fields)), "email")
                self._address = next(column.index for column in plan.columns if column.target == "email")

    @property
    def columns(self) -> frozenset[str]:
        """Merge keys of the columns; without column names they are `column1`, `column2` …"""
        return frozenset(self._keys)

    def rows(self, start: Place | None = None) -> Iterator[Row]:
        """Yield all rows in order, or those from a place on."""
        # Of two columns with the same name the first counts, so it comes last.
        columns = list(enumerate(self._keys))[::-1]
        for record, end in self._records(start or self._begin):
            fields = record.fields
            values = {key: fields[n] for n, key in columns if n < len(fields)}
            address = fields[self._address].strip() if self._address < len(fields) else ""
            given, address = address, repaired(address) if self._form.repair else address
            yield Row(address, values, bool(record.flaw), end, address != given)

    def _records(self, start: Place | None) -> Iterator[tuple[Record, Place]]:
        with readable(self._path, "") as (file, codec, offset):
            start = start or behind(file, Place(offset, 1), self._form.skip)
            if self._dialect is None:
                form = self._form
                self._dialect = dialect_of(file, start.offset, form.delimiter, form.qualifier, codec)
            records = Records(file, self._dialect, start)
            for record in records:
                yield record, records.place
