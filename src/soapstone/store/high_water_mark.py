"""The mark: a small file beside the database with the last numbers given out.

A database with lower numbers is an old one, restored from a backup: it would give out numbers a second time.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from soapstone.errors import ConflictError
from soapstone.store import private
from soapstone.store.database import Database
from soapstone.store.numbers import handed_out, reached, stored
from soapstone.store.table_names import has_table
from soapstone.store.tables import secrets

log = logging.getLogger(__name__)

# Seconds between two updates.
PAUSE = 10.0

REMEDY = " Stop all servers and run: soapstone db restored"


@dataclass(frozen=True)
class _Content:
    records: str
    numbers: Mapping[str, int]


class HighWaterMark:
    """The mark of one installation's database, in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, database: Database, folder: Path) -> HighWaterMark:
        """Return the mark beside a SQLite file; that of a PostgreSQL database is in the data folder."""
        if database.path is None:
            return cls(folder / "postgresql.mark")
        return cls(database.path.with_name(f"{database.path.name}.mark"))

    @property
    def numbers(self) -> dict[str, int]:
        """The numbers in the mark, as `handed_out` returns them; none without a mark."""
        told = self._read()
        return {} if told is None else dict(told.numbers)

    def check(self, database: Database) -> None:
        """Raise ConflictError if the database is older than the mark, or another one. Passes without a mark."""
        told = self._read()
        if told is None:
            return
        with database.read() as connection:
            records = records_id(connection)
            if records is not None and records != told.records:
                raise ConflictError(f"These are other records than those that {self._path} tells of.{REMEDY}")
            behind = _behind(reached(connection), told)
            if behind:
                behind = _behind(handed_out(connection), told)
        if records is None or behind:
            raise ConflictError(
                f"These records are older than {self._path} tells: numbers would be handed out twice.{REMEDY}"
            )

    def update(self, database: Database) -> None:
        """Write the present numbers into the mark. They are durable in the database before.

        The mark of another database stays as it is.
        """
        told = self._read()
        with database.read() as connection:
            records = records_id(connection)
            if records is None or (told is not None and told.records != records):
                return
            # Rows that were deleted count as well.
            numbers = stored(connection, None if told is None else told.numbers)
        if told is not None and numbers == told.numbers:
            return
        database.settle()
        self._write(_Content(records, numbers))

    def replace(self, database: Database) -> None:
        """Write the mark of this database, whatever it held before."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        self.update(database)

    @contextmanager
    def kept(self, database: Database) -> Iterator[None]:
        """Update the mark now, every few seconds, and at the end."""
        ended = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(database, ended), name="mark", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def _keep(self, database: Database, ended: threading.Event) -> None:
        failed = False
        while True:
            last = ended.is_set()
            try:
                self.update(database)
                failed = False
            except Exception as trouble:
                # The server goes on: an old mark only holds lower numbers.
                if not failed:
                    log.warning("the mark %s cannot be brought up to date: %s", self._path, trouble)
                failed = True
            if last:
                return
            ended.wait(PAUSE)

    def _read(self) -> _Content | None:
        try:
            given = json.loads(self._path.read_bytes())
            return _Content(str(given["records"]), {str(name): int(last) for name, last in given["numbers"].items()})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("the mark %s cannot be read and is made anew", self._path)
            return None

    def _write(self, told: _Content) -> None:
        # Several processes may keep the same mark, and threads of one.
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}-{threading.get_ident()}.partial")
        try:
            with private.create(partial) as file:
                file.write(json.dumps({"records": told.records, "numbers": dict(told.numbers)}, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        finally:
            partial.unlink(missing_ok=True)
        private.sync(self._path.parent)


def _behind(numbers: Mapping[str, int], told: _Content) -> bool:
    return any(numbers[name] < number for name, number in told.numbers.items() if name in numbers)


def records_id(connection: Connection) -> str | None:
    """Return the id of this installation's database; None in a schema without it."""
    if not has_table(connection, secrets.name):
        return None
    return connection.execute(select(secrets.c.value).where(secrets.c.name == "records")).scalar_one_or_none()
