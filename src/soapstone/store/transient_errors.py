"""Transient errors, such as a full disk, as sentences for a job's owner.

A job with a transient error loses nothing: it waits, and goes on from its last chunk. A request is told to retry later.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

DISK_FULL = "The disk of the server is full."
DISK_FAILS = "The disk of the server is full or does not work."
READ_ONLY = "The disk of the server cannot be written to."
FILE_TOO_LARGE = "A file of the server has grown to the largest size that it may have."
TOO_MANY_FILES = "The server has too many files open."
NO_MEMORY = "The server has no memory left."
NO_PROCESS = "The server could not start another process."
PROCESS_ENDED = "A process of the server was ended from outside."
LOCKED = "Another program keeps the database locked."
NOT_OPENED = "The database file cannot be opened."
CONFLICT = "Another change of the same records was in the way."
NO_ANSWER = "The database does not answer."
ALL_TAKEN = "All connections to the database are taken."

_SYSTEM = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EFBIG: FILE_TOO_LARGE,
    errno.EIO: DISK_FAILS,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.EMFILE: TOO_MANY_FILES,
    errno.ENFILE: TOO_MANY_FILES,
    errno.ENOMEM: NO_MEMORY,
    errno.EAGAIN: NO_PROCESS,
}

# By primary result code, and by the message of an error from another process.
_SQLITE = {
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_IOERR: DISK_FAILS,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
    sqlite3.SQLITE_CANTOPEN: NOT_OPENED,
    sqlite3.SQLITE_NOMEM: NO_MEMORY,
}
_SQLITE_WORDS = {
    "disk is full": DISK_FULL,
    "disk I/O error": DISK_FAILS,
    "readonly": READ_ONLY,
    "locked": LOCKED,
    "unable to open": NOT_OPENED,
    "out of memory": NO_MEMORY,
}

# By the beginning of PostgreSQL's SQLSTATE; the longer ones come first.
_POSTGRESQL = {
    "53100": DISK_FULL,
    "53200": NO_MEMORY,
    "25006": READ_ONLY,
    "25P03": NO_ANSWER,
    "53300": ALL_TAKEN,
    "55P03": LOCKED,
    "40": CONFLICT,
    "53": NO_ANSWER,
    "57P": NO_ANSWER,
    "58": DISK_FAILS,
    "08": NO_ANSWER,
}


# Permanent result codes of SQLite.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class RecordsUnavailable(Exception):
    """The database cannot be read or changed now; the message is the reason.

    `undone` says that nothing of the transaction is stored. It is False if a connection broke during the commit, whose
    outcome is unknown.
    """

    # The message for callers; the exception's message is for the operator.
    sentence = "The server cannot use its records at the moment. Please try again later."
    # Seconds after which callers may retry.
    retry_seconds = 5

    def __init__(self, message: str, *, undone: bool = True) -> None:
        super().__init__(message)
        self.undone = undone

    @property
    def told(self) -> str:
        """The reason with the driver's words, for the log: one line, since each call in such a time has one."""
        words = driver_words(self)
        return str(self) if words == str(self) else f"{self} ({words})"

    @property
    def broken(self) -> bool:
        """Whether the connection to a database server broke; SQLite has none."""
        return str(self) == NO_ANSWER


class RecordsDamaged(Exception):
    """The database file is damaged, or is no database."""


@contextmanager
def translated(*kinds: type[Exception]) -> Iterator[None]:
    """Translate errors of these kinds, by default the database's, to RecordsUnavailable or RecordsDamaged.

    Other errors, such as a taken name, stay as they are.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, kinds or (SQLAlchemyError, sqlite3.Error)):
            raise
        if (words := transient_error(error)) is not None:
            raise RecordsUnavailable(words) from error
        if any(getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED for cause in _causes(error)):
            raise RecordsDamaged("The database file is damaged, or is no SQLite database.") from error
        raise


def driver_words(error: BaseException) -> str:
    """Return the message of the driver or the system, in one line, for the operator."""
    *_, innermost = _causes(error)
    return str(innermost).strip().partition("\n")[0]


def transient_error(error: BaseException) -> str | None:
    """Return a transient error's reason as a sentence; None for a fault of the program or of the job itself."""
    return next((words for cause in _causes(error) if (words := _words(cause))), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, the innermost last; drivers' errors are inside SQLAlchemy's."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.orig if isinstance(found, DBAPIError) else found.__cause__


def _words(error: BaseException) -> str | None:
    if isinstance(error, sqlite3.Error):
        return _sqlite_words(error)
    if isinstance(error, RecordsUnavailable):
        return str(error)
    if isinstance(error, ChildProcessError):
        return PROCESS_ENDED
    if isinstance(error, OSError):
        return _SYSTEM.get(error.errno or 0)
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, NoConnection):
        return ALL_TAKEN
    if isinstance(error, DBAPIError):
        # A broken connection, whatever the driver's error; that is checked as well.
        return NO_ANSWER if error.connection_invalidated else None
    return _postgresql_words(error)


def _sqlite_words(error: sqlite3.Error) -> str | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)
    return next((words for part, words in _SQLITE_WORDS.items() if part in str(error)), None)


def _postgresql_words(error: BaseException) -> str | None:
    # The driver is an extra, so its classes are not imported: each of its errors has a `sqlstate`, None if the server
    # was unreachable or the connection broke.
    if not hasattr(error, "sqlstate"):
        return None
    state = error.sqlstate
    if state is None:
        return NO_ANSWER if type(error).__name__ == "OperationalError" else None
    return next((words for start, words in _POSTGRESQL.items() if state.startswith(start)), None)
