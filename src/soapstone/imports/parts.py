"""Parts: the outcomes of one stage's rows, packed into a few bytes per row.

A part is stored in the transaction that merges its rows, so that outcomes and counters never disagree. The parts of one
chunk have rows between each other's.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import Connection, insert, select

from soapstone.store.tables import import_parts

# The rows of a part are close together: the lightest compression suffices.
LEVEL = 1


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows in the order of the file, of which `first` is the number of the first: rows per outcome, and the physical
    line, outcome code and contact (0 for none) of each row."""

    first: int
    counts: Mapping[str, int]
    lines: Sequence[int]
    codes: bytes | bytearray
    contact_ids: Sequence[int]

    def store(self, connection: Connection, job_id: int) -> None:
        """Store the part in the transaction that merges its rows."""
        values = {
            "job_id": job_id,
            "first_row": self.first,
            "rows": len(self.lines),
            "counts": dict(self.counts),
            "lines": pack_lines(self.lines),
            "outcomes": pack_codes(self.codes),
            "contact_ids": pack_numbers(self.contact_ids),
        }
        connection.execute(insert(import_parts).values(**values))


def stored_lines(connection: Connection, job_id: int, first: int) -> Iterator[int]:
    """Yield the lines of the parts that begin with the file's row `first` or later."""
    query = select(import_parts.c.lines).where(import_parts.c.job_id == job_id, import_parts.c.first_row >= first)
    for packed in connection.execute(query).scalars():
        yield from unpack_lines(packed)


def pack_lines(lines: Sequence[int]) -> bytes:
    """Pack ascending physical lines, as distances from the previous line."""
    distances = array("Q", map(int.__sub__, lines, [0, *lines[:-1]]))
    return _packed(distances)


def unpack_lines(data: bytes) -> list[int]:
    """Unpack the lines of `pack_lines`."""
    return list(accumulate(_unpacked("Q", data)))


def pack_numbers(numbers: Sequence[int]) -> bytes:
    """Pack numbers of up to 64 bits."""
    return _packed(array("q", numbers))


def unpack_numbers(data: bytes) -> Sequence[int]:
    """Unpack the numbers of `pack_numbers`."""
    return _unpacked("q", data)


def pack_codes(codes: bytes | bytearray) -> bytes:
    """Pack codes of one byte per row."""
    return zlib.compress(codes, LEVEL)


def unpack_codes(data: bytes) -> bytes:
    """Unpack the codes of `pack_codes`."""
    return zlib.decompress(data)


def _packed(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return zlib.compress(numbers.tobytes(), LEVEL)


def _unpacked(kind: str, data: bytes) -> array[int]:
    numbers: array[int] = array(kind)
    numbers.frombytes(zlib.decompress(data))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
