"""Recorded bodies of requests and answers: in memory while small, else in files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

SMALL = 16 * 1024
"""Bytes of a body that stay in memory."""
MOST_KEPT = 256 * 1024 * 1024
"""Bytes kept of one body; the rest of a larger one is only counted."""
_BLOCK = 1024 * 1024


class KeptBody:
    """One body. `size` is its number of bytes, `kept` the number of those kept; a file at `path` may hold them.

    Filled on the event loop, read in any thread once it is closed.
    """

    def __init__(self, path: Path) -> None:
        self.size = 0
        self.kept = 0
        self._path = path
        self._waiting = bytearray()
        self._in_file = False

    async def add(self, data: bytes) -> None:
        """Keep the next bytes."""
        self.size += len(data)
        data = data[: MOST_KEPT - self.kept]
        self.kept += len(data)
        self._waiting += data
        if len(self._waiting) >= _BLOCK:
            await self._write()

    async def close(self) -> None:
        """Keep no more."""
        if self._in_file or self.kept > SMALL:
            await self._write()

    def start(self, size: int) -> bytes:
        """Return the first `size` bytes. Raises FileNotFoundError for a removed body."""
        if not self._in_file:
            return bytes(self._waiting[:size])
        with self._path.open("rb") as file:
            return file.read(size)

    def pieces(self) -> Iterator[bytes]:
        """Return the kept bytes, piece by piece. Raises FileNotFoundError for a removed body."""
        if not self._in_file:
            return iter((bytes(self._waiting),))
        # Opened at once, so that a removal does not cut the reader off.
        file = self._path.open("rb")

        def read() -> Iterator[bytes]:
            with file:
                while piece := file.read(_BLOCK):
                    yield piece

        return read()

    def remove(self) -> None:
        """Remove the file, if any."""
        if self._in_file:
            self._path.unlink(missing_ok=True)

    async def _write(self) -> None:
        self._in_file = True
        block, self._waiting = self._waiting, bytearray()
        await asyncio.to_thread(self._append, block)

    def _append(self, block: bytearray) -> None:
        with self._path.open("ab") as file:
            file.write(block)
