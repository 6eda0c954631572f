"""The delimiter of a file is the one that makes the best table, whatever stands in its values."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.growth import check_growth

from soapstone.imports import layout
from soapstone.imports.layout import DELIMITERS, Layout, delimiter_of, recognised


def found(tmp_path: Path, data: bytes, *, delimiter: str = "", skip: int = 0, encoding: str = "") -> Layout:
    path = tmp_path / "file"
    path.write_bytes(data)
    return recognised(path, delimiter=delimiter, qualifier='"', encoding=encoding, skip=skip, header=True)


# Values with everything that delimits, quotes and line breaks, but with no address.
NOISE = st.text(st.sampled_from("ab,;\t|\"\n 'é"), max_size=8)
NAMES = st.text(st.sampled_from("ab,;\t| "), min_size=1, max_size=8)
ADDRESSES = st.integers(1, 999).map("p{}@example.org".format)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header and rows of two columns or more, one of them with addresses."""
    width = draw(st.integers(2, 5))
    at = draw(st.integers(0, width - 1))
    header = draw(st.lists(NAMES, min_size=width, max_size=width))
    header[at] = "Email"
    rows = draw(st.lists(st.lists(NOISE, min_size=width, max_size=width), min_size=1, max_size=6))
    for row in rows:
        row[at] = draw(ADDRESSES)
    return [header, *rows]


@given(
    tables(), st.sampled_from(DELIMITERS), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from("\n\r")
)
def test_any_table_with_addresses(table: list[list[str]], delimiter: str, quoting: int, end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(table)  # type: ignore[arg-type]
    assert delimiter_of(text.getvalue(), '"', header=True) == delimiter


@given(
    st.sampled_from(DELIMITERS),
    st.lists(st.lists(st.text("ab é", min_size=1, max_size=5), min_size=2, max_size=4), min_size=1, max_size=5),
)
def test_a_table_without_addresses(delimiter: str, table: list[list[str]]) -> None:
    """An account may tell people apart by a number; then any row has the header's columns."""
    table = [row[:2] for row in table]
    text = "".join(delimiter.join(row) + "\n" for row in table)
    assert delimiter_of(text, '"', header=True) == delimiter


@given(st.lists(ADDRESSES, max_size=9), st.sampled_from(["", ";", ","]))
def test_one_column_of_addresses(addresses: list[str], end: str) -> None:
    """No delimiter is in the header, so none may cut the addresses; a comma does as well as any."""
    text = "".join(f"{line}\n" for line in ["Email", *(address + end for address in addresses)])
    assert delimiter_of(text, '"', header=True) in (",", ";")
    assert delimiter_of(text.replace("Email\n", ""), '"', header=False) in (",", ";")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("", ","),
        ("\n\n", ","),
        ("Email", ","),
        ("Email;Name\n", ";"),
        # Of a row with two addresses none may be lost: it is one value, which is rejected.
        ("Email\na@example.org; b@example.org\nc@example.org\n", ","),
        ("Email\na@example.org, b@example.org\nc@example.org\n", ";"),
        ("Email\nLee, Ann <a@example.org>\nb@example.org;\n", ";"),
        ("Email;Name, first\na@example.org;Doe, Ann\n", ";"),
        ("Name, first;Email\nDoe, Ann;a@example.org\nRoe, Bob;b@example.org\n", ";"),
        ("Email,Tags\na@example.org,red;blue;green\nb@example.org,red;blue\n", ","),
        ("Email,Name\na@example.org;b@example.org,Ann\n", ","),
        ('Email;"Name, first"\n"a@example.org";"Doe, Ann"\n', ";"),
        # Each text as a formula, as programs write it for spreadsheets.
        ('="Email, work";="Name"\n="a@example.org";="Doe, Ann"\n', ";"),
        ("Email\tCity\na@example.org\tBerlin, Germany\n", "\t"),
        ("Email|Phones\na@example.org|1, 2; 3\n", "|"),
        ("Name;Email\nAnn;Ann <a@example.org>\n", ";"),
        ("Email\nDoe, Ann <a@example.org>\nRoe, Bob <b@example.org>\n", ";"),
        ("Id;Amount\n1;1,5\n2;2,5\n3;7\n", ";"),
        ('Email,Name\na@example.org,"Ann\n', ","),
    ],
)
def test_files_of_people(text: str, delimiter: str) -> None:
    assert delimiter_of(text, '"', header=True) == delimiter


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;", "\ufeffsep=;"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_line_that_names_the_delimiter(tmp_path: Path, line: str, end: str, encoding: str) -> None:
    data = end.join([line, "Email,a,b;Name", "a@example.org,x,y;Ann", ""]).encode(encoding)
    assert found(tmp_path, data) == Layout(";", 1)
    # What is asked for counts more, and the line is still no row.
    assert found(tmp_path, data, delimiter=",") == Layout(",", 1)
    assert found(tmp_path, data, skip=1) == Layout(";", 1)
    assert found(tmp_path, data, skip=3) == Layout(";", 3)


def test_any_character_may_be_named(tmp_path: Path) -> None:
    assert found(tmp_path, b"sep=^\nEmail^Name\n") == Layout("^", 1)
    assert found(tmp_path, b"sep=\t\nEmail\tName\n") == Layout("\t", 1)
    assert found(tmp_path, rb"sep=\t") == Layout("\t", 1)
    assert found(tmp_path, b"separator;Email\n") == Layout(";", 0)


def test_title_rows(tmp_path: Path) -> None:
    data = "Members, all of them\nas of 1 May, 2024\nEmail;Name\na@example.org;Ann\n"
    assert found(tmp_path, data.encode(), skip=2) == Layout(";", 2)
    assert found(tmp_path, data.encode("utf-16"), skip=2) == Layout(";", 2)


def test_letters_whose_second_byte_is_a_delimiter(tmp_path: Path) -> None:
    """In Shift_JIS the second byte of a letter may be that of `|`."""
    data = "Email,メモ\na@example.org,ポ｜ポ｜\n".encode("shift_jis")
    assert b"|" in data
    assert found(tmp_path, data, encoding="shift_jis") == Layout(",", 0)


def test_only_the_beginning_is_looked_at(tmp_path: Path) -> None:
    """A row that is cut off counts for nothing."""
    row = "p@example.org;" + "a,b" * 300 + "\n"
    data = ("Email;Note\n" + row * (layout.SAMPLE_BYTES // len(row) + 5)).encode()
    assert found(tmp_path, data) == Layout(";", 0)
    assert found(tmp_path, data[: layout.SAMPLE_BYTES] + b",;" * 9_000_000) == Layout(";", 0)


@pytest.mark.parametrize("text", ["a,;|\t", '"', "a@", "<", ',"', "a@b,", "\n", "sep="])
def test_time_is_linear(text: str) -> None:
    check_growth(lambda length: text * (length // len(text)), lambda text: delimiter_of(text, '"', header=True))
