"""Scratch: the folder in which an import keeps what it needs while it runs."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

PREFIX = "import-"


@contextmanager
def folder(parent: Path, job_id: int) -> Iterator[Path]:
    """Yield a fresh folder for one attempt at a job; what an attempt before it left is gone, and this is at the end.

    No two attempts share a name: the reader of a dead worker may write for a moment longer.
    """
    for path in parent.glob(f"{PREFIX}{job_id}-*"):
        shutil.rmtree(path, ignore_errors=True)
    path = Path(mkdtemp(prefix=f"{PREFIX}{job_id}-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep(parent: Path, running: Collection[int]) -> None:
    """Remove the folders of all imports but the running ones."""
    for path in parent.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdecimal() and int(number) not in running:
            shutil.rmtree(path, ignore_errors=True)
