"""Segments of the spool under reading."""

from __future__ import annotations

import fcntl
import logging
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from soapstone.tracking.spool import SpoolRecord, read_records

log = logging.getLogger(__name__)

# Bytes that are read at a time.
_PIECE = 1 << 20


class Segment:
    """A segment under reading. `taken` is the end of the last record that the records hold."""

    def __init__(self, path: Path, taken: int) -> None:
        self.path = path
        self.spool, _, self.number = path.stem.partition("-")
        self.stored = taken > 0
        self.taken = taken
        # Records that were read and are not taken, each with the place of its end.
        self.queue: deque[tuple[int, SpoolRecord]] = deque()
        self.newest = 0
        # Whether its writer is through with it, and whether it was read to its end then.
        self.complete = False
        self.exhausted = False
        self._read = 0
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, most: int) -> Iterator[tuple[list[SpoolRecord], list[SpoolRecord]]]:
        """Read about `most` further records; yield, piece by piece, those that were taken before, and the others.

        The others go into the queue.
        """
        enough = len(self.queue) + most
        while len(self.queue) < enough and not self.exhausted:
            complete = self.complete or self._left()
            data = os.pread(self._file, _PIECE, self._read)
            found = list(read_records(data, self._read))
            if not found:
                if complete and data:
                    log.warning("%d bytes at the end of %s are no whole record", len(data), self.path.name)
                self.exhausted = complete
                return
            self._read, last = found[-1]
            self.newest = last.at
            count = bisect_right(found, self.taken, key=itemgetter(0))
            self.queue.extend(found[count:])
            yield [record for _, record in found[:count]], [record for _, record in found[count:]]

    def take(self, end: int, count: int) -> Move:
        """Take so many records out of the queue, the last of which ends there."""
        move = Move(self, not self.stored, self.taken, end)
        self.stored, self.taken = True, end
        for _ in range(count):
            self.queue.popleft()
        return move

    def close(self) -> None:
        os.close(self._file)

    def _left(self) -> bool:
        """Return whether its writer has ended it, or has died; nothing is appended from then on."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.complete = True
        return True


class Move(NamedTuple):
    """How far a segment was read, and where that began."""

    segment: Segment
    is_first: bool
    begin: int
    end: int
