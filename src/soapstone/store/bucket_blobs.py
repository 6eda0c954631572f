"""Blobs in a bucket, for servers on many hosts.

A blob is a sequence of parts, objects `blobs/ID/00001` and so on, all but the last of `PART` bytes; its name holds
their number. The parts of a large upload are stored while it arrives. They are objects rather than parts of one
multipart upload of S3: what a killed process leaves of those is invisible in listings, and costs until somebody asks
for it.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from soapstone.clock import system_now
from soapstone.store import private
from soapstone.store.blobs import GRACE_SECONDS, Blobs, Upload
from soapstone.store.bucket import Bucket
from soapstone.store.database import SPARE_BYTES
from soapstone.store.transient_errors import DISK_FULL, RecordsUnavailable, translated

log = logging.getLogger(__name__)

PART = 8 << 20
PREFIX = "blobs/"


class BucketBlobs(Blobs):
    """Blobs in a bucket. The `folder` on this host holds uploads while they arrive, and copies while they are read.

    Blobs that were kept in the folder before it had a bucket are read there.
    """

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        super().__init__(folder)
        self._bucket = bucket

    def new(self) -> Upload:
        """Begin a new blob. It is also on this host until it is kept, so that its first rows can be read."""
        return BucketUpload(self.folder, self._bucket)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Yield the content of a blob, from a copy that lasts as long. Raises as `fetch`."""
        if _is_local(name):
            with super().open(name) as file:
                yield file
            return
        with (
            TemporaryDirectory(prefix="copy-", dir=self.folder) as folder,
            self.fetch(name, Path(folder)).open("rb") as file,
        ):
            yield file

    def exists(self, name: str) -> bool:
        """Return whether a blob exists. Raises RecordsUnavailable."""
        if _is_local(name):
            return super().exists(name)
        *_, last = _keys(name)
        return self._bucket.size(last) is not None

    def fetch(self, name: str, folder: Path, on_part: Callable[[], None] = lambda: None) -> Path:
        """Copy a blob into the folder and return the copy's path. `on_part` is called after each part.

        Raises FileNotFoundError without the blob, and RecordsUnavailable if the bucket does not answer or the disk has
        no room: a job that reads the blob waits.
        """
        if _is_local(name):
            return super().fetch(name, folder)
        keys = _keys(name)
        last = self._bucket.size(keys[-1])
        if last is None:
            raise FileNotFoundError(name)
        if shutil.disk_usage(folder).free < (len(keys) - 1) * PART + last + SPARE_BYTES:
            raise RecordsUnavailable(DISK_FULL)
        path = folder / "copy"
        with translated(OSError), private.create(path) as file:
            for key in keys:
                content, _ = self._bucket.get(key)
                file.write(content)
                on_part()
        return path

    def remove(self, name: str) -> None:
        """Remove a blob. What the bucket does not remove now, a sweep removes later."""
        if _is_local(name):
            super().remove(name)
            return
        try:
            self._bucket.delete(_keys(name))
        except RecordsUnavailable as trouble:
            log.warning("an input file is removed later: %s", trouble)

    def sweep(self, wanted: Iterable[str]) -> int:
        """Remove blobs that are not `wanted` and too old to be in use, here and in the bucket; return their number."""
        names = set(wanted)
        keep = {name.partition("-")[0] for name in names}
        oldest = system_now().timestamp() - GRACE_SECONDS
        found: dict[str, list[str]] = {}
        young: set[str] = set()
        for key, stored, _ in self._bucket.list(PREFIX):
            blob = key.removeprefix(PREFIX).partition("/")[0]
            if blob not in keep:
                found.setdefault(blob, []).append(key)
            if stored >= oldest:
                young.add(blob)
        gone = found.keys() - young
        for blob in gone:
            self._bucket.delete(found[blob])
        for path in self.folder.glob("copy-*"):
            # Left by a killed process.
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    shutil.rmtree(path, ignore_errors=True)
        return len(gone) + super().sweep(names)


class BucketUpload(Upload):
    """A blob on its way into a bucket, by way of a file on this host."""

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        super().__init__(folder)
        self._bucket = bucket
        self._id = self.name
        self._begun = system_now().timestamp()
        self._dropped = threading.Event()
        # One for each part, in order; they read the parts from the file, so that many of them take no memory.
        self._parts: list[Future[None]] = []

    def write(self, data: bytes) -> None:
        """Append bytes; full parts go to the bucket meanwhile. Raises RecordsUnavailable if the disk refuses them."""
        super().write(data)
        if self.size >= (len(self._parts) + 1) * PART:
            with translated(OSError):
                assert self._file is not None  # noqa: S101 - bytes were written
                self._file.flush()
            while self.size >= (len(self._parts) + 1) * PART:
                self._parts.append(self._bucket.submit(self._put, len(self._parts) + 1))

    def keep(self) -> str:
        """Make the blob permanent and return its name. Raises RecordsUnavailable, and then nothing of it is kept."""
        self.close()
        count = max(-(-self.size // PART), 1)
        if len(self._parts) < count:
            self._parts.append(self._bucket.submit(self._put, count))
        # A sweep may have taken the first parts of an upload that took hours.
        slow = system_now().timestamp() - self._begun > GRACE_SECONDS / 2
        there = {found.key for found in self._bucket.list(f"{PREFIX}{self._id}/")} if slow else None
        for number, part in enumerate(self._parts, 1):
            try:
                part.result()
                lost = there is not None and number < count and _key(self._id, number) not in there
            except RecordsUnavailable:
                # The bucket may answer again by now.
                lost = True
            if lost:
                self._put(number)
        self.name = f"{self._id}-{count}"
        self._kept = True
        self._partial.unlink(missing_ok=True)
        return self.name

    def discard(self) -> None:
        """Delete the blob unless it was kept: its file now, its parts in the bucket soon."""
        if self._kept or self._dropped.is_set():
            return
        self._dropped.set()
        begun = [_key(self._id, number) for number, part in enumerate(self._parts, 1) if not part.cancel()]
        if begun:
            self._bucket.submit(self._delete, begun)
        super().discard()

    def _put(self, number: int) -> None:
        with translated(OSError):
            file = os.open(self._partial, os.O_RDONLY | os.O_CLOEXEC)
            try:
                content = os.pread(file, PART, (number - 1) * PART)
            finally:
                os.close(file)
        self._bucket.put(key := _key(self._id, number), content)
        if self._dropped.is_set():
            # It may have been stored after the others were deleted.
            self._delete([key])

    def _delete(self, keys: list[str]) -> None:
        try:
            self._bucket.delete(keys)
        except RecordsUnavailable as trouble:
            log.warning("parts of an upload that was broken off are removed later: %s", trouble)


def _is_local(name: str) -> bool:
    return "-" not in name


def _key(blob: str, number: int) -> str:
    return f"{PREFIX}{blob}/{number:05}"


def _keys(name: str) -> list[str]:
    """Return the keys of a blob's parts in order."""
    blob, _, count = name.partition("-")
    return [_key(blob, number) for number in range(1, int(count) + 1)]
