"""Values that spreadsheets run as formulas: escaped in our files, and the same after they were read again."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.imports.blocks import blocks
from soapstone.imports.formulas import escaped, unescape
from soapstone.imports.records import Dialect, Place, Records

FORMULAS = [
    "=1+1",
    "=cmd|'/c calc'!A1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "+A1",
    "-A1",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "+",
    "-",
    "+-1",
    "--1",
    "-1+1",
    "-1)",
    "+x@example.com",
    "+49 30 12 ext 5",
    "+1e",
    "-1\n",
]
PLAIN = [
    "",
    "Ann",
    "a=1",
    " =1",
    "'",
    "''",
    "O'Brien",
    "'Ann'",
    "'49",
    "-5",
    "+5",
    "-5.25",
    "-.5",
    "-1,234.5",
    "-1.5e-7",
    "+1E+10",
    "-12%",
    "+49 (30) 123-456/7",
    "+1-555-123.4567",
    "+(49) 30 1",
    "'+49 30 123",
    "ann@example.com",
    "1=1",
]


@pytest.mark.parametrize("value", FORMULAS)
def test_a_formula_gets_an_apostrophe(value: str) -> None:
    assert escaped([value]) == [f"'{value}"]
    assert escaped([f"'{value}"]) == [f"''{value}"]


@pytest.mark.parametrize("value", PLAIN)
def test_other_values_stay_as_they_are(value: str) -> None:
    assert escaped([value]) == [value]
    read = [value]
    unescape(read)
    assert read == [value]


def test_only_texts_are_escaped() -> None:
    assert escaped([-5, None, "-x"]) == [-5, None, "'-x"]


VALUES = (
    st.text(st.sampled_from("'=+-@\t\r\n1 .,(a\""), max_size=8)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
    | st.sampled_from([*FORMULAS, *PLAIN])
)


@given(st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_what_is_read_is_what_was_written(rows: list[list[str]], delimiter: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", delimiter=delimiter)
    writer.writerows(map(escaped, rows))
    file, dialect = io.BytesIO(text.getvalue().encode()), Dialect(delimiter, '"', "utf-8")
    for row in csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=delimiter):
        assert not any(value[:1] and value[0] in "=@\t\r" for value in row)
    assert [record.fields for record in Records(file, dialect, Place(0, 1))] == rows
    assert [row for block in blocks(file, dialect, Place(0, 1)) for row in block.rows] == rows
