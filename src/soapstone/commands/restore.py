"""Preparing restored records, so that no number is given out twice."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.exc import DatabaseError

from soapstone.accounts.account import Accounts
from soapstone.accounts.audit import COMMAND_LINE
from soapstone.accounts.link_keys import begin_key
from soapstone.contacts import erased_addresses
from soapstone.errors import ConflictError
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import private, schema
from soapstone.store.database import Database
from soapstone.store.high_water_mark import HighWaterMark
from soapstone.store.numbers import handed_out, raise_beyond
from soapstone.store.tables import jobs, secrets, sessions
from soapstone.store.transient_errors import RecordsDamaged
from soapstone.vocabulary.jobs import SENDS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TakenUp:
    """The number of the new key of links, and the backup's unfinished sends."""

    key: int
    paused: list[int]


def prepare(database: Database, mark: HighWaterMark, *, upgrade: bool) -> None:
    """Make sure that the records may be served: a known schema, and numbers that continue.

    New records are set up, old ones only with `upgrade`. A backup in which nothing is older than the mark is taken up.
    Raises ConflictError for other records than those that were served last, and for a schema of another version.
    """
    new = schema.version(database) is None
    if not new:
        schema.refuse_newer(database)
        schema.check_moved(database)
        mark.check(database)
    if upgrade or new:
        schema.upgrade(database)
    schema.check(database)
    known = mark.numbers
    with database.read() as connection:
        copied = schema.is_copy(connection)
    if copied or (new and known):
        # Numbers of records that were removed are in names of files that are still there.
        taken_up = take_up(database, known)
        mark.replace(database)
        log.warning("the records are a copy: numbers continue far above it, links use key %d", taken_up.key)
        if taken_up.paused:
            log.warning("unfinished sends of the copy are paused: %s", taken_up.paused)


def take_up(database: Database, known: Mapping[str, int]) -> TakenUp:
    """Let numbers continue above all that may be in use since the backup, `known` among them.

    Ends sessions and pauses unfinished sends: their mails may have been sent since.
    """
    with database.write(durable=True) as connection:
        before = handed_out(connection)
        raise_beyond(connection, known)
        after = handed_out(connection)
        key = begin_key(
            connection,
            delivery=before["delivery"],
            contact=before["contact"],
            next_delivery=after["delivery"] + 1,
            next_contact=after["contact"] + 1,
        )
        connection.execute(delete(sessions))
        unfinished = jobs.c.kind.in_(SENDS) & jobs.c.finished_at.is_(None)
        # Whatever ran them in the backup is gone.
        at_rest = {"paused": True, "state": "queued", "lease_until": None, "worker": ""}
        connection.execute(update(jobs).where(unfinished).values(**at_rest))
        paused = list(connection.execute(select(jobs.c.id).where(unfinished).order_by(jobs.c.id)).scalars())
        connection.execute(delete(secrets).where(secrets.c.name.in_((schema.COPY, schema.MOVED))))
    return TakenUp(key, paused)


def restore(path: Path, backup: Path, mark: HighWaterMark, settings: Settings) -> tuple[TakenUp, Path | None]:
    """Replace the SQLite database `path`, which no other process uses, with a backup; keep the old one.

    The new file takes the old one's place by one rename, when all is done. People who were deleted since the backup are
    deleted in it again. Returns where the old one is kept.
    Raises ConflictError, also for a backup of a newer version.
    """
    known = _known(path, mark)
    fresh = path.with_name(f"{path.name}.restoring")
    _remove(fresh)
    try:
        _copy(backup, fresh)
        database = Database(f"sqlite:///{fresh}")
        try:
            if schema.version(database) is None:
                raise ConflictError(f"{backup} holds no records of this server.")
            schema.upgrade(database, copied=True)
            taken_up = take_up(database, known)
            _delete_again(path, database, settings)
        finally:
            database.close()
        private.sync(fresh)
        kept = _put_aside(path)
        fresh.replace(path)
        private.sync(path.parent)
    finally:
        _remove(fresh)
    database = Database(f"sqlite:///{path}")
    try:
        mark.replace(database)
    finally:
        database.close()
    return taken_up, kept


def _delete_again(path: Path, restored: Database, settings: Settings) -> None:
    """Delete from restored records the people deleted in those at `path`, if readable."""
    if not path.exists():
        return
    replaced = Database(f"sqlite:///{path}")
    try:
        with replaced.read() as connection:
            secret, rows = erased_addresses.export(connection)
    except (DatabaseError, RecordsDamaged):
        log.warning("%s cannot be read: deletions since the backup are unknown", path)
        return
    finally:
        replaced.close()
    if secret is None or not rows:
        return
    with restored.write(durable=True) as connection:
        erased_addresses.adopt(connection, secret, rows)
    erasure = Product.open(settings, restored).erasure
    for account in Accounts(restored).all():
        if count := erasure.repeat(account, COMMAND_LINE):
            log.warning("deleted again in account %s: %d contacts", account.name, count)


def check_alone(path: Path) -> None:
    """Raise ConflictError while another process uses this SQLite database."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            # SQLite leaves this mode only for its last connection.
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as trouble:
            if trouble.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise ConflictError(f"Another process uses {path}: stop the server first.") from None
        except sqlite3.DatabaseError:
            # A damaged file is what backups are for.
            log.warning("%s cannot be read", path)


def _known(path: Path, mark: HighWaterMark) -> dict[str, int]:
    """Return the highest numbers in use, by the mark and by the replaced records."""
    known = mark.numbers
    if not path.exists():
        return known
    database = Database(f"sqlite:///{path}")
    try:
        with database.read() as connection:
            for name, number in handed_out(connection).items():
                known[name] = max(number, known.get(name, 0))
    except (DatabaseError, RecordsDamaged):
        log.warning("%s cannot be read: the numbers in use are unknown", path)
    finally:
        database.close()
    return known


def _copy(backup: Path, target: Path) -> None:
    private.create(target).close()
    try:
        with (
            closing(sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(target)) as made,
        ):
            source.backup(made)
            (verdict,) = made.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as trouble:
        raise ConflictError(f"{backup} cannot be read: {trouble}.") from None
    if verdict != "ok":
        raise ConflictError(f"{backup} is damaged: {verdict}.")


def _put_aside(path: Path) -> Path | None:
    """Keep the database file under a second name before another one replaces it."""
    if not path.exists():
        return None
    kept = schema.beside(path, "replaced")
    try:
        os.link(path, kept)
    except OSError:
        # A file system without second names.
        with path.open("rb") as source, private.create(kept) as target:
            shutil.copyfileobj(source, target)
    for end in ("-wal", "-shm"):
        # Only a damaged file has them still.
        with suppress(FileNotFoundError):
            Path(f"{path}{end}").replace(f"{kept}{end}")
    return kept


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{end}").unlink(missing_ok=True)
