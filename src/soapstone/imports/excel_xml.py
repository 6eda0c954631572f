"""Workbooks in the XML of Excel 2003 (SpreadsheetML), which web applications write and often name `.xls`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from xml.parsers import expat

from soapstone.imports.records import VALUE_CHARACTERS, UnreadableError
from soapstone.xml_declaration import MAX_DECLARATION, can_be_followed

BLOCK = 256 << 10
_NAMESPACE = "urn:schemas-microsoft-com:office:spreadsheet "
# The size of a sheet, and the most cells of its gaps: a gap costs few bytes of the file.
MOST_ROWS = 1 << 20
MOST_COLUMNS = 1 << 14
MOST_GAPS = 5_000_000


def as_csv(path: Path, sheet: str = "") -> Iterator[bytes]:
    """Yield a sheet as `spreadsheet.as_csv` does, in little memory; the first without a name. Raises
    UnreadableError."""
    with path.open("rb") as file:
        reader = _Reader(sheet, None if can_be_followed(file.read(MAX_DECLARATION)) else "utf-8")
        file.seek(0)
        try:
            while block := file.read(BLOCK):
                reader.parser.Parse(block)
                yield reader.taken()
            reader.parser.Parse(b"", True)
        except (expat.ExpatError, UnicodeError, ValueError) as damage:
            raise UnreadableError("The sheet cannot be read: the file is broken.") from damage
    yield reader.taken()
    if not reader.found:
        sheets = ", ".join(reader.sheets)
        raise UnreadableError(
            f"There is no sheet {sheet}. The workbook has: {sheets}." if sheet else "There is no sheet."
        )


class _Reader:
    """Extracts the rows of one sheet from the XML. `sheets` are the names of all so far."""

    def __init__(self, sheet: str, encoding: str | None) -> None:
        self.parser = expat.ParserCreate(encoding, namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        # Entities of a document type could expand a small file; no workbook has them.
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.sheets: list[str] = []
        self.found = False
        self._sheet = sheet
        self._wanted = False
        self._out = io.StringIO()
        self._writer = csv.writer(self._out, lineterminator="\n")
        self._lines = self._gaps = 0
        self._row: list[str] = []
        self._column = 0
        self._kind = ""
        # The text of the present cell; its comment has the same elements.
        self._data: list[str] | None = None
        self._size = 0
        self._in_comment = False

    def taken(self) -> bytes:
        """Return the bytes written since the last call."""
        text = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return text.encode()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not name.startswith(_NAMESPACE):
            return
        element = name.removeprefix(_NAMESPACE)
        if element == "Worksheet":
            self.sheets.append(attributes.get(f"{_NAMESPACE}Name", ""))
            self._wanted = not self.found and self._sheet in ("", self.sheets[-1])
            self.found = self.found or self._wanted
        elif not self._wanted:
            return
        elif element == "Row":
            line = self._number(attributes, "Index", self._lines + 1, MOST_ROWS)
            if line <= self._lines:
                raise ValueError("rows run backwards")
            self._out.write("\n" * (line - self._lines - 1))
            self._lines, self._row = line - 1, []
        elif element == "Cell":
            self._column = self._number(attributes, "Index", len(self._row) + 1, MOST_COLUMNS) - 1
            gap = self._column - len(self._row)
            if gap < 0:
                raise ValueError("cells run backwards")
            self._fill(gap)
            self._row.append("")
            self._fill(self._number(attributes, "MergeAcross", 0, MOST_COLUMNS - len(self._row)))
        elif element == "Comment":
            self._in_comment = True
        elif element == "Data" and not self._in_comment:
            self._kind, self._data, self._size = attributes.get(f"{_NAMESPACE}Type", ""), [], 0

    def _end(self, name: str) -> None:
        if not self._wanted or not name.startswith(_NAMESPACE):
            return
        element = name.removeprefix(_NAMESPACE)
        if element == "Row":
            self._writer.writerow(self._row if any(self._row) else [])
            self._lines += 1
        elif element == "Comment":
            self._in_comment = False
        elif element == "Data" and self._data is not None:
            if self._column < len(self._row):
                self._row[self._column] = _value("".join(self._data), self._kind)
            self._data = None
        elif element == "Worksheet":
            self._wanted = False

    def _text(self, text: str) -> None:
        if self._data is None:
            return
        self._size += len(text)
        if self._size > VALUE_CHARACTERS:
            raise UnreadableError(f"The sheet cannot be read: a cell has more than {VALUE_CHARACTERS:,} characters.")
        self._data.append(text)

    def _fill(self, cells: int) -> None:
        self._gaps += cells
        if self._gaps > MOST_GAPS:
            raise UnreadableError("The sheet cannot be read: its cells are too far apart.")
        self._row += [""] * cells

    def _number(self, attributes: dict[str, str], name: str, default: int, most: int) -> int:
        number = int(attributes.get(f"{_NAMESPACE}{name}", default))
        if not 0 <= number <= most:
            raise ValueError(f"{name} is {number}")
        return number

    def _refuse(self, *_: object) -> None:
        raise UnreadableError("The sheet cannot be read: it has a document type, which no workbook has.")


def _value(text: str, kind: str) -> str:
    """Return a cell as text, in the same form as cells of other workbooks."""
    if kind == "Boolean":
        return "true" if text.strip() == "1" else "false"
    if kind == "DateTime":
        day, _, clock = text.strip().partition("T")
        clock = clock.partition(".")[0]
        return day if clock in ("", "00:00:00") else f"{day} {clock}"
    if kind == "Number":
        # Digits alone stay as they are: a float may not hold them all.
        text = text.strip()
        return text if text.isdigit() else format(Decimal(f"{float(text):.15g}"), "f")
    if kind == "Error":
        return ""
    return " ".join(text.splitlines())
