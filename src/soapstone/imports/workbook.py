"""A sheet of a workbook as CSV. As a program, this module writes it to standard output.

`python -m soapstone.imports.workbook FILE [SHEET]`; with the exit code REFUSED standard error holds a sentence.
"""

from __future__ import annotations

import csv
import io
import re
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from soapstone.imports.records import UnreadableError
from soapstone.imports.spreadsheet import REFUSED

# A single distant cell makes calamine allocate all cells before it. A sheet of a million rows with a hundred columns
# needs half of this.
MEMORY_BYTES = 8 << 30
# Rows of one piece of CSV.
PIECE_ROWS = 1000
# Digits that spreadsheets store and show.
DIGITS = 15

Cell = str | int | float | bool | date | datetime | time | timedelta

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def as_csv(path: Path, sheet: str | None = None) -> Iterator[bytes]:
    """Yield the pieces of `spreadsheet.as_csv`; calamine holds all cells of the sheet in memory. Raises
    UnreadableError.

    A broken file may also end the process, or raise any other exception.
    """
    with _workbook(path) as workbook:
        try:
            chosen = _sheet(workbook, sheet)
            left = [""] * (chosen.start[1] if chosen.start else 0)
            rows = chosen.iter_rows()
        except CalamineError as damage:
            raise UnreadableError("The sheet cannot be read: the file is broken.") from damage
        while piece := list(islice(rows, PIECE_ROWS)):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            for row in piece:
                fields = [_text(cell) for cell in row]
                writer.writerow(left + fields if any(fields) else [])
            yield text.getvalue().encode()


def _workbook(path: Path) -> CalamineWorkbook:
    # Names of files are often wrong, so the content goes first. Opening by name gives more precise errors.
    with path.open("rb") as file:
        try:
            return CalamineWorkbook.from_filelike(file)
        except CalamineError:
            pass
    try:
        return CalamineWorkbook.from_path(path)
    except PasswordError:
        raise UnreadableError("The workbook is protected by a password.") from None
    except CalamineError as damage:
        raise UnreadableError(
            "The file cannot be read: it is no workbook, broken, or protected by a password."
        ) from damage


def _sheet(workbook: CalamineWorkbook, name: str | None) -> CalamineSheet:
    sheets = [each for each in workbook.sheets_metadata if each.typ is SheetTypeEnum.WorkSheet]
    if not sheets:
        raise UnreadableError("The workbook has no sheet with rows.")
    if name is None:
        shown = [each for each in sheets if each.visible is SheetVisibleEnum.Visible]
        return workbook.get_sheet_by_name((shown or sheets)[0].name)
    if name not in [each.name for each in sheets]:
        raise UnreadableError(f"There is no sheet {name}. The workbook has: {', '.join(each.name for each in sheets)}.")
    return workbook.get_sheet_by_name(name)


def _text(cell: Cell) -> str:
    """Return a cell as text."""
    if isinstance(cell, str):
        return _LINE_BREAK.sub(" ", cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return _number(cell)
    if isinstance(cell, datetime):
        return f"{cell.date().isoformat()}" if cell.time() == time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return cell.isoformat("seconds")
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(int(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(cell)


def _number(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    # Never in the form 1e-07, which fields do not accept as a number.
    return format(Decimal(f"{value:.{DIGITS}g}"), "f")


def main(arguments: Sequence[str]) -> int:
    """Write a sheet and return the exit code. `arguments`: a file, and optionally a sheet's name."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        for piece in as_csv(Path(arguments[0]), *arguments[1:]):
            sys.stdout.buffer.write(piece)
    except UnreadableError as refusal:
        sys.stderr.buffer.write(str(refusal).encode())
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
