"""The index of an import's file: where its records lie, and which rows a later row with the same key supersedes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from soapstone.imports.records import Place, Records

# Keys held in memory before they go to disk, and the number of parts they go to there. One part at a time is in
# memory when duplicates are looked for: a 256th of all keys.
HELD_KEYS = 250_000
PARTS = 256
# After so many rows the reader asks whether it may go on.
HEED_ROWS = 50_000


@dataclass(frozen=True)
class Range:
    """Consecutive data rows of the file: the number of the first (from 0), how many, and where they lie."""

    first: int
    rows: int
    start: Place
    stop: int


@dataclass(frozen=True)
class FileIndex:
    """All data rows of a file in ranges, and which of them are superseded by a later one (mm-54)."""

    rows: int
    ranges: list[Range]
    superseded: bytearray

    def is_superseded(self, row: int) -> bool:
        """Whether a later row is about the same contact."""
        return bool(self.superseded[row >> 3] >> (row & 7) & 1)


def build(
    records: Records,
    key_of: Callable[[list[str]], str],
    *,
    header: bool,
    range_rows: int,
    scratch: Path,
    heed: Callable[[], None],
) -> FileIndex:
    """Read the file once. `key_of` gives the key of a valid row, "" for any other, which supersedes none.

    Memory stays flat: ranges and one bit per row, keys go through a nameless file in the folder `scratch`. `heed` is
    called now and then; it may raise to end the work.
    """
    ranges: list[Range] = []
    row = 0
    start = records.place
    with Keys(scratch) as keys:
        pending_header = header
        for record in records:
            if pending_header:
                pending_header = False
                start = records.place
                continue
            if not record.flaw and (key := key_of(record.fields)):
                keys.add(key, row)
            row += 1
            if row % range_rows == 0:
                ranges.append(Range(row - range_rows, range_rows, start, records.place.offset))
                start = records.place
            if row % HEED_ROWS == 0:
                heed()
        if rest := row % range_rows:
            ranges.append(Range(row - rest, rest, start, records.place.offset))
        superseded = bytearray(row + 7 >> 3)
        for earlier in keys.superseded():
            superseded[earlier >> 3] |= 1 << (earlier & 7)
    return FileIndex(row, ranges, superseded)


class Keys:
    """Keys of rows, in memory as long as they are few, else on disk in parts by their hash."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._held: list[tuple[str, int]] = []
        self._file: IO[bytes] | None = None
        self._parts: list[list[tuple[int, int]]] = [[] for _ in range(PARTS)]

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, key: str, row: int) -> None:
        """The row has this key; rows come in ascending order."""
        self._held.append((key, row))
        if len(self._held) >= HELD_KEYS:
            self._spill()

    def superseded(self) -> Iterator[int]:
        """Rows whose key comes again later."""
        if self._file is None:
            yield from _repeated(self._held)
            return
        self._spill()
        for part in self._parts:
            yield from _repeated([pair for offset, size in part for pair in self._load(offset, size)])

    def _spill(self) -> None:
        if self._file is None:
            # Without a name the file is gone when the process is, however that ends: nothing is left to sweep.
            self._file = TemporaryFile(dir=self._scratch)  # noqa: SIM115 - closed by __exit__
        parts: list[list[tuple[str, int]]] = [[] for _ in range(PARTS)]
        for pair in self._held:
            parts[hash(pair[0]) % PARTS].append(pair)
        self._held.clear()
        for place, pairs in zip(self._parts, parts, strict=True):
            if pairs:
                data = json.dumps(pairs).encode()
                place.append((self._file.tell(), len(data)))
                self._file.write(data)

    def _load(self, offset: int, size: int) -> list[tuple[str, int]]:
        assert self._file is not None  # noqa: S101 - parts exist only on disk
        self._file.seek(offset)
        return [(key, row) for key, row in json.loads(self._file.read(size))]


def _repeated(pairs: list[tuple[str, int]]) -> Iterator[int]:
    last: dict[str, int] = {}
    for key, row in pairs:
        if (earlier := last.get(key)) is not None:
            yield earlier
        last[key] = row
