"""A sheet of a workbook becomes CSV in which the numbers of rows and columns are those of the sheet."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.imports.workbooks import Cell, Sheets, encrypted, ods, xls, xlsx, zipped

from soapstone.imports import workbook
from soapstone.imports.records import Dialect, Place, Records, UnreadableError
from soapstone.imports.spreadsheet import as_csv, is_spreadsheet
from soapstone.lists.profile_values import stored

PEOPLE: list[list[Cell]] = [["Email", "Name", "Shoe"], ["ann@example.org", "Ann", 38], ["bob@example.org", None, 41.5]]
TEXT = "Email,Name,Shoe\nann@example.org,Ann,38\nbob@example.org,,41.5\n"


def written(tmp_path: Path, data: bytes, name: str = "people.xlsx", sheet: str = "") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return b"".join(as_csv(path, sheet)).decode()


@pytest.mark.parametrize(("make", "suffix"), [(xlsx, ".xlsx"), (xls, ".xls"), (ods, ".ods")])
def test_the_same_rows_from_each_kind(tmp_path: Path, make: Callable[[Sheets], bytes], suffix: str) -> None:
    data = make({"People": PEOPLE, "Größen": [["x", True, False]]})
    assert written(tmp_path, data, f"people{suffix}") == TEXT
    assert written(tmp_path, data, f"people{suffix}", "Größen") == "x,true,false\n"
    # Whatever it is called.
    assert written(tmp_path, data, "people.xls") == TEXT


@pytest.mark.parametrize(("make", "suffix"), [(xlsx, ".xlsx"), (xls, ".xls"), (ods, ".ods")])
def test_line_n_is_row_n(tmp_path: Path, make: Callable[[Sheets], bytes], suffix: str) -> None:
    """Empty rows are blank lines, at the top too; empty columns on the left count; a cell never takes two lines."""
    rows: list[list[Cell]] = [
        [],
        [None],
        [None, "Email", "Note"],
        [],
        [None, "ann@example.org", "one\ntwo"],
        [None, "b"],
    ]
    text = written(tmp_path, make({"People": rows}), f"people{suffix}")
    assert text == "\n\n,Email,Note\n\n,ann@example.org,one two\n,b,\n"
    records = list(Records(io.BytesIO(text.encode()), Dialect(",", '"', "utf-8"), Place(0, 1)))
    assert [(record.line, record.fields[1]) for record in records] == [(3, "Email"), (5, "ann@example.org"), (6, "b")]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (38, "38"),
        (-1.5, "-1.5"),
        (0.1 + 0.2, "0.3"),
        (0.0000001, "0.0000001"),
        (1e20, "100000000000000000000"),
        (491234567890.0, "491234567890"),
        (True, "true"),
        (False, "false"),
        (date(1970, 1, 2), "1970-01-02"),
        (datetime(2024, 2, 29, 0, 0), "2024-02-29"),
        (datetime(2024, 2, 29, 13, 5, 7), "2024-02-29 13:05:07"),
        (time(13, 5, 7), "13:05:07"),
        (timedelta(days=1, hours=2, minutes=3), "26:03:00"),
        ("007", "007"),
        ('say "a, b"', '"say ""a, b"""'),
        ("a\r\nb\rc\n", '"a b c "'),
        (" é😀 ", " é😀 "),
    ],
)
def test_cells(tmp_path: Path, cell: Cell, text: str) -> None:
    found = written(tmp_path, xlsx({"People": [["x", cell]]}))
    assert next(csv.reader([found])) == ["x", next(csv.reader([text]))[0]]
    if isinstance(cell, date | bool) or cell == 38:
        kind = "check_box" if isinstance(cell, bool) else "date" if isinstance(cell, date) else "numeric"
        assert stored(kind, text)


