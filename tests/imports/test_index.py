"""The index cuts a file into ranges that hold all of its rows, and knows which rows come again."""

from __future__ import annotations

import io
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soapstone.imports import blocks as blocks_module
from soapstone.imports import index as module
from soapstone.imports.blocks import Block, blocks
from soapstone.imports.index import FileIndex, Found, build
from soapstone.imports.records import Dialect, Place, Records
from soapstone.imports.rows import Rows
from soapstone.imports.spec import Column, ImportSpec

UTF8 = Dialect(",", '"', "utf-8")
LINES = st.lists(
    st.sampled_from(["a,1\n", "a,!\n", "b,2\r\n", '"c\nd",3\n', "\n", ",4\n", "e\n", "f," + "x" * 30 + "\n"])
)


def finished(building: Generator[int, None, FileIndex]) -> FileIndex:
    while True:
        try:
            next(building)
        except StopIteration as end:
            found: FileIndex = end.value
            return found


def keys_of(block: Block) -> Found:
    """Rows with a "!" in their last field rank above others."""
    return Found([row[0] for row in block.rows], [int("!" in row[-1]) for row in block.rows])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    LINES,
    st.booleans(),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from([8, 64, 1 << 20]),
    st.sampled_from([1, 40]),
    st.booleans(),
)
def test_ranges_hold_all_rows_and_repeated_keys_are_known(
    tmp_path: Path,
    lines: list[str],
    header: bool,
    sizes: tuple[int, int],
    block: int,
    range_bytes: int,
    spill: bool,
) -> None:
    """mm-54, lk-76: the last of several rows with one key counts, of those with the highest rank."""
    data, (most, few) = "".join(lines).encode(), sizes
    everything = list(Records(io.BytesIO(data), UTF8, Place(0, 1)))[header:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "BLOCK_BYTES", block)
        patch.setattr(module, "RANGE_BYTES", range_bytes)
        patch.setattr(module, "HELD_KEYS", 2 if spill else 1000)
        records = blocks(io.BytesIO(data), UTF8, Place(0, 1))
        found = finished(build(records, keys_of, header=header, range_rows=most, first_rows=few, scratch=tmp_path))
    assert found.rows == len(everything)
    cut = [list(Records(io.BytesIO(data), UTF8, part.start, part.stop)) for part in found.ranges]
    assert [record for part in cut for record in part] == everything
    assert [(part.first, part.rows) for part in found.ranges] == [
        (sum(map(len, cut[:number])), len(part)) for number, part in enumerate(cut)
    ]
    assert all(0 < part.rows <= min(most, max(few, part.first)) for part in found.ranges)
    keys = [record.fields[0] for record in everything]
    ranks = [int("!" in record.fields[-1]) for record in everything]
    order = sorted(range(len(keys)), key=lambda row: (ranks[row], row))
    best = {keys[row]: row for row in order}
    again = [row for row, key in enumerate(keys) if key and best[key] != row]
    assert found.superseded_in(0, found.rows) == again
    for part in found.ranges:
        inside = [row - part.first for row in again if part.first <= row < part.first + part.rows]
        assert found.superseded_in(part.first, part.rows) == inside


# Parts of texts that are taken for addresses, or nearly.
_PARTS = (
    *("a", "B", "ann", "Ann.Lee", "info", "SALES", "o'neil", "a..b", ".a", "x" * 64, "x" * 65, "9", "_", "+", "%", ""),
    *(
        "@",
        "@@",
        ".example",
        ".Example",
        ".test",
        ".local",
        ".INVALID",
        "-x",
        "x-",
        "--",
        "xn--bcher-kva",
        "XN--BCHER-KVA",
    ),
    *(
        "xn--",
        "ab--c",
        "bücher",
        "ｅxample",
        "é",
        "mailto:",
        "MAILTO:",
        "<",
        ">",
        '"',
        "'",
        ";",
        ",",
        " ",
        "\t",
        "\n",
        "\xa0",
    ),
    *(
        "\u200b",
        "\x1c",
        "\x85",
        "[127.0.0.1]",
        "localhost",
        "host.example",
        "x" * 250,
        "(",
        ")",
        ":",
        "\\",
        "/",
        "K",
        "ſ",
    ),
)
_TEXTS = st.lists(st.sampled_from(_PARTS), max_size=6).map("".join) | st.builds(
    "{}{}@{}{}".format, *[st.sampled_from(_PARTS)] * 3, st.sampled_from([".example", ".com", ".de.", ""])
)


@settings(max_examples=300)
@given(st.lists(_TEXTS, min_size=1, max_size=4), st.booleans(), st.booleans(), st.sets(st.integers(0, 3)))
def test_unchecked_keys_are_those_of_a_check(texts: list[str], repair: bool, roles: bool, flawed: set[int]) -> None:
    """mm-54: a key that is not checked before it recurs supersedes the same rows as one that is."""
    spec = ImportSpec(columns=(Column(index=0, target="email"),), repair=repair, reject_roles=roles)
    rows = Rows(spec, "email", [])
    flaws = {position: "encoding" for position in flawed if position < len(texts)}
    found = rows.unchecked_keys([[text] for text in texts], flaws)
    if found is not None:
        assert [key if rows.is_key(key) else "" for key in found] == rows.check([[text] for text in texts], flaws).keys


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", "!", "?", ""]), st.booleans()), max_size=12), st.integers(1, 4)
)
def test_rows_that_were_not_checked_supersede_none_unless_their_key_holds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, bool]], held: int
) -> None:
    """Of the keys "!" and "?" only rows count that have been checked."""
    with pytest.MonkeyPatch.context() as patch, module.Keys(tmp_path_factory.getbasetemp()) as keys:
        patch.setattr(module, "HELD_KEYS", held)
        for number, (key, checked) in enumerate(rows):
            keys.add([key], number, checked=checked)
        found = sorted(keys.superseded(str.isalpha))
    counting = [(number, key) for number, (key, checked) in enumerate(rows) if key and (checked or key.isalpha())]
    last = {key: number for number, key in counting}
    assert found == [number for number, key in counting if last[key] != number]
