"""Small workbooks as office programs write them. A sheet is its rows from the first on; None is no cell."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from xml.sax.saxutils import escape, quoteattr

Cell = str | int | float | bool | date | datetime | time | timedelta | None
Sheets = Mapping[str, Sequence[Sequence[Cell]]]

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
# Numbers of built-in formats: general, date, date and time, time, hours beyond a day.
FORMATS = (0, 14, 22, 21, 46)
SECTOR = 512


def xlsx(sheets: Sheets, *, hidden: Sequence[str] = ()) -> bytes:
    """A workbook of Office Open XML."""
    overview = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="s{n}" state="{_state(name in hidden)}"/>'
        for n, name in enumerate(sheets, 1)
    )
    relations = "".join(
        f'<Relationship Id="s{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    formats = "".join(f'<xf numFmtId="{number}"/>' for number in FORMATS)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="w" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{overview}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{relations}'
        f'<Relationship Id="f" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs>{formats}</cellXfs></styleSheet>',
    }
    for n, rows in enumerate(sheets.values(), 1):
        data = "".join(
            f'<row r="{row}">{"".join(_xlsx_cell(cell, row, column) for column, cell in enumerate(cells))}</row>'
            for row, cells in enumerate(rows, 1)
            if any(cell is not None for cell in cells)
        )
        parts[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
    return zipped(parts)


def excel_xml(sheets: Sheets) -> bytes:
    """A workbook in the XML of Excel 2003, as Excel writes it: what is empty is left out and counted over."""
    parts = ['<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n']
    name = "urn:schemas-microsoft-com:office:spreadsheet"
    parts.append(f'<Workbook xmlns="{name}" xmlns:ss="{name}">\n')
    for sheet, rows in sheets.items():
        parts.append(f"<Worksheet ss:Name={quoteattr(sheet)}><Table>")
        for line, cells in enumerate(rows, 1):
            if any(cell is not None for cell in cells):
                full = [(column, cell) for column, cell in enumerate(cells, 1) if cell is not None]
                parts.append(f'<Row ss:Index="{line}">{"".join(_xml_cell(*each) for each in full)}</Row>\n')
        parts.append("</Table></Worksheet>")
    return "".join([*parts, "</Workbook>"]).encode()


def _xml_cell(column: int, cell: Cell) -> str:
    kind, text = "String", escape(str(cell)).replace("\n", "&#10;")
    if isinstance(cell, bool):
        kind, text = "Boolean", str(int(cell))
    elif isinstance(cell, int | float):
        kind = "Number"
    elif isinstance(cell, datetime):
        kind, text = "DateTime", cell.isoformat(timespec="milliseconds")
    return f'<Cell ss:Index="{column}"><Data ss:Type="{kind}">{text}</Data></Cell>'


def html(rows: Sequence[Sequence[Cell]]) -> bytes:
    """A table in HTML, as programs of the web give it to Excel."""
    texts = [[escape(f"{cell:g}" if isinstance(cell, float) else str(cell or "")) for cell in cells] for cells in rows]
    body = "".join(f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>\n" for row in texts)
    root = '<html xmlns:x="urn:schemas-microsoft-com:office:excel">'
    head = "<head><meta charset=utf-8><style>td{}</style></head>"
    return f"{root}{head}<body><table border=1>{body}</table></body></html>".encode()


def ods(sheets: Sheets) -> bytes:
    """A workbook of OpenDocument."""
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    tables = "".join(
        f"<table:table table:name={quoteattr(name)}>"
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, cells))}</table:table-row>" for cells in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": "<manifest/>",
            "content.xml": f"<office:document-content{spaces}><office:body><office:spreadsheet>{tables}"
            "</office:spreadsheet></office:body></office:document-content>",
        }
    )


def xls(sheets: Sheets, *, charset: int = 0) -> bytes:
    """A workbook of BIFF8; texts, numbers and truth values only. It may name a charset by its number."""
    names = [(name, struct.pack("<BB", len(name), 1) + name.encode("utf-16-le")) for name in sheets]
    begin, end = _biff(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0)), _biff(0x000A, b"")
    begin += _biff(0x0042, struct.pack("<H", charset)) if charset else b""
    place = len(begin) + sum(len(name) + 10 for _, name in names) + len(end)
    overview, contents = b"", b""
    for name, packed in names:
        overview += _biff(0x0085, struct.pack("<IBB", place + len(contents), 0, 0) + packed)
        contents += _biff(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
        for row, cells in enumerate(sheets[name]):
            contents += b"".join(_biff_cell(cell, row, column) for column, cell in enumerate(cells))
        contents += end
    return compound("Workbook", begin + overview + end + contents)


def encrypted() -> bytes:
    """What an XLSX file becomes when it gets a password, as far as a reader without it can see."""
    return compound("EncryptedPackage", b"\x55" * 100)


def zipped(parts: Mapping[str, str]) -> bytes:
    """A zip archive of texts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


