"""Records are read at their exact physical lines, whatever the file looks like."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.imports import records as module
from soapstone.imports.blocks import blocks
from soapstone.imports.formulas import escaped
from soapstone.imports.records import Dialect, Place, Record, Records, UnreadableError, behind

UTF8 = Dialect(",", '"', "utf-8")


def read(data: bytes, dialect: Dialect = UTF8) -> list[Record]:
    return list(Records(io.BytesIO(data), dialect, Place(0, 1)))


def rows(data: bytes, dialect: Dialect = UTF8) -> list[tuple[int, list[str]]]:
    found = read(data, dialect)
    assert [record for record in found if record.flaw] == []
    return [(record.line, record.fields) for record in found]


CELLS = st.text(st.sampled_from("ab,;\"\n\r 'é€\t="), max_size=6)


@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(",;\t|é"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(['"', "'"]),
)
def test_any_table_reads_back_with_the_lines_its_records_begin_on(
    table: list[list[str]], end: str, delimiter: str, quoting: int, qualifier: str
) -> None:
    """mm-46, lk-67."""
    if any(set(cell) & {"\r", "\n"} for cells in table for cell in cells):
        # Some versions of the writer leave the one kind of line break bare where lines end with the other.
        quoting = csv.QUOTE_ALL
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting, quotechar=qualifier)  # type: ignore[arg-type]
    expected = []
    for cells in table:
        before = text.getvalue().encode()
        expected.append((len((before + b"x").splitlines()), cells))
        # What is no formula, but is read as an escaped one, is escaped too.
        writer.writerow(escaped(cells))
    assert rows(text.getvalue().encode(), Dialect(delimiter, qualifier, "utf-8")) == expected


@given(
    st.binary(max_size=60) | st.text(st.sampled_from('ab,"\n\r'), max_size=60).map(str.encode),
    st.sampled_from(['"', ""]),
    st.integers(1, 9),
)
def test_any_bytes_are_read_and_every_part_reads_as_in_the_whole(data: bytes, qualifier: str, block: int) -> None:
    dialect = Dialect(",", qualifier, "utf-8")
    whole = read(data, dialect)
    lines = [record.line for record in whole]
    assert lines == sorted(set(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        assert read(data, dialect) == whole
    records = Records(io.BytesIO(data), dialect, Place(0, 1))
    places = [Place(0, 1)]
    for _ in records:
        places.append(records.place)
    for start, following, record in zip(places, places[1:], whole, strict=False):
        assert list(Records(io.BytesIO(data), dialect, start, following.offset)) == [record]
        assert next(iter(Records(io.BytesIO(data), dialect, start))) == record


def test_line_breaks_of_every_kind_count_once() -> None:
    assert rows(b'a\nb\r\nc\rd\r\r\n"e\r\nf\ng"\nh') == [
        (1, ["a"]),
        (2, ["b"]),
        (3, ["c"]),
        (4, ["d"]),
        (6, ["e\r\nf\ng"]),
        (9, ["h"]),
    ]


def test_other_separators_of_lines_are_text() -> None:
    assert rows("a\x0bb\x0cc\x1cd\x85e f\n".encode()) == [(1, ["a\x0bb\x0cc\x1cd\x85e f"])]


def test_blank_lines_are_no_records() -> None:
    assert rows(b"\n\na,b\r\n\r\n\rc\n") == [(3, ["a", "b"]), (6, ["c"])]
    assert rows(b"") == []
    assert rows(b"\n") == []


def test_quotes() -> None:
    assert rows(b'"a ""b"" c","d,e",f "g" h,"i" j\n') == [(1, ['a "b" c', "d,e", 'f "g" h', "i j"])]


def test_without_a_qualifier_quotes_are_text() -> None:
    """lk-67: the qualifier may be empty."""
    assert rows(b'"a,b"\n"c\n', Dialect(",", "", "utf-8")) == [(1, ['"a', 'b"']), (2, ['"c'])]


def test_a_quote_without_end_costs_only_its_own_record() -> None:
    assert read(b'a,b\nc,"d\ne,f\n') == [
        Record(1, ["a", "b"], ""),
        Record(2, ["c", '"d'], "unterminated_quote"),
        Record(3, ["e", "f"], ""),
    ]


def test_a_quote_that_ends_a_thousand_lines_later_was_never_closed() -> None:
    body = b"".join(b"line %d\n" % n for n in range(2, 1002))
    found = read(b'"a\n' + body + b'b"\nc\n')
    assert found[0] == Record(1, ['"a'], "unterminated_quote")
    assert [(record.line, record.flaw) for record in found[1:]] == [(n, "") for n in range(2, 1004)]
    # One line less is a value.
    shorter = b"".join(b"line %d\n" % n for n in range(2, 1000))
    assert [record.line for record in read(b'"a\n' + shorter + b'b"\nc\n')] == [1, 1001]


def test_a_value_over_a_megabyte() -> None:
    line = b"x" * 99_999 + b"\n"
    found = read(b'"a\n' + line * 11 + b'b"\nc\n')
    assert found[0] == Record(1, ['"a'], "unterminated_quote")
    assert [record.line for record in found[1:]] == list(range(2, 15))
    found = read(b"a\n" + b"x" * (1 << 20) + b"y,z\nb\n")
    assert [(record.line, record.flaw) for record in found] == [(1, ""), (2, "too_long"), (3, "")]
    assert len(found[1].fields[0]) == module.FLAWED_CHARACTERS
    assert [record.flaw for record in read(b"a\n" + b"x" * (1 << 20) + b",z\nb\n")] == ["", "", ""]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_an_endless_line_is_not_kept_in_memory(end: bytes, more: int) -> None:
    # So long that the line's end lies about the end of a block, also between CR and LF.
    length = module.LINE_BYTES + 2 * module.BLOCK - 2 + more
    data = b"a" + end + b"x," * (length // 2) + b"x" * (length % 2) + end + b"b" + end
    found = read(data)
    assert [(record.line, record.flaw) for record in found] == [(1, ""), (2, "too_long"), (3, "")]
    records = Records(io.BytesIO(data), UTF8, Place(0, 1))
    offsets = [records.place.offset for _ in records]
    assert offsets == [1 + len(end), 1 + 2 * len(end) + length, len(data)]


def test_an_endless_line_with_an_open_quote_ends_with_the_line() -> None:
    data = b'a,"' + b"x" * (module.LINE_BYTES + 3 * module.BLOCK) + b'\nb"\nc\n'
    assert [(record.line, record.flaw) for record in read(data)][::2] == [(1, "unterminated_quote"), (3, "")]


@pytest.mark.parametrize("data", ["\ufeffEmail,b\nc\n", '"\ufeffEmail",b\nc\n', '"\ufeff\ufeffEmail",b\nc\n'])
def test_a_byte_order_mark_is_no_part_of_the_first_value(data: str) -> None:
    """lk-68."""
    expected = [["Email", "b"], ["c"]]
    assert [fields for _, fields in rows(data.encode())] == expected
    assert [row for block in blocks(io.BytesIO(data.encode()), UTF8, Place(0, 1)) for row in block.rows] == expected
    assert rows("a\n\ufeffb\n".encode()) == [(1, ["a"]), (2, ["\ufeffb"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_place_behind_some_lines(end: str) -> None:
    data = end.join(["title", "", '"a', 'b"', "c"]).encode()
    for lines in range(7):
        place = behind(io.BytesIO(data), Place(0, 1), lines)
        assert place.line == 1 + min(lines, 5)
        assert data[place.offset :] == end.join(data.decode().split(end)[lines:]).encode()


def test_bytes_that_are_no_text() -> None:
    found = read("a,é\n".encode() + b"b,\xe9\n" + b'c,"\xe9\nd"\n' + "e,é\n".encode())
    assert [(record.line, record.flaw) for record in found] == [(1, ""), (2, "encoding"), (3, "encoding"), (5, "")]
    assert found[1].fields == ["b", "�"]


def test_the_flaw_of_a_line_stays_its_own_when_it_is_read_again() -> None:
    found = read(b'"a\nb,\xe9\nc,\xef\xbf\xbd\n')
    assert [record.flaw for record in found] == ["unterminated_quote", "encoding", ""]


def test_the_null_character_is_left_out() -> None:
    assert rows(b"a\0b,c\n\0\n") == [(1, ["ab", "c"])]


def test_a_file_without_regard_for_its_own_quotes_ends() -> None:
    # Read from its beginning, each line opens a quote; read inside of one, each line closes it and opens another.
    with pytest.raises(UnreadableError, match="have no end"):
        read(b'a"b,"c\n' * 10_000)


def test_a_file_is_read_from_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\nb\nc\nd\n")
    with path.open("rb") as file:
        assert [(record.line, record.fields) for record in Records(file, UTF8, Place(2, 2), 6)] == [
            (2, ["b"]),
            (3, ["c"]),
        ]
