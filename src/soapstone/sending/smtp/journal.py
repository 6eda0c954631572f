"""The journal of one attempt at a send on SQLite: what was said to the server since the last commit.

It is a file beside the database. An attempt appends an *intent* before it gives a mail's content to the server, and the
*outcome* as soon as a reply has decided it. Both are in the system's page cache then, so that they outlive the process.
The next attempt reads them: a mail without an intent is not with the server, one with an outcome is as the server said,
and only one with an intent alone is uncertain. After another boot of the machine the file counts for nothing.

A record is its length, a checksum and its content, as in a spool. The last whole record of a mail counts.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import LeaseLost
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict
from soapstone.store import private
from soapstone.store.database import Database
from soapstone.store.timestamps import EPOCH
from soapstone.store.transient_errors import DISK_FULL, RecordsUnavailable, transient_error

# A journal is written anew, with what is not in the ledger yet, when it has grown to so many bytes.
MOST_BYTES = 256 << 10

_HEAD = struct.Struct("<HI")
_NUMBER = struct.Struct("<BQ")
# Kind, number of the mail, microseconds since 1970, verdict and stage; the reply follows.
_OUTCOME = struct.Struct("<BQqBB")
_INTENT_KIND, _OUTCOME_KIND, _TAKEN_KIND = 1, 2, 3
_VERDICTS, _STAGES = tuple(Verdict), tuple(Stage)


class JournalError(Exception):
    """Raised when an intent cannot be recorded, so that the mail must not be sent."""


class Heard(NamedTuple):
    """The outcome of a mail, and when it was decided."""

    outcome: Outcome
    at: datetime


class Journal:
    """The journal that an attempt writes. `trouble` is set once it cannot go on: the attempt must end.

    For use by one thread.
    """

    def __init__(self, database: Database, job: Job) -> None:
        folder = _folder(database)
        private.make_folder(folder)
        self.name = f"{job.id}-{secrets.token_hex(8)}"
        self.trouble: Exception | None = None
        self._path = folder / self.name
        # The last record of each mail whose result is not in the ledger, and of which mails the file has records.
        self._open: dict[int, bytes] = {}
        self._known: set[int] = set()
        self._size = 0
        self._file = _create(self._path)

    def begin(self, numbers: Collection[int]) -> None:
        """Make sure that the file says nothing about these mails, before they are taken for sending."""
        if self._size > MOST_BYTES or not self._known.isdisjoint(numbers):
            self._rewrite()

    def intend(self, number: int) -> None:
        """Record that the content of a mail is given to the server next. Raises JournalError."""
        self._append(number, _record(_NUMBER.pack(_INTENT_KIND, number)))
        if self.trouble is None and os.lseek(self._file, 0, os.SEEK_CUR) != self._size:
            # A later attempt has marked the file before this record, or an outcome before it, and does not know it.
            self.trouble = LeaseLost()
        if self.trouble is not None:
            raise JournalError

    def note(self, number: int, outcome: Outcome, at: datetime) -> None:
        """Record the outcome of a mail."""
        micros = (at - EPOCH) // timedelta(microseconds=1)
        codes = _VERDICTS.index(outcome.verdict), _STAGES.index(outcome.stage)
        fixed = _OUTCOME.pack(_OUTCOME_KIND, number, micros, *codes)
        self._append(number, _record(fixed + outcome.reply.encode("utf-8", "replace")))

    def settle(self, numbers: Collection[int]) -> None:
        """Take note that the ledger has the results of these mails."""
        for number in numbers:
            self._open.pop(number, None)

    def close(self, *, remove: bool = False) -> None:
        """Close the file; `remove` it if the ledger has everything."""
        os.close(self._file)
        if remove:
            self._path.unlink(missing_ok=True)

    def _append(self, number: int, record: bytes) -> None:
        if self.trouble is not None:
            return
        self._open[number] = record
        self._known.add(number)
        try:
            written = os.write(self._file, record)
            self._size += len(record)
            if written < len(record):
                self.trouble = RecordsUnavailable(DISK_FULL)
        except OSError as error:
            self.trouble = _unavailable(error)

    def _rewrite(self) -> None:
        """Replace the file by one with the open mails alone."""
        if self.trouble is not None:
            return
        new, file = self._path.with_suffix(".new"), -1
        content = b"".join(self._open.values())
        try:
            # Somebody may have removed it.
            private.make_folder(new.parent)
            file = _create(new)
            if os.write(file, content) < len(content):
                raise RecordsUnavailable(DISK_FULL)
            new.replace(self._path)
            if os.fstat(self._file).st_size != self._size:
                self.trouble = LeaseLost()
            os.close(self._file)
        except (OSError, RecordsUnavailable) as error:
            self.trouble = _unavailable(error)
            if file >= 0:
                os.close(file)
            return
        self._file, self._size, self._known = file, len(content), set(self._open)


def take_over(database: Database, name: str) -> Mapping[int, Heard | None] | None:
    """Return what the journal of an earlier attempt says: the outcome of each mail, None where it has an intent alone.

    None if the journal is missing. If that attempt still runs, it sends no mail whose intent is not in the result.
    """
    path = _folder(database) / name
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            os.write(file, _record(bytes([_TAKEN_KIND])))
            # Its writer may have replaced the file meanwhile.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), path.stat()):
                    with os.fdopen(os.dup(file), "rb") as reader:
                        reader.seek(0)
                        return dict(read(reader.read()))
        finally:
            os.close(file)


def forget(database: Database, name: str) -> None:
    """Remove the journal of an earlier attempt."""
    (_folder(database) / name).unlink(missing_ok=True)


def sweep(database: Database) -> None:
    """Remove journals of jobs that are over: they were killed, and ended without another attempt.

    A send that was given up because its worker died again and again may be retried, and reads its journal then.
    """
    if database.path is None:
        return
    with suppress(FileNotFoundError), os.scandir(_folder(database)) as entries:
        for entry in list(entries):
            number = entry.name.partition("-")[0]
            job = Jobs(database).get(None, int(number)) if number.isdecimal() else None
            is_needed = job is not None and job.state == "failed" and job.checkpoint.get("journal") == entry.name
            if job is None or (job.over and not is_needed):
                Path(entry.path).unlink(missing_ok=True)


def read(data: bytes) -> Iterator[tuple[int, Heard | None]]:
    """Yield the mails of a journal's records, up to the first torn one: each with its outcome, or None."""
    start, size = 0, len(data)
    while size - start >= _HEAD.size:
        length, checksum = _HEAD.unpack_from(data, start)
        begin = start + _HEAD.size
        start = begin + length
        content = data[begin:start]
        if not content or len(content) < length or crc32(content) != checksum:
            return
        if content[0] == _INTENT_KIND:
            yield _NUMBER.unpack(content)[1], None
        elif content[0] == _OUTCOME_KIND:
            _, number, micros, verdict, stage = _OUTCOME.unpack_from(content)
            reply = content[_OUTCOME.size :].decode("utf-8", "replace")
            outcome = Outcome(verdict=_VERDICTS[verdict], stage=_STAGES[stage], reply=reply)
            yield number, Heard(outcome, EPOCH + timedelta(microseconds=micros))


def _folder(database: Database) -> Path:
    if database.path is None:
        raise LookupError("only a database in a file has journals beside it")
    return database.path.with_name(f"{database.path.name}-sends")


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, private.FILE)


def _record(content: bytes) -> bytes:
    return _HEAD.pack(len(content), crc32(content)) + content


def _unavailable(error: Exception) -> Exception:
    words = transient_error(error)
    return RecordsUnavailable(words) if words else error
