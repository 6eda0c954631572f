"""The table of an HTML page as CSV: many web programs export contacts so, in a file named `.xls`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from soapstone.errors import InvalidError
from soapstone.imports.charsets import codec_of
from soapstone.imports.encodings import tell
from soapstone.imports.records import UnreadableError
from soapstone.sending.messages.html_reader import HIDDEN, EndTag, HtmlReader, StartTag, Text

# A page is held in memory, and takes about ten times its size.
MOST_BYTES = 64 << 20
# The widest span of a cell, as in browsers, and the most cells that spans may add in all.
MOST_SPAN = 1000
MOST_ADDED = 1_000_000
PIECE_ROWS = 1000

# How a page names its charset: `<meta charset=…>`, `content="text/html; charset=…"`.
_CHARSET = re.compile(rb"charset=[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_CHARSET_BYTES = 4096
# Tags that separate words within a cell.
_BREAKS = frozenset({"br", "div", "li", "p"})


@dataclass
class _Table:
    rows: list[list[str]] = field(default_factory=list)
    # The text of the cell that is read, and how many columns it spans.
    cell: list[str] | None = None
    span: int = 1

    def end_cell(self) -> None:
        if self.cell is not None:
            self.rows[-1] += [" ".join("".join(self.cell).split()), *[""] * (self.span - 1)]
            self.cell = None


def as_csv(path: Path, encoding: str = "") -> Iterator[bytes]:
    """Yield the table with most cells as CSV in UTF-8 with commas and double quotes, piece by piece.

    Line n is row n of the table. White space within a cell is one space, and an empty row makes a blank line. Without
    `encoding`, a name of imports.charsets, it is detected from the page. Raises UnreadableError.
    """
    tables = list(_tables(_text(path, encoding)))
    if not any(table.rows for table in tables):
        raise UnreadableError("The file is an HTML page without a table. Save it as CSV.")
    rows = max(tables, key=lambda table: sum(map(len, table.rows))).rows
    for first in range(0, len(rows), PIECE_ROWS):
        piece = io.StringIO()
        writer = csv.writer(piece, lineterminator="\n")
        writer.writerows(row if any(row) else [] for row in rows[first : first + PIECE_ROWS])
        # Invalid bytes stay invalid in the CSV, so the import rejects their rows.
        yield piece.getvalue().encode("utf-8", "surrogateescape")


def _text(path: Path, encoding: str) -> str:
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableError(f"The HTML page is larger than {MOST_BYTES:,} bytes. Save its table as CSV.")
    with path.open("rb") as file:
        codec, marks = tell(file, encoding)
        file.seek(0)
        data = file.read()
    if not encoding and not marks and (named := _CHARSET.search(data, 0, _CHARSET_BYTES)):
        # Else the bytes tell.
        with suppress(InvalidError):
            codec = codec_of(named[1].decode())
    return data[marks:].decode(codec, "surrogateescape")


def _tables(text: str) -> Iterator[_Table]:
    """Yield all tables of a page. The rows of a table within a cell are its own, and no part of the cell."""
    open_tables: list[_Table] = []
    added, hidden = 0, ""
    for token in HtmlReader(text, most=len(text)):
        table = open_tables[-1] if open_tables else None
        if isinstance(token, Text):
            if table is not None and table.cell is not None and not hidden:
                table.cell.append(token.text)
        elif isinstance(token, StartTag):
            if token.name in HIDDEN:
                hidden = token.name
            elif token.name == "table":
                open_tables.append(_Table())
            elif table is None:
                if token.name == "tr":
                    open_tables.append(_Table([[]]))
            elif token.name == "tr":
                table.end_cell()
                table.rows.append([])
            elif token.name in ("td", "th"):
                table.end_cell()
                if not table.rows:
                    table.rows.append([])
                if _span(token, "rowspan") > 1:
                    raise UnreadableError("The HTML table has cells over several rows. Save it as CSV.")
                table.cell, table.span = [], _span(token, "colspan")
                added += table.span - 1
                if added > MOST_ADDED:
                    raise UnreadableError("The HTML table has too many cells over several columns. Save it as CSV.")
            elif token.name in _BREAKS and table.cell is not None:
                table.cell.append(" ")
        elif isinstance(token, EndTag):
            if token.name == hidden:
                hidden = ""
            elif table is not None and token.name in ("td", "th", "tr"):
                table.end_cell()
            elif table is not None and token.name == "table":
                table.end_cell()
                yield open_tables.pop()
    for table in open_tables:
        table.end_cell()
        yield table


def _span(tag: StartTag, name: str) -> int:
    value = tag.value(name)
    return min(int(value), MOST_SPAN) or 1 if value.isascii() and value.isdigit() and len(value) < 5 else 1
