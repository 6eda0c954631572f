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
from soapstone.imports.index import FileIndex, build
from soapstone.imports.records import Dialect, Place, Records

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


def keys_of(block: Block) -> tuple[list[str], list[int]]:
    """Rows with a "!" in their last field rank above others."""
    return [row[0] for row in block.rows], [int("!" in row[-1]) for row in block.rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    LINES, st.booleans(), st.integers(1, 5), st.sampled_from([8, 64, 1 << 20]), st.sampled_from([1, 40]), st.booleans()
)
def test_ranges_hold_all_rows_and_repeated_keys_are_known(
    tmp_path: Path, lines: list[str], header: bool, range_rows: int, block: int, range_bytes: int, spill: bool
) -> None:
    """mm-54, lk-76: the last of several rows with one key counts, of those with the highest rank."""
    data = "".join(lines).encode()
    everything = list(Records(io.BytesIO(data), UTF8, Place(0, 1)))[header:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "BLOCK_BYTES", block)
        patch.setattr(module, "RANGE_BYTES", range_bytes)
        patch.setattr(module, "HELD_KEYS", 2 if spill else 1000)
        records = blocks(io.BytesIO(data), UTF8, Place(0, 1))
        found = finished(build(records, keys_of, header=header, range_rows=range_rows, scratch=tmp_path))
    assert found.rows == len(everything)
    cut = [list(Records(io.BytesIO(data), UTF8, part.start, part.stop)) for part in found.ranges]
    assert [record for part in cut for record in part] == everything
    assert [(part.first, part.rows) for part in found.ranges] == [
        (sum(map(len, cut[:number])), len(part)) for number, part in enumerate(cut)
    ]
    assert all(0 < part.rows <= range_rows for part in found.ranges)
    keys = [record.fields[0] for record in everything]
    ranks = [int("!" in record.fields[-1]) for record in everything]
    order = sorted(range(len(keys)), key=lambda row: (ranks[row], row))
    best = {keys[row]: row for row in order}
    again = [row for row, key in enumerate(keys) if key and best[key] != row]
    assert found.superseded_in(0, found.rows) == again
    for part in found.ranges:
        inside = [row - part.first for row in again if part.first <= row < part.first + part.rows]
        assert found.superseded_in(part.first, part.rows) == inside
