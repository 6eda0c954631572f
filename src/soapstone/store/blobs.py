"""Blobs: files that the records point to, in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from soapstone.clock import system_now
from soapstone.store import private
from soapstone.store.transient_errors import translated

# A blob is named before the record that points to it is stored; one younger than this may still be waiting for it.
GRACE_SECONDS = 3600.0


class Blobs:
    """A folder of files under random names. A blob is written once, then read, then removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        private.make_folder(folder)

    def new(self) -> Upload:
        """Return a blob being written; it becomes real by `keep`."""
        return Upload(self.folder)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Yield the content of a blob, for reading."""
        with (self.folder / name).open("rb") as file:
            yield file

    def path(self, name: str) -> Path:
        """Return where a blob lies."""
        return self.folder / name

    def remove(self, name: str) -> None:
        """Remove a blob; one that is gone already is fine."""
        (self.folder / name).unlink(missing_ok=True)

    def sweep(self, wanted: Iterable[str]) -> int:
        """Remove what no record points to and nobody can still be writing; how many were removed."""
        keep, oldest, removed = set(wanted), system_now().timestamp() - GRACE_SECONDS, 0
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name not in keep and path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
        return removed


class Upload:
    """A blob being written. What is not kept is gone after `discard`.

    `size` is the number of bytes written so far.
    """

    def __init__(self, folder: Path) -> None:
        self.name = uuid4().hex
        self.size = 0
        self._kept = False
        self._partial = folder / f"{self.name}.partial"
        self._final = folder / self.name
        self._file: BinaryIO | None = None

    @property
    def path(self) -> Path:
        """Where the content lies now."""
        return self._final if self._kept else self._partial

    def write(self, data: bytes) -> None:
        """Append bytes. Raises RecordsUnavailable when the disk does not take them."""
        with translated(OSError):
            if self._file is None:
                self._file = private.create(self._partial)
            self._file.write(data)
        self.size += len(data)

    def close(self) -> None:
        """End the file: all bytes were written. Raises as `write`."""
        with translated(OSError):
            if self._file is None:
                self._file = private.create(self._partial)
            self._file.close()

    def keep(self) -> str:
        """Make the blob real, safe against a loss of power, and return its name. Raises as `write`."""
        if self._file is None or not self._file.closed:
            self.close()
        with translated(OSError):
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())
            self._partial.rename(self._final)
            private.sync(self._final.parent)
        self._kept = True
        return self.name

    def discard(self) -> None:
        """Throw away what was not kept."""
        if self._kept:
            return
        # A full disk still does not take what it has not taken before.
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._partial.unlink(missing_ok=True)
