"""Spreadsheets: a sheet of a workbook (XLSX, XLS, ODS) as CSV, one line for each row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from soapstone.imports.archives import ZIP, is_office_document
from soapstone.imports.encodings import tell
from soapstone.imports.file_kinds import beginning_of, kind
from soapstone.imports.records import UnreadableError

# Files with these names count as workbooks, unless they are text.
SUFFIXES = frozenset({".xlsx", ".xlsm", ".xls", ".ods"})
# The program that reads them; with this exit code its standard error holds the reason.
PROGRAM = "soapstone.imports.workbook"
REFUSED = 3
BLOCK = 1 << 20


def is_spreadsheet(path: Path) -> bool:
    """Return whether a file is a workbook, by its content, or by its name if it is no text."""
    head = beginning_of(path)
    if head.startswith(ZIP):
        return path.suffix.lower() in SUFFIXES or is_office_document(path)
    if kind(head):
        return kind(head) == "workbook"
    if path.suffix.lower() not in SUFFIXES:
        return False
    # Only UTF-16 text has null bytes.
    with path.open("rb") as file:
        return not head or (b"\0" in head and not tell(file, "")[0].startswith("utf-16"))


def as_csv(path: Path, sheet: str = "") -> Iterator[bytes]:
    """Yield a sheet, by default the first visible one, as CSV in UTF-8 with commas and double quotes, piece by piece.

    Line n is row n of the sheet, and column n its column n: an empty row makes a blank line, and a line break within a
    cell becomes a space. Numbers have no needless decimals, dates are YYYY-MM-DD, booleans are true or false, and
    errors such as #N/A are empty. Raises UnreadableError.
    """
    # In a process of its own: broken files have crashed the library's process.
    command = [sys.executable, "-P", "-m", PROGRAM, str(path.absolute()), *([sheet] if sheet else [])]
    with TemporaryFile() as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            while piece := process.stdout.read(BLOCK):
                yield piece
        finally:
            process.stdout.close()
        code = process.wait()
        errors.seek(0)
        if code == REFUSED:
            raise UnreadableError(errors.read().decode())
        if code:
            raise UnreadableError("The sheet cannot be read: the file is broken, or too large.")