# Gnumeric and SheetJS indent; Gnumeric writes line breaks within a paragraph, and SheetJS the zone of a date.
INDENTED = """<?xml version="1.0"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
 <office:body>
  <office:spreadsheet>
   <table:table table:name="People">
    <table:table-column table:number-columns-repeated="3"/>
    <table:table-row>
     <table:table-cell office:value-type="string"><text:p>ann@example.org</text:p></table:table-cell>
     <table:table-cell office:value-type="string"><text:p>High St 1<text:line-break/>York</text:p>
     </table:table-cell>
     <table:table-cell office:value-type="date" office:date-value="2024-02-29T13:05:07.000Z">
      <text:p>29/02/24</text:p>
     </table:table-cell>
    </table:table-row>
    <table:table-row>
     <table:table-cell/>
     <table:table-cell office:value-type="string">
      <text:p>a<text:tab/><text:s text:c="2"/><text:span>b</text:span> <text:span>c</text:span></text:p>
     </table:table-cell>
     <table:table-cell office:value-type="time" office:time-value="PT26H03M00S"/>
    </table:table-row>
   </table:table>
  </office:spreadsheet>
 </office:body>
</office:document-content>
"""


def test_open_documents_of_other_programs(tmp_path: Path) -> None:
    rows = ["ann@example.org,High St 1 York,2024-02-29 13:05:07", ",a   b c,26:03:00"]
    assert written(tmp_path, opened(INDENTED), "people.ods").splitlines() == rows
    # Whatever the size of its pieces.
    long = INDENTED.replace("High St 1", "High St 1" + " x" * (1 << 20))
    assert written(tmp_path, opened(long), "people.ods").replace(" x", "").splitlines() == rows


def test_open_documents_whose_tables_have_no_name(tmp_path: Path) -> None:
    """As odswriter writes the first one; the schema of ODF 1.2 does not require a name."""
    rows = ["ann@example.org,High St 1 York,2024-02-29 13:05:07", ",a   b c,26:03:00"]
    for name in ("", ' table:style-name="ta1"'):
        content = INDENTED.replace(' table:name="People"', name)
        assert written(tmp_path, opened(content), "people.ods").splitlines() == rows
        # The first of several counts.
        more = content.replace(
            "</office:spreadsheet>",
            "<table:table><table:table-row><table:table-cell><text:p>other</text:p></table:table-cell></table:table-row>"
            "</table:table></office:spreadsheet>",
        )
        assert written(tmp_path, opened(more), "people.ods").splitlines() == rows


def test_open_documents_with_a_type_for_dates_with_times(tmp_path: Path) -> None:
    """As pyexcel-ods writes them; OpenDocument has no such type."""
    content = INDENTED.replace(
        'office:value-type="date" office:date-value="2024-02-29T13:05:07.000Z"',
        'office:value-type="datetime" office:value="2024-02-29 13:05:07"',
    )
    assert content != INDENTED
    assert written(tmp_path, opened(content), "people.ods") == written(tmp_path, opened(INDENTED), "people.ods")


@pytest.mark.parametrize("zone", ["Z", "+01:00", "-05:30", ""])
def test_open_documents_with_zones(tmp_path: Path, zone: str) -> None:
    """As OpenSpout writes each date: a sheet shows the time without it."""
    content = INDENTED.replace("07.000Z", f"07{zone}")
    assert content != INDENTED
    assert written(tmp_path, opened(content), "people.ods") == written(tmp_path, opened(INDENTED), "people.ods")


def test_open_documents_whose_texts_have_no_type(tmp_path: Path) -> None:
    """As odfpy writes them unless its caller names one; LibreOffice shows them."""
    cell = "<table:table-cell><text:p>York</text:p></table:table-cell>"
    cells = f'{cell}<table:table-cell/><table:table-cell table:formula="of:=1"><text:p/></table:table-cell>{cell}'
    styled = cell.replace("cell>", "cell table:style-name='ce1'>", 1)
    rows = f"<table:table-row>{cells}{styled}</table:table-row>"
    content = INDENTED.replace("    <table:table-row>\n", f"    {rows}<table:table-row>\n", 1)
    text = written(tmp_path, opened(content), "people.ods")
    assert text.splitlines()[0] == "York,,,York,York"
    assert text.splitlines()[1].rstrip(",") == "ann@example.org,High St 1 York,2024-02-29 13:05:07"
    # Wherever its pieces end.
    many = INDENTED.replace("    <table:table-row>\n", f"    {rows * 6_000}<table:table-row>\n", 1)
    assert written(tmp_path, opened(many), "people.ods").count("York,,,York,York\n") == 6_000


