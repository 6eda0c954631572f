"""Blocks hold the same records as a reading record by record, wherever the blocks are cut."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.imports import blocks as module
from soapstone.imports.blocks import blocks
from soapstone.imports.charsets import _BY_BYTES
from soapstone.imports.records import Dialect, Place, Record, Records, UnreadableError

DATA = (
    st.binary(max_size=80)
    | st.text(st.sampled_from('ab,"\n\r'), max_size=80).map(str.encode)
    | st.text(st.sampled_from("'=,\"\n\r"), max_size=80).map(str.encode)
    | st.text(st.sampled_from("\\'=,b\"\n\r"), max_size=80).map(str.encode)
    | st.lists(
        st.sampled_from(
            [b"a,b\n", b'"a","b"\r\n', b'"a\nb",c\n', b"\n", b"\xff,b\n", b"\xc3\xa9,b\n", b'"', b"a\r", b"\0"]
        )
    ).map(b"".join)
)
DIALECTS = st.builds(
    Dialect,
    st.sampled_from([",", "b"]),
    st.sampled_from(['"', "", "'"]),
    st.sampled_from(["utf-8", "cp1252"]),
    st.booleans(),
)

BEGIN = Place(0, 1)


def truth(data: bytes, dialect: Dialect, start: Place = BEGIN, stop: int | None = None) -> list[Record]:
    return list(Records(io.BytesIO(data), dialect, start, stop))


def read(data: bytes, dialect: Dialect, start: Place = BEGIN, stop: int | None = None) -> list[Record]:
    found = []
    for block in blocks(io.BytesIO(data), dialect, start, stop):
        for position, (row, line) in enumerate(zip(block.rows, block.lines, strict=True)):
            found.append(Record(line, row, block.flaws.get(position, "")))
    return found


@given(DATA, DIALECTS, st.sampled_from([7, 20, 1 << 20]))
def test_the_records_are_the_same_as_one_by_one(data: bytes, dialect: Dialect, size: int) -> None:
    """mm-46, lk-67, lk-68."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", size)
        patch.setattr(module, "FEW_BYTES", size // 3)
        patch.setattr(module, "SPARSE_BYTES", 2)
        assert read(data, dialect) == truth(data, dialect)


@given(DATA, DIALECTS, st.sampled_from([7, 20, 1 << 20]))
def test_reading_goes_on_at_the_place_of_any_record(data: bytes, dialect: Dialect, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", size)
        patch.setattr(module, "FEW_BYTES", size // 3)
        patch.setattr(module, "SPARSE_BYTES", 2)
        everything = truth(data, dialect)
        number = 0
        for block in list(blocks(io.BytesIO(data), dialect, Place(0, 1))):
            for position in range(len(block.rows) + 1):
                place = block.place(position)
                assert read(data, dialect, place) == everything[number + position :]
                assert read(data, dialect, Place(0, 1), place.offset) == everything[: number + position]
            number += len(block.rows)


@given(DATA, DIALECTS, st.integers(1, 3))
def test_the_first_columns_are_the_same_when_only_they_are_wanted(data: bytes, dialect: Dialect, columns: int) -> None:
    everything = truth(data, dialect)
    found = [row for block in blocks(io.BytesIO(data), dialect, Place(0, 1), columns=columns) for row in block.rows]
    assert [row[:columns] for row in found] == [record.fields[:columns] for record in everything]


@given(DATA, DIALECTS, st.integers(1, 3))
def test_fields_that_are_needed_later_are_the_same(data: bytes, dialect: Dialect, columns: int) -> None:
    everything, found = truth(data, dialect), []
    for block in blocks(io.BytesIO(data), dialect, Place(0, 1), columns=columns, texts=True):
        whole = [text.split(dialect.delimiter) for text in block.texts] or block.rows
        assert [row[:columns] for row in block.rows] == [row[:columns] for row in whole]
        found += whole
    assert found == [record.fields for record in everything]


def test_a_file_without_regard_for_its_quotes_is_given_up() -> None:
    """Each line leaves a value open, whether one is open before it or not."""
    with pytest.raises(UnreadableError, match="no end"):
        read(b'ab"c,"x\n' * 1_000_000, Dialect(",", '"', "utf-8"))


def test_a_record_of_too_many_lines_is_none_in_a_block_either() -> None:
    fits, too_long = (b'"' + b"x\n" * lines + b'",1\n' for lines in (999, 1000))
    for data in (fits, too_long, b"a,b\n" + too_long + b"c,d\n" + fits):
        assert read(data, Dialect(",", '"', "utf-8")) == truth(data, Dialect(",", '"', "utf-8"))


@pytest.mark.parametrize("codec", sorted(_BY_BYTES))
def test_special_bytes_are_those_characters_and_no_others_are(codec: str) -> None:
    """Blocks are searched for them before they are decoded."""
    for special in "\0\n\r":
        found = [byte for byte in range(256) if special in bytes([byte]).decode(codec, "surrogateescape")]
        assert found == [ord(special)]
