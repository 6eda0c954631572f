"""The spool: files to which a web process appends opens, reads and clicks before it answers them.

A record is its length, a checksum and its content. It is in the system's page cache before the answer, so that it
survives the process, and on the disk within `SYNC_SECONDS`. A writer holds a lock on the segment that it writes. The
system releases the lock however the process ends: then the segment is complete, and what is left of a record at its end
was never answered.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from soapstone.store import private
from soapstone.vocabulary.tracking import MailEventKind

log = logging.getLogger(__name__)

# Seconds after which records are on the disk.
SYNC_SECONDS = 0.2
# A segment ends after these bytes or seconds, so that the recorder can soon remove it.
SEGMENT_BYTES = 8 << 20
SEGMENT_SECONDS = 10.0
# Bytes of the client's address and of its agent that are kept.
ADDRESS_BYTES = 45
AGENT_BYTES = 500
SUFFIX = ".segment"
# Seconds for which a failure shows.
FAILURE_SECONDS = 10.0

# Length of the content, and its checksum.
_HEAD = struct.Struct("<HI")
# Time in microseconds, kind, message, delivery, link, and length of the address.
_FIXED = struct.Struct("<qBIQIB")
_WHOLE = struct.Struct(_HEAD.format + _FIXED.format[1:])
_KINDS = (MailEventKind.OPEN, MailEventKind.READ, MailEventKind.CLICK)
_CODES = {kind: code for code, kind in enumerate(_KINDS)}


class SpoolRecord(NamedTuple):
    """An open, read or click as it was answered: `at` in microseconds since 1970.

    `delivery_id` is 0 for mails that are tracked without persons, `position` the place of a click's link in the message
    and 0 otherwise.
    """

    at: int
    kind: MailEventKind
    message_id: int
    delivery_id: int
    position: int
    address: bytes
    agent: bytes

    def encoded(self) -> bytes:
        """Return the record as a segment holds it."""
        address = self.address[:ADDRESS_BYTES]
        fixed = _FIXED.pack(self.at, _CODES[self.kind], self.message_id, self.delivery_id, self.position, len(address))
        content = fixed + address + self.agent[:AGENT_BYTES]
        return _HEAD.pack(len(content), crc32(content)) + content


def read_records(data: bytes, place: int = 0) -> Iterator[tuple[int, SpoolRecord]]:
    """Yield the records from the beginning of `data`, each with the place of its end; stop at the first torn one.

    `place` is that of the beginning.
    """
    start, last, unpack = 0, len(data) - _WHOLE.size, _WHOLE.unpack_from
    head, fixed, kinds = _HEAD.size, _FIXED.size, _KINDS
    while start <= last:
        length, checksum, at, code, message_id, delivery_id, position, split = unpack(data, start)
        start += head
        content = data[start : start + length]
        # A disk may hold zeros where a power cut came before the content.
        if length < fixed or len(content) < length or crc32(content) != checksum:
            return
        start += length
        split += fixed
        values = (at, kinds[code], message_id, delivery_id, position, content[fixed:split], content[split:])
        yield place + start, _made(SpoolRecord, values)


# A named tuple's own constructor takes twice the time.
_made = tuple.__new__


def _finish(done: asyncio.Future[None]) -> None:
    # The request may have been cancelled.
    if not done.done():
        done.set_result(None)


class Spool:
    """The spool of one web process: used on its event loop alone.

    `on_lost` is called with the number of records that could not be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
        on_lost: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._name = secrets.token_hex(8)
        # Number of the segment that is written now or was last, its file if it is open, and its whole records in bytes.
        self._number = 0
        self._file: int | None = None
        self._size = 0
        self._waiting: list[bytes] = []
        self._then: list[Callable[[], object]] = []
        self._syncing = False
        # One thread, so that a segment is synced before it is closed.
        self._disk = ThreadPoolExecutor(1, "spool")
        # Monotonic time of the last failure, unless records were written since.
        self._failed: float | None = None
        self._on_lost = on_lost

    def add(self, record: SpoolRecord) -> asyncio.Future[None]:
        """Return a future that is done when the record is written, or cannot be: it never fails."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.append(record, partial(_finish, done))
        return done

    def append(self, record: SpoolRecord, then: Callable[[], object]) -> None:
        """Call `then` when the record is written, or cannot be.

        All records of one turn of the event loop are written together.
        """
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(record.encoded())
        self._then.append(then)

    @property
    def fails(self) -> bool:
        """Whether records could not be written of late."""
        failed = self._failed
        return failed is not None and time.monotonic() - failed < FAILURE_SECONDS

    def close(self) -> None:
        """Write what waits, bring it to the disk, and end the segment."""
        self._write()
        self._end_segment()
        self._disk.shutdown()

    def flush(self) -> None:
        """Write what waits now."""
        then, self._then = self._then, []
        self._write()
        for each in then:
            each()
        if self._file is None:
            return
        if self._size >= self._segment_bytes:
            self._end_segment()
        elif not self._syncing:
            self._syncing = True
            asyncio.get_running_loop().call_later(SYNC_SECONDS, self._sync)

    def _write(self) -> None:
        """Write the waiting records. A failure is noted; the answers go out all the same."""
        records, self._waiting = self._waiting, []
        if not records:
            return
        try:
            file = self._file if self._file is not None else self._begin_segment()
            data = b"".join(records)
            written = os.write(file, data)
        except OSError as error:
            self._fail(error, len(records))
            return
        if written == len(data):
            self._size += written
            self._failed = None
            return
        # The disk is full: whole records stay, and the rest of a torn one goes.
        whole, kept = 0, 0
        while whole + len(records[kept]) <= written:
            whole += len(records[kept])
            kept += 1
        self._size += whole
        try:
            os.ftruncate(file, self._size)
        except OSError:
            # What follows a torn record would not be read.
            self._end_segment()
        self._fail(OSError("it was written in part"), len(records) - kept)

    def _fail(self, error: OSError, lost: int) -> None:
        self._on_lost(lost)
        if self._failed is None:
            log.error("opens and clicks cannot be recorded, answers go out without: %s", error)
        self._failed = time.monotonic()

    def _begin_segment(self) -> int:
        private.make_folder(self._folder)
        while True:
            self._number += 1
            path = self._folder / f"{self._name}-{self._number:08}{SUFFIX}"
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, private.FILE)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file).st_nlink:
                    break
            except BlockingIOError:
                # The recorder takes the empty file for one that a dead process left, and removes it.
                pass
            except OSError:
                os.close(file)
                with suppress(OSError):
                    path.unlink()
                raise
            os.close(file)
        self._file, self._size = file, 0
        self._disk.submit(private.sync, self._folder)
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_later(self._segment_seconds, self._end_old_segment, self._number)
        return file

    def _end_old_segment(self, number: int) -> None:
        if number == self._number:
            self._end_segment()

    def _end_segment(self) -> None:
        if self._file is not None:
            self._disk.submit(self._sync_file, self._file, closing=True)
            self._file = None

    def _sync(self) -> None:
        self._syncing = False
        if self._file is not None:
            self._disk.submit(self._sync_file, self._file)

    def _sync_file(self, file: int, *, closing: bool = False) -> None:
        try:
            os.fdatasync(file)
        except OSError as error:
            log.error("opens and clicks are written, but may not survive a power cut: %s", error)
        finally:
            if closing:
                os.close(file)
