"""The sent mails while no SMTP server is configured: files of the mail folder, or objects of the bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from soapstone.store.bucket import Bucket

PREFIX = "mail/"


class MailStore:
    """The mails of a folder, under their file names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> Iterator[tuple[str, float]]:
        """Yield the name of each file and when it was written, in seconds since 1970; in no order."""
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                yield entry.name, entry.stat(follow_symlinks=False).st_mtime

    def names(self) -> Iterator[str]:
        """Yield the name of each file, in no order."""
        if self.folder.is_dir():
            with os.scandir(self.folder) as entries:
                yield from (entry.name for entry in entries)

    def read(self, name: str, most: int | None = None) -> tuple[bytes, int]:
        """Return the content of a mail, or its first `most` bytes, and its size. Raises FileNotFoundError."""
        with (self.folder / name).open("rb") as file:
            return file.read(-1 if most is None else most), os.fstat(file.fileno()).st_size

    def exists(self, name: str) -> bool:
        """Return whether a mail is there."""
        return (self.folder / name).is_file()

    def remove(self, name: str) -> bool:
        """Remove a mail; return whether it was there."""
        try:
            (self.folder / name).unlink()
        except FileNotFoundError:
            return False
        return True


class BucketMailStore(MailStore):
    """The mails of a bucket. Raises RecordsUnavailable if the bucket does not answer."""

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        super().__init__(folder)
        self.bucket = bucket

    def entries(self) -> Iterator[tuple[str, float]]:
        """Yield the name of each object and when it was stored, in seconds since 1970."""
        for found in self.bucket.list(PREFIX):
            yield found.key.removeprefix(PREFIX), found.stored

    def names(self) -> Iterator[str]:
        """Yield the name of each object."""
        return (name for name, _ in self.entries())

    def read(self, name: str, most: int | None = None) -> tuple[bytes, int]:
        """Return the content of a mail, or its first `most` bytes, and its size. Raises FileNotFoundError."""
        return self.bucket.get(PREFIX + name, most)

    def exists(self, name: str) -> bool:
        """Return whether a mail is there."""
        return self.bucket.size(PREFIX + name) is not None

    def remove(self, name: str) -> bool:
        """Remove a mail; return whether it was there."""
        there = self.exists(name)
        if there:
            self.bucket.delete([PREFIX + name])
        return there

    def put(self, name: str, content: bytes) -> None:
        """Store a mail, in place of one with this name."""
        self.bucket.put(PREFIX + name, content)