@pytest.mark.parametrize("tag", ['<table:table-cell table:style-name="ce2"', "<table:table-cell>", "<text:p"])
def test_open_documents_that_are_not_well_formed(tmp_path: Path, tag: str) -> None:
    """Their cells would move into other columns: OpenSpout wrote formulas as tags without an end."""
    content = INDENTED.replace("     <table:table-cell ", f"     {tag}<table:table-cell ", 1)
    assert content != INDENTED
    with pytest.raises(UnreadableError, match="broken"):
        written(tmp_path, opened(content), "people.ods")


def opened(content: str) -> bytes:
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": kind, "META-INF/manifest.xml": "<manifest/>", "content.xml": content})


@pytest.mark.parametrize("charset", [0, 1200, 1252, 1251])
def test_texts_of_old_workbooks_are_utf_16_whatever_they_name(tmp_path: Path, charset: int) -> None:
    """Perl's Spreadsheet::WriteExcel names Windows-1252."""
    data = xls({"Größen": [["Email", "Zoë", "Łódź", "株式"]]}, charset=charset)
    assert written(tmp_path, data, "people.xls", "Größen") == "Email,Zoë,Łódź,株式\n"


def test_dates_with_a_zone_in_cells_for_dates(tmp_path: Path) -> None:
    """As SheetJS's option cellDates and xlsx-write-stream write them. A text stays as it is."""
    times = ["2024-02-29T00:00:00.000Z", "2024-02-29T13:05:07.5Z", "2024-02-29T13:05:07+01:00", "2024-02-29T13:05:07"]
    cells = "".join(f'<c r="{"ABCD"[n]}1" s="1" t="d"><v>{time}</v></c>' for n, time in enumerate(times))
    texts = "".join(f'<c r="{"ABCD"[n]}1" t="inlineStr"><is><t>{time}</t></is></c>' for n, time in enumerate(times))
    data = xlsx({"People": PEOPLE})
    rows = replaced(data, "xl/worksheets/sheet1.xml", f'<row r="1">{cells}</row>')
    assert written(tmp_path, rows) == "2024-02-29,2024-02-29 13:05:07,2024-02-29 13:05:07,2024-02-29 13:05:07\n"
    rows = replaced(data, "xl/worksheets/sheet1.xml", f'<row r="1">{texts}</row>')
    assert written(tmp_path, rows) == ",".join(times) + "\n"


def test_binary_workbooks_are_refused(tmp_path: Path) -> None:
    """The library reads only the first column of some, and nothing tells."""
    data = zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.bin": ""})
    for name in ("people.xlsb", "people.xlsx"):
        with pytest.raises(UnreadableError, match=r"binary workbook \(\.xlsb\)"):
            written(tmp_path, data, name)


# What XML can hold and the format does not use for escapes.
texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"]), max_size=10).filter(
    lambda text: "_x" not in text
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(texts | st.none() | st.integers(-(10**9), 10**9), max_size=5), max_size=8))
def test_any_text_comes_back(tmp_path: Path, rows: list[list[str | int | None]]) -> None:
    """Read again as an import reads it."""
    path = tmp_path / "people.xlsx"
    path.write_bytes(xlsx({"People": rows}))
    text = b"".join(workbook.as_csv(path))
    found = {
        record.line: record.fields for record in Records(io.BytesIO(text), Dialect(",", '"', "utf-8"), Place(0, 1))
    }
    expected = {line: ["" if cell is None else str(cell) for cell in row] for line, row in enumerate(rows, 1)}
    # A cell at the end that holds nothing is no cell.
    assert shortened(found) == shortened(expected)


