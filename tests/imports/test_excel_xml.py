"""Tables in the XML of Excel 2003 become CSV in which line n is row n."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.imports.workbooks import Cell, excel_xml

from soapstone.imports import excel_xml as module
from soapstone.imports.excel_xml import as_csv
from soapstone.imports.records import UnreadableError

PEOPLE: list[list[Cell]] = [["Email", "Name"], [], [None, "x"], ["ann@example.org", "Ann\nB", True]]


def written(tmp_path: Path, data: bytes, sheet: str = "") -> str:
    path = tmp_path / "people.xls"
    path.write_bytes(data)
    return b"".join(as_csv(path, sheet)).decode()


def test_line_n_is_row_n(tmp_path: Path) -> None:
    data = excel_xml({"People": PEOPLE, "Größen": [["x"]]})
    assert written(tmp_path, data) == "Email,Name\n\n,x\nann@example.org,Ann B,true\n"
    assert written(tmp_path, data, "Größen") == "x\n"
    with pytest.raises(UnreadableError, match=r"no sheet Nobody\. The workbook has: People, Größen"):
        written(tmp_path, data, "Nobody")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (38, "38"),
        (-1.5, "-1.5"),
        (491234567890, "491234567890"),
        (1e20, "100000000000000000000"),
        (1e-07, "0.0000001"),
        (False, "false"),
        (datetime(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 13, 5, 7), "2024-02-29 13:05:07"),
        ("007", "007"),
        ("é😀<&>", "é😀<&>"),
    ],
)
def test_cells(tmp_path: Path, cell: Cell, text: str) -> None:
    assert written(tmp_path, excel_xml({"People": [["x", cell]]})) == f"x,{text}\n"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text('ab,;" é', min_size=1, max_size=6) | st.none(), max_size=5), max_size=8))
def test_any_text_comes_back(tmp_path: Path, rows: list[list[Cell]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 50)
        text = written(tmp_path, excel_xml({"People": rows}))
    read = [[cell or None for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    assert _shortened(read) == _shortened([list(row) for row in rows])


def _shortened(rows: list[list[Cell]] | list[list[str | None]]) -> list[list[Cell]]:
    kept = [[*row] for row in rows]
    for row in kept:
        while row and row[-1] is None:
            row.pop()
    while kept and not kept[-1]:
        kept.pop()
    return kept


NAME = "urn:schemas-microsoft-com:office:spreadsheet"
HEAD = f'<Workbook xmlns="{NAME}" xmlns:s="{NAME}">'


def test_comments_and_merged_cells(tmp_path: Path) -> None:
    row = (
        "<Row><Cell s:MergeAcross='1'><Data s:Type='String'><B>Em</B>ail</Data>"
        "<Comment><Data>note</Data></Comment></Cell>"
        "<Cell><Data s:Type='Error'>#N/A</Data></Cell><Cell><Data s:Type='String'>c</Data></Cell></Row>"
    )
    text = f"{HEAD}<Worksheet s:Name='x'><Table>{row}</Table></Worksheet></Workbook>"
    assert written(tmp_path, text.encode()) == "Email,,,c\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (excel_xml({"People": PEOPLE})[:-20], "broken"),
        (excel_xml({}), "no sheet"),
        (b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>]><x>&a;</x>", "document type"),
        (f"{HEAD}<Worksheet><Table><Row s:Index='1048577'/>".encode(), "broken"),
        (f"{HEAD}<Worksheet><Table><Row s:Index='2'/><Row s:Index='2'/>".encode(), "broken"),
        (f"{HEAD}<Worksheet><Table><Row s:Index='x'/>".encode(), "broken"),
        (f"{HEAD}<Worksheet><Table><Row><Cell s:Index='16385'/></Row>".encode(), "broken"),
        ((HEAD + "<Worksheet><Table>" + "<Row><Cell s:Index='16384'/></Row>" * 400).encode(), "too far apart"),
        (f"{HEAD}<Worksheet><Table><Row><Cell><Data>{'x' * 1_100_000}".encode(), "characters"),
    ],
    ids=range(9),
)
def test_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        written(tmp_path, data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_declaration_of_utf_16_does_not_decide(tmp_path: Path, encoding: str) -> None:
    """What .NET's StringWriter makes declares UTF-16, however the text is stored."""
    text = excel_xml({"People": [["ann@example.org", "Änne"]]}).decode()
    declared = text.replace('version="1.0"', 'version="1.0" encoding="utf-16"')
    assert written(tmp_path, declared.encode(encoding)) == "ann@example.org,Änne\n"
