"""Segments of the spool under reading."""

from __future__ import annotations

import fcntl
import logging
import os
from collections import deque
from collections.abc import Iterator
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

    def read(self, most: int) -> Iterator[tuple[bool, SpoolRecord]]:
        """Read about `most` further records into the queue; yield them, each with whether it was taken before."""
        enough = len(self.queue) + most
        while len(self.queue) < enough and not self.exhausted:
            complete = self.complete or self._left()
            data = os.pread(self._file, _PIECE, self._read)
            end = 0
            start = self._read
            for end, record in read_records(data):
                known = start + end <= self.taken
                if not known:
                    self.queue.append((start + end, record))
                yield known, record
            if end:
                self.newest = record.at
            self._read += end
            if not end:
                if complete and data:
                    log.warning("%d bytes at the end of %s are no whole record", len(data), self.path.name)
                self.exhausted = complete
                return

    def take(self, end: int, count: int) -> Move:
        """Take so many records out of the queue, the last of which ends there."""
        move = Move(self, not self.stored, self.taken, end)
        self.stored, self.taken = True, end
        for _ in range(count):
            self.queue.popleft()
        return move

    def close(self) -> None:
        """Close the file."""
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