def shortened(rows: dict[int, list[str]]) -> dict[int, list[str]]:
    for fields in rows.values():
        while fields and not fields[-1]:
            fields.pop()
    return {line: fields for line, fields in rows.items() if fields}


def test_many_rows(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [[f"person{n}@example.org", n] for n in range(2 * workbook.PIECE_ROWS + 1)]
    assert (
        written(tmp_path, xlsx({"People": rows})).splitlines()[-1] == f"person{rows[-1][1]}@example.org,{rows[-1][1]}"
    )


def test_the_first_sheet_that_is_shown(tmp_path: Path) -> None:
    sheets: Sheets = {"Lists": [["a"]], "People": PEOPLE}
    assert written(tmp_path, xlsx(sheets, hidden=["Lists"])) == TEXT
    assert written(tmp_path, xlsx(sheets, hidden=["Lists"]), sheet="Lists") == "a\n"
    assert written(tmp_path, xlsx(sheets, hidden=list(sheets))) == "a\n"
    assert written(tmp_path, xlsx({"Empty": []})) == ""


@pytest.mark.parametrize(
    ("data", "sheet", "words"),
    [
        (xlsx({"People": PEOPLE, "Other": []}), "Nobody", "no sheet Nobody. The workbook has: People, Other."),
        (xlsx({"People": PEOPLE})[:-30], "", "broken"),
        (xlsx({"People": PEOPLE})[:300], "", "broken"),
        (b"Email,Name\nann@example.org,Ann\n", "", "no workbook"),
        (b"", "", "no workbook"),
        (zipped({"people.csv": TEXT}), "", "no workbook"),
        (xlsx({}), "", "no sheet with rows"),
        (encrypted(), "", "password"),
    ],
    ids=range(8),
)
def test_refused_workbooks(tmp_path: Path, data: bytes, sheet: str, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        written(tmp_path, data, sheet=sheet)


def test_a_file_that_ends_the_reader_does_not_end_us(tmp_path: Path) -> None:
    """One cell so far off that all cells before it need more memory than there is."""
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    parts = xlsx({"People": PEOPLE})
    path = tmp_path / "people.xlsx"
    path.write_bytes(replaced(parts, "xl/worksheets/sheet1.xml", rows))
    with pytest.raises(UnreadableError, match="broken, or too large"):
        list(as_csv(path))


def replaced(data: bytes, name: str, rows: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {each: archive.read(each).decode() for each in archive.namelist()}
    begin, _, rest = parts[name].partition("<sheetData>")
    parts[name] = f"{begin}<sheetData>{rows}</sheetData>{rest.partition('</sheetData>')[2]}"
    return zipped(parts)


def test_whoever_stops_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    path.write_bytes(xlsx({"People": [[f"person{n}@example.org"] * 20 for n in range(20_000)]}))
    pieces = as_csv(path)
    assert next(pieces)
    pieces.close()  # type: ignore[attr-defined]


BROKEN = xlsx({"People": PEOPLE})[:300]


@pytest.mark.parametrize(
    ("data", "name", "workbook"),
    [
        (xlsx({"People": PEOPLE}), "people.XLSX", True),
        (xlsx({"People": PEOPLE}), "people.csv", True),
        (ods({"People": PEOPLE}), "people", True),
        (xls({"People": PEOPLE}), "people.csv", True),
        (encrypted(), "people.csv", True),
        (BROKEN, "people.xlsx", True),
        (BROKEN, "people.csv", False),
        (b"", "people.xls", True),
        (b"\0\1\2" * 100, "people.xls", True),
        (b"Email\tName\n", "people.xls", False),
        ("Email\tName\n".encode("utf-16"), "people.xls", False),
        ("Email\tName\n".encode("utf-16-be"), "people.xls", False),
        (b"<table><tr><td>Email</table>", "people.xls", False),
        (zipped({"people.csv": TEXT}), "people.zip", False),
        (b"", "people.csv", False),
    ],
    ids=range(15),
)
def test_workbooks_are_told_by_their_content(tmp_path: Path, data: bytes, name: str, workbook: bool) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert is_spreadsheet(path) is workbook
