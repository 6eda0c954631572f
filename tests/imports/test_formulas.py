"""Values that spreadsheets run as formulas, and NULL: escaped in our files, and the same after they were read again."""

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
    # Databases write NULL so.
    r"\N",
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
    "ann@example.com",
    "1=1",
    r"\n",
    r"\NN",
    r"C:\N",
    "\\N\n",
]


@pytest.mark.parametrize("value", FORMULAS)
def test_a_formula_gets_an_apostrophe(value: str) -> None:
    assert escaped([value]) == [f"'{value}"]
    assert escaped([f"'{value}"]) == [f"''{value}"]


@pytest.mark.parametrize("value", ["-5", "-1.5e-7", "+49 (30) 123-456/7", "+1-555-123.4567"])
def test_an_apostrophe_before_a_number_is_read_as_that_of_a_program(value: str) -> None:
    read = [f"'{value}"]
    unescape(read)
    assert read == [value]
    # In our own files it is the value's.
    assert escaped([f"'{value}"]) == [f"''{value}"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('="ann@example.com"', "ann@example.com"),
        ('="00123"', "00123"),
        ('=""', ""),
        ('="the ""North"""', 'the "North"'),
        ('="=1+1"', "=1+1"),
        ('="a\nb"', "a\nb"),
        ('="a"b"', '="a"b"'),
        ('="a"&"b"', '="a"&"b"'),
        ('="', '="'),
        (' ="a"', ' ="a"'),
    ],
)
def test_a_text_that_is_written_as_a_formula_is_read_as_the_text(written: str, value: str) -> None:
    read = [written]
    unescape(read)
    assert read == [value]
    # In our own files it is the value's.
    ours = [str(each) for each in escaped([written])]
    unescape(ours)
    assert ours == [written]


@pytest.mark.parametrize("qualified", ['="ann@example.com",{}x\n', '"=""ann@example.com""",{}x\n'])
def test_both_readers_take_texts_out_of_formulas(qualified: str) -> None:
    lines = qualified.format('="0"') + qualified.format("1")
    rows = [["ann@example.com", '="0"x'], ["ann@example.com", "1x"]]
    file, dialect = io.BytesIO(lines.encode()), Dialect(",", '"', "utf-8")
    assert [record.fields for record in Records(file, dialect, Place(0, 1))] == rows
    assert [row for block in blocks(file, dialect, Place(0, 1)) for row in block.rows] == rows


@pytest.mark.parametrize("qualified", ["{}", '"{}"', '""{}'])
@pytest.mark.parametrize(("written", "value"), [(r"\N", ""), (r"'\N", r"\N"), (r"C:\New", r"C:\New")])
def test_both_readers_take_the_null_of_databases_for_an_empty_value(written: str, value: str, qualified: str) -> None:
    lines = f"ann@example.com\t{qualified.format(written)}\tLee\nbob@example.com\tBob\tRay\n"
    rows = [["ann@example.com", value, "Lee"], ["bob@example.com", "Bob", "Ray"]]
    file, dialect = io.BytesIO(lines.encode()), Dialect("\t", '"', "utf-8")
    assert [record.fields for record in Records(file, dialect, Place(0, 1))] == rows
    assert [row for block in blocks(file, dialect, Place(0, 1)) for row in block.rows] == rows
    first_look = blocks(file, dialect, Place(0, 1), columns=1, texts=True)
    assert [row for block in first_look for row in block.rows] == rows


@pytest.mark.parametrize("value", PLAIN)
def test_other_values_stay_as_they_are(value: str) -> None:
    assert escaped([value]) == [value]
    read = [value]
    unescape(read)
    assert read == [value]


def test_only_texts_are_escaped() -> None:
    assert escaped([-5, None, "-x"]) == [-5, None, "'-x"]


VALUES = (
    st.text(st.sampled_from("'=+-@\t\r\n1 .,(a\"\\N"), max_size=8)
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
