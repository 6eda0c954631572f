"""Blobs: files in a folder, which rows of the database refer to. `bucket_blobs` has those in a bucket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from soapstone.clock import system_now
from soapstone.store import private
from soapstone.store.transient_errors import RecordsUnavailable, translated

# A blob is kept before the row that refers to it is committed; a younger one may still wait for that.
GRACE_SECONDS = 3600.0


class Blobs:
    """A folder of files under random names. A blob is written once, then read, then removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        private.make_folder(folder)

    def new(self) -> Upload:
        """Begin a new blob, which `keep` makes permanent."""
        return Upload(self.folder)

    @contextmanager
    def keeping(self, upload: Upload) -> Iterator[str]:
        """Keep an upload, yield its name, and remove it if the job that needs it is not stored in this context.

        Raises as `Upload.keep`.
        """
        blob = upload.keep()
        try:
            yield blob
        except Exception as error:
            # A job that may be stored needs its file; the sweep removes a file without a job.
            if not isinstance(error, RecordsUnavailable) or error.undone:
                self.remove(blob)
            raise

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Yield the content of a blob, for reading."""
        with (self.folder / name).open("rb") as file:
            yield file

    def path(self, name: str) -> Path:
        """Return the path of a blob."""
        return self.folder / name

    def exists(self, name: str) -> bool:
        """Return whether a blob exists."""
        return self.path(name).exists()

    def fetch(self, name: str, folder: Path, on_part: Callable[[], None] = lambda: None) -> Path:
        """Return the path of a file with the content of a blob: the blob itself, or a copy in the folder.

        Raises FileNotFoundError without the blob.
        """
        path = self.path(name)
        path.stat()
        return path

    def remove(self, name: str) -> None:
        """Remove a blob, if it still exists."""
        (self.folder / name).unlink(missing_ok=True)

    def sweep(self, wanted: Iterable[str]) -> int:
        """Remove blobs that are not `wanted` and too old to be in use; return their number."""
        keep, oldest, removed = set(wanted), system_now().timestamp() - GRACE_SECONDS, 0
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name not in keep and path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
        return removed


class Upload:
    """A blob being written. `discard` deletes it unless it was kept.

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
        """The present path of the content."""
        return self._final if self._kept else self._partial

    def write(self, data: bytes) -> None:
        """Append bytes. Raises RecordsUnavailable if the disk refuses them."""
        with translated(OSError):
            if self._file is None:
                self._file = private.create(self._partial)
            self._file.write(data)
        self.size += len(data)

    def close(self) -> None:
        """Close the file after the last bytes. Raises as `write`."""
        with translated(OSError):
            if self._file is None:
                self._file = private.create(self._partial)
            self._file.close()

    def keep(self) -> str:
        """Make the blob permanent, safe against a power loss, and return its name. Raises as `write`."""
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
        """Delete the blob unless it was kept."""
        if self._kept:
            return
        # A full disk refuses the buffered bytes again.
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._partial.unlink(missing_ok=True)
