"""The index of an import's file: the places of its rows, and the rows that another row with the same key supersedes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from soapstone.imports.blocks import Block
from soapstone.imports.records import Place

# Most keys in memory before they go to disk, and the number of parts on disk. Few are sorted out faster, because they
# stay in the cache of the processor. The search for duplicates loads one part at a time: a 128th of all keys.
HELD_KEYS = 30_000
PARTS = 128
# A range is held in memory as a whole; with wide rows it has fewer rows, and so many bytes.
RANGE_BYTES = 16 << 20
# Separates keys on disk: no text of a file holds it.
BETWEEN = "\0"
# A row's rank is stored above the bits of its number, with a bit between them for a checked row.
RANK_BITS = 48
CHECKED = 1 << RANK_BITS - 1


class Found(NamedTuple):
    """Keys of a block's rows, "" for a row that supersedes none; their ranks, empty if all are 0; whether the rows have
    been checked, so that each of these keys counts."""

    keys: Sequence[str]
    ranks: Sequence[int] = ()
    checked: bool = True


@dataclass(frozen=True)
class Range:
    """Consecutive data rows of the file: the number of the first (from 0), their count, and their place."""

    first: int
    rows: int
    start: Place
    stop: int


@dataclass(frozen=True)
class FileIndex:
    """All data rows of a file in ranges, and the superseded ones (mm-54)."""

    rows: int
    ranges: list[Range]
    superseded: bytearray

    def superseded_in(self, first: int, rows: int) -> list[int]:
        """Return the positions of superseded rows among `rows` rows from `first` on."""
        bits = int.from_bytes(self.superseded[first >> 3 : (first + rows + 7) >> 3], "little") >> (first & 7)
        if not bits & ((1 << rows) - 1):
            return []
        flags = bin(bits)[:1:-1]
        found, position = [], flags.find("1")
        while 0 <= position < rows:
            found.append(position)
            position = flags.find("1", position + 1)
        return found


def build(
    blocks: Iterable[Block],
    keys_of: Callable[[Block], Found],
    *,
    header: bool,
    range_rows: int,
    first_rows: int,
    scratch: Path,
    holds: Callable[[str], bool] = lambda _: True,
) -> Generator[int, None, FileIndex]:
    """Read the file once, block by block; yield the number of rows so far and return the index.

    `keys_of` returns the keys of a block's rows. Of the rows with one key the last of the highest rank supersedes the
    others. `holds` tells whether unchecked rows with a key count; it is asked only about keys that recur. A range has
    up to `range_rows` rows, the first up to `first_rows`, and each next one at most as many as are before it: the merge
    need not wait long for the first. Memory stays small: ranges and one bit per row; keys go through a nameless file in
    the folder `scratch`.
    """
    ranges: list[Range] = []
    # The next row, and the first one of the present range.
    row = first = 0
    start: Place | None = None
    with Keys(scratch) as keys:
        for block in blocks:
            (found, ranks, checked), skipped = keys_of(block), 0
            if header:
                header, skipped, found, ranks = False, 1, found[1:], ranks[1:]
            if start is None:
                start = block.place(skipped)
            keys.add(found, row, ranks, checked=checked)
            # A range ends when it has its rows, also within a block, or at the end of a block when it is large.
            read, row = row, row + len(found)
            while row - first >= (most := min(range_rows, max(first_rows, first))):
                place = block.place(skipped + first + most - read)
                ranges.append(Range(first, most, start, place.offset))
                start, first = place, first + most
            last = block.end
            if row > first and last.offset - start.offset >= RANGE_BYTES:
                ranges.append(Range(first, row - first, start, last.offset))
                start, first = last, row
            yield row
        if start is not None and row > first:
            ranges.append(Range(first, row - first, start, last.offset))
        superseded = bytearray(row + 7 >> 3)
        for earlier in keys.superseded(holds):
            superseded[earlier >> 3] |= 1 << (earlier & 7)
    return FileIndex(row, ranges, superseded)


class Keys:
    """Keys of rows in parts by their hash: a few in memory, more on disk."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._file: IO[bytes] | None = None
        # Keys in memory by part, the rows of each, and the number of all.
        self._keys: list[list[str]] = [[] for _ in range(PARTS)]
        self._rows = [array("q") for _ in range(PARTS)]
        self._held = 0
        self._add = [(keys.append, rows.append) for keys, rows in zip(self._keys, self._rows, strict=True)]
        self._ranked = False
        # The pieces of each part on disk: offset, bytes of keys, bytes of row numbers.
        self._pieces: list[list[tuple[int, int, int]]] = [[] for _ in range(PARTS)]

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, keys: Sequence[str], first: int, ranks: Sequence[int] = (), *, checked: bool = True) -> None:
        """Add the keys of the rows from `first` on, in ascending order; rows without a key count too."""
        first |= CHECKED * checked
        numbers: Iterable[int] = range(first, first + len(keys))
        if any(ranks):
            self._ranked = True
            numbers = [row | rank << RANK_BITS for row, rank in zip(numbers, ranks, strict=True)]
        if "" in keys:
            numbers = [number for number, key in zip(numbers, keys, strict=True) if key]
            keys = [key for key in keys if key]
        add = self._add
        for key, number in zip(keys, numbers, strict=True):
            add_key, add_row = add[hash(key) % PARTS]
            add_key(key)
            add_row(number)
        self._held += len(keys)
        if self._held >= HELD_KEYS:
            self._spill()

    def superseded(self, holds: Callable[[str], bool]) -> Iterator[int]:
        """Yield rows whose key holds, and recurs later or occurred earlier with a higher rank."""
        for held_keys, held_rows, pieces in zip(self._keys, self._rows, self._pieces, strict=True):
            keys, rows = [], array("q")
            for offset, key_bytes, row_bytes in pieces:
                assert self._file is not None  # noqa: S101 - pieces exist only on disk
                self._file.seek(offset)
                keys += self._file.read(key_bytes).decode("utf-8", "surrogatepass").split(BETWEEN)
                rows.frombytes(self._file.read(row_bytes))
            keys += held_keys
            rows += held_rows
            if len(set(keys)) < len(keys):
                last = dict(zip(keys, rows, strict=True))
                again = {key for key, row in zip(keys, rows, strict=True) if last[key] != row}
                yield from self._superseded_in(keys, rows, again, set(filter(holds, again)))

    def _superseded_in(
        self, keys: Sequence[str], rows: Sequence[int], again: Collection[str], held: Collection[str]
    ) -> Iterator[int]:
        """Yield those of some rows whose key is among `again` and, unless they are checked, among `held`."""
        found = [at for at, key in enumerate(keys) if key in again and (rows[at] & CHECKED or key in held)]
        if self._ranked:
            # The order of rows of one rank stays.
            found.sort(key=lambda at: rows[at] >> RANK_BITS)
        last = {keys[at]: rows[at] for at in found}
        yield from (rows[at] & CHECKED - 1 for at in found if last[keys[at]] != rows[at])

    def _spill(self) -> None:
        if self._file is None:
            # A file without a name disappears with the process, however that ends: nothing is left to sweep.
            self._file = TemporaryFile(dir=self._scratch)  # noqa: SIM115 - closed by __exit__
        self._file.seek(0, 2)
        for held_keys, held_rows, pieces in zip(self._keys, self._rows, self._pieces, strict=True):
            if held_keys:
                keys, rows = BETWEEN.join(held_keys).encode("utf-8", "surrogatepass"), held_rows.tobytes()
                pieces.append((self._file.tell(), len(keys), len(rows)))
                self._file.write(keys)
                self._file.write(rows)
                held_keys.clear()
                del held_rows[:]
        self._held = 0
