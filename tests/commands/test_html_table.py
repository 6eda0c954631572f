"""The table of an HTML page becomes CSV in which line n is row n."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.growth import check_growth
from tests.imports.workbooks import html

from soapstone.commands import html_table
from soapstone.commands.html_table import as_csv
from soapstone.imports.file_kinds import kind
from soapstone.imports.records import UnreadableError


def written(tmp_path: Path, data: bytes, encoding: str = "") -> str:
    path = tmp_path / "people.xls"
    path.write_bytes(data)
    return b"".join(as_csv(path, encoding)).decode("utf-8", "surrogateescape")


def test_cells_and_rows(tmp_path: Path) -> None:
    page = """<html><head><title>x</title><style>td { color: red }</style></head><body><h1>Members</h1>
    <table><thead><tr><th>E&#45;mail</th><th>Name</th></tr></thead><tbody>
    <tr><td>ann@example.org<td>Ann &amp;<br>Bob &eacute;</tr>
    <tr></tr><tr><td>&nbsp;</td><td></td></tr>
    <TR><TD colspan=2><b>bob</b>@example.org<script>x("<td>")</script><!-- no --></TD><td>,"</td></TR></tbody></table>
    <p>2 people</p></body></html>"""
    assert written(tmp_path, page.encode()) == (
        'E-mail,Name\nann@example.org,Ann & Bob é\n\n\nbob@example.org,,","""\n'
    )


def test_the_largest_table_of_a_page(tmp_path: Path) -> None:
    people = "<table><tr><td>Email<td>Name<tr><td>ann@example.org<td>Ann</table>"
    page = f"<table><tr><td>Menu</table><table><tr><td>{people}<td>News</table><table><tr><td>"
    assert written(tmp_path, page.encode()) == "Email,Name\nann@example.org,Ann\n"
    # One that has no end ends with the page.
    assert written(tmp_path, b"<table><tr><td>Email<tr><td>ann@example.org") == "Email\nann@example.org\n"


def test_rows_without_a_table(tmp_path: Path) -> None:
    """As the shell of SQLite writes them in its mode html."""
    page = b"<TR><TH>Email</TH>\n<TH>Name</TH>\n</TR>\n<TR><TD>ann@example.org</TD>\n<TD>Ann</TD>\n</TR>\n"
    assert kind(page) == "html"
    assert written(tmp_path, page) == "Email,Name\nann@example.org,Ann\n"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text('ab,;"<&>é', max_size=6), min_size=1, max_size=5), min_size=1, max_size=8))
def test_any_text_comes_back(tmp_path: Path, rows: list[list[str]]) -> None:
    text = written(tmp_path, html(rows))
    assert list(csv.reader(io.StringIO(text))) == [row if any(row) else [] for row in rows]


@pytest.mark.parametrize(
    ("page", "encoding", "name"),
    [
        ("<table><tr><td>Zoë".encode(), "", "Zoë"),
        ("<table><tr><td>Zoë".encode("cp1252"), "", "Zoë"),
        ("<table><tr><td>Zoë".encode("utf-16"), "", "Zoë"),
        ("<table><tr><td>Zoë".encode("utf-8-sig"), "", "Zoë"),
        ("<meta charset='windows-1251'><table><tr><td>Анна".encode("cp1251"), "", "Анна"),
        ('<meta content="text/html; charset=Shift_JIS"><table><tr><td>ポ'.encode("cp932"), "", "ポ"),
        ("<meta charset=klingon><table><tr><td>Zoë".encode(), "", "Zoë"),
        ("<meta charset=utf-8><table><tr><td>Анна".encode("cp1251"), "windows-1251", "Анна"),
    ],
    ids=range(8),
)
def test_charsets(tmp_path: Path, page: bytes, encoding: str, name: str) -> None:
    assert written(tmp_path, page, encoding) == f"{name}\n"


def test_bytes_that_are_no_text_stay_so(tmp_path: Path) -> None:
    """The import rejects the row."""
    text = written(tmp_path, b"<meta charset=utf-8><table><tr><td>Email<tr><td>a\xff@example.org")
    assert text.encode("utf-8", "surrogateescape") == b"Email\na\xff@example.org\n"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<!doctype html><p>Your session has expired.", "without a table"),
        ("<table></table>", "without a table"),
        ("<table><tr><td rowspan=2>x", "several rows"),
        ("<table><tr>" + "<td colspan=1000>" * 2000, "several columns"),
        ("<table><tr><td>" + "x" * 2000, "larger than"),
    ],
    ids=range(5),
)
def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, words: str) -> None:
    if words == "larger than":
        monkeypatch.setattr(html_table, "MOST_BYTES", 1000)
    with pytest.raises(UnreadableError, match=words):
        written(tmp_path, page.encode())


@pytest.mark.parametrize(
    "text", ["<table>", "<table><tr><td>a", "<td>", "<tr>", "</table>", "<", "<!--", "<td a=", "&"]
)
def test_time_is_linear(tmp_path: Path, text: str) -> None:
    path = tmp_path / "people.xls"

    def work(page: str) -> None:
        path.write_text(page)
        list(as_csv(path))

    check_growth(lambda length: "<table><tr><td>x" + text * (length // len(text)), work, longest=1 << 17)
