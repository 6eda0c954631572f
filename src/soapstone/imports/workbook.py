"""A sheet of a workbook as CSV. As a program, this module writes it to standard output.

`python -m soapstone.imports.workbook FILE [SHEET]`; with the exit code REFUSED standard error holds a sentence.
"""

from __future__ import annotations

import csv
import io
import re
import resource
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from xml.parsers import expat

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

# What other programs than LibreOffice write into OpenDocument and calamine 0.9 does not read: white space between
# elements, which Gnumeric and SheetJS indent; the blanks within a text that have elements of their own; the zone of a
# date, as SheetJS and OpenSpout write it; a table without a name, as odswriter writes it; the type that pyexcel-ods
# makes up for a date with a time; a text without a type, which odfpy leaves to its caller.
_INDENTATION = re.compile(rb"(<(?!/?text:)[^<]*>|</text:p>)\s+(?=<)")
_BLANK = re.compile(rb"<text:(?:line-break|tab)\b[^<]*?/>")
_ZONE = re.compile(rb"(office:date-value=\"[0-9-]+T[0-9:.]+)(?:Z|[+-][0-9:]+)(?=\")")
_NAMELESS = re.compile(rb"<table:table(?=[\s>])(?![^<]*\stable:name=)")
_DATE_AND_TIME = re.compile(rb"office:value-type=\"datetime\"\s+office:value=(?=\")")
_UNTYPED = re.compile(
    rb"<table:table-cell(?!(?: table:style-name=\"[^\"<]*\")? office:value-type=)(?=[^<>]*(?<!/)>)"
    rb"(?![^<]*\soffice:value-type=)"
)
# What calamine gives as it is written: a duration of OpenDocument, and a time with a zone in an XLSX cell for dates, as
# xlsx-write-stream and SheetJS (option cellDates) write it.
_ISO = re.compile(
    r"PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S|(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)
_DATE_CELL = b' t="d"'
_BLOCK = 1 << 20
_LARGEST_PIECE = 16 << 20
# The beginning of the first stream of a workbook in BIFF8, a record that names a charset, and the number of UTF-16.
_GLOBALS = b"\x09\x08\x10\x00\x00\x06\x05\x00"
_CHARSET, _UTF_16 = 0x42, struct.pack("<H", 1200)
_SECTOR = 512


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
        has_dates = cache(partial(_has_date_cells, path))
        while piece := list(islice(rows, PIECE_ROWS)):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            for row in piece:
                fields = [_text(cell, has_dates) for cell in row]
                writer.writerow(left + fields if any(fields) else [])
            yield text.getvalue().encode()


def _workbook(path: Path) -> CalamineWorkbook:
    # Names of files are often wrong, so the content goes first. Opening by name gives more precise errors.
    with TemporaryFile() as copy, path.open("rb") as file:
        try:
            is_copied = _copied(path, copy) or _with_its_charset(file, copy)
            return CalamineWorkbook.from_filelike(copy if is_copied else file)
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


def _copied(path: Path, copy: IO[bytes]) -> bool:
    """Write an OpenDocument file as calamine reads it; False for another file, or a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "xl/workbook.bin" in names:
                raise UnreadableError("The file is a binary workbook (.xlsb). Save it as .xlsx.")
            if "content.xml" not in names:
                return False
            with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
                for name in ("mimetype", "META-INF/manifest.xml"):
                    if name in names:
                        target.writestr(name, archive.read(name))
                with archive.open("content.xml") as content, target.open("content.xml", "w", force_zip64=True) as file:
                    _rewrite(content, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return False
    except expat.ExpatError as damage:
        raise UnreadableError("The sheet cannot be read: the file is broken.") from damage
    copy.seek(0)
    return True


def _with_its_charset(file: IO[bytes], copy: IO[bytes]) -> bool:
    """Write a workbook in BIFF8 that names a wrong charset; False for another file.

    Its texts are UTF-16, but Perl's Spreadsheet::WriteExcel names Windows-1252, and calamine believes it.
    """
    place = None
    for start in range(0, 1 << 40, _SECTOR):
        if not (sector := file.read(_SECTOR)):
            break
        copy.write(sector)
        if place is None and sector.startswith(_GLOBALS):
            at = 0
            while at + 6 <= len(sector) and place is None:
                kind, size = struct.unpack_from("<HH", sector, at)
                if kind == _CHARSET and sector[at + 4 : at + 6] != _UTF_16:
                    place = start + at + 4
                at += 4 + size
    if place is not None:
        copy.seek(place)
        copy.write(_UTF_16)
    copy.seek(0)
    file.seek(0)
    return place is not None


def _rewrite(content: IO[bytes], target: IO[bytes]) -> None:
    rest, numbers, parser = b"", count(1), expat.ParserCreate()
    while block := content.read(_BLOCK):
        # Where a tag does not end, calamine moves the cells behind it to the left.
        parser.Parse(block)
        text = rest + block
        # What comes before the last tag is whole; `<` stands in no text and no attribute.
        cut = text.rfind(b"<")
        if len(text) - cut > _LARGEST_PIECE:
            raise UnreadableError("The sheet cannot be read: a cell is too large.")
        # The tag itself tells that white space before it ends.
        # Tables are found by their names.
        named = _NAMELESS.sub(lambda _: b'<table:table table:name="Nameless %d"' % next(numbers), text[: cut + 1])
        plain = _ZONE.sub(rb"\1", _BLANK.sub(b" ", _INDENTATION.sub(rb"\1", named)))
        plain = _UNTYPED.sub(b'<table:table-cell office:value-type="string"', plain)
        target.write(_DATE_AND_TIME.sub(b'office:value-type="string" office:string-value=', plain)[:-1])
        rest = text[cut:]
    parser.Parse(b"", True)
    target.write(rest)


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


def _has_date_cells(path: Path) -> bool:
    """Return whether a sheet of an XLSX file has cells for dates; most programs write numbers with a format."""
    with path.open("rb") as file, suppress(zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                rest = b""
                with archive.open(name) as sheet:
                    while block := sheet.read(_BLOCK):
                        if _DATE_CELL in rest + block:
                            return True
                        rest = block[1 - len(_DATE_CELL) :]
    return False


def _text(cell: Cell, has_dates: Callable[[], bool]) -> str:
    """Return a cell as text; `has_dates` says whether texts with the form of a date may be dates."""
    if isinstance(cell, str):
        if found := _ISO.fullmatch(cell):
            hours, minutes, seconds, day, clock = found.groups()
            if hours:
                return _duration(int(hours), int(minutes), int(seconds))
            if has_dates():
                return str(day) if clock == "00:00:00" else f"{day} {clock}"
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
        return _duration(minutes // 60, minutes % 60, seconds)
    return str(cell)


def _duration(hours: int, minutes: int, seconds: int) -> str:
    return f"{hours}:{minutes:02}:{seconds:02}"


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
