"""Shipping of segments: what a host could not record before it ended goes through the bucket to another recorder.

A segment keeps its name, under which the database knows how far it was read, and has the suffix `.shipped` from then
on. The position of such a segment is never removed: a copy of it that turns up later, as after a crash between storing
and removing, holds nothing new.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from soapstone.store import private
from soapstone.store.bucket import Bucket
from soapstone.tracking.spool import SEGMENT_BYTES, SUFFIX

log = logging.getLogger(__name__)

SHIPPED = ".shipped"
PREFIX = "spool/"
# A segment ends with the first records that make it too large.
_LARGEST = 2 * SEGMENT_BYTES
_CHARACTERS = frozenset("0123456789abcdef-")


def is_written(folder: Path) -> bool:
    """Return whether a process writes a segment of a spool."""
    return not all(map(_is_complete, folder.glob(f"*{SUFFIX}")))


def ship(folder: Path, bucket: Bucket) -> None:
    """Bring the segments of a spool, whose writers have ended, into the bucket. Raises OSError, RecordsUnavailable.

    For the holder of the recorder's lock, who reads none of them any more.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        path.rename(path.with_suffix(SHIPPED))
    private.sync(folder)
    for path in sorted(folder.glob(f"*{SHIPPED}")):
        if data := path.read_bytes():
            bucket.put(f"{PREFIX}{path.stem}", data)
        path.unlink()


def fetch(folder: Path, bucket: Bucket) -> None:
    """Bring shipped segments from the bucket into a spool. Raises OSError, RecordsUnavailable."""
    for found in list(bucket.list(PREFIX)):
        name = found.key.removeprefix(PREFIX)
        if not _CHARACTERS.issuperset(name) or name.count("-") != 1 or found.size > _LARGEST:
            log.warning("not a segment of opens and clicks: %s", found.key)
            continue
        path = folder / f"{name}{SHIPPED}"
        if not path.exists():
            try:
                data, _ = bucket.get(found.key)
            except FileNotFoundError:
                # Another recorder was faster.
                continue
            partial = path.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            with private.create(partial) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
            private.sync(folder)
        bucket.delete([found.key])


def _is_complete(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