def _state(hidden: bool) -> str:
    return "hidden" if hidden else "visible"


def _xlsx_cell(cell: Cell, row: int, column: int) -> str:
    at = f'r="{chr(ord("A") + column)}{row}"'
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f'<c {at} t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    if isinstance(cell, bool):
        return f'<c {at} t="b"><v>{cell:d}</v></c>'
    value, style = _serial(cell)
    return f'<c {at} s="{style}"><v>{value!r}</v></c>'


def _serial(cell: float | date | datetime | time | timedelta) -> tuple[float, int]:
    """A number of days, as workbooks keep dates and times, and the place in FORMATS."""
    day = timedelta(days=1)
    if isinstance(cell, datetime):
        return (cell - datetime(1899, 12, 30)) / day, 2
    if isinstance(cell, date):
        return (cell - date(1899, 12, 30)) / day, 1
    if isinstance(cell, time):
        return timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second) / day, 3
    if isinstance(cell, timedelta):
        return cell / day, 4
    return cell, 0


def _ods_cell(cell: Cell) -> str:
    if cell is None:
        return "<table:table-cell/>"
    if isinstance(cell, str):
        lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in cell.split("\n"))
        return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'
    if isinstance(cell, bool):
        return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(cell).lower()}"/>'
    if isinstance(cell, date):
        return f'<table:table-cell office:value-type="date" office:date-value="{cell.isoformat()}"/>'
    return f'<table:table-cell office:value-type="float" office:value="{cell}"/>'


def _biff(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _biff_cell(cell: Cell, row: int, column: int) -> bytes:
    at = struct.pack("<HHH", row, column, 0)
    if cell is None:
        return b""
    if isinstance(cell, str):
        return _biff(0x0204, at + struct.pack("<HB", len(cell), 1) + cell.encode("utf-16-le"))
    if isinstance(cell, bool):
        return _biff(0x0205, at + bytes([cell, 0]))
    assert isinstance(cell, int | float)
    return _biff(0x0203, at + struct.pack("<d", cell))


def compound(name: str, stream: bytes) -> bytes:
    """An OLE file with one stream: header, allocation table, folder, and the stream from the third sector on."""
    stream = stream.ljust(4096, b"\0")
    sectors = -(-len(stream) // SECTOR)
    table = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, sectors + 2), 0xFFFFFFFE]
    assert len(table) <= SECTOR // 4
    magic, none = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0xFFFFFFFE
    header = struct.pack("<8s16xHHHHH6x", magic, 62, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, none, 0, none, 0)
    header += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    folder = b"".join(
        (
            _entry("Root Entry", 5, child=1, start=0xFFFFFFFE, size=0),
            _entry(name, 2, child=0xFFFFFFFF, start=2, size=len(stream)),
            *[_entry("", 0, child=0xFFFFFFFF, start=0, size=0)] * 2,
        )
    )
    return (
        header
        + struct.pack("<128I", *table, *[0xFFFFFFFF] * (128 - len(table)))
        + folder
        + stream.ljust(sectors * SECTOR, b"\0")
    )


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    packed = name.encode("utf-16-le")
    none = 0xFFFFFFFF
    return struct.pack(
        "<64sHBBIII16xI8x8xIQ", packed, len(packed) + 2 if name else 0, kind, 1, none, none, child, 0, start, size
    )
