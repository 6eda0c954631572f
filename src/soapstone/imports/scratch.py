"""Scratch: the folder in which an import keeps what it needs while it runs."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "import-"


@contextmanager
def folder(parent: Path, job_id: int) -> Iterator[Path]:
    """A fresh folder for one attempt at a job; what an attempt before it left is gone, and this is at the end."""
    path = parent / f"{PREFIX}{job_id}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep(parent: Path, running: Collection[int]) -> None:
    """Remove the folders of all imports but the running ones."""
    for path in parent.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX)
        if number.isdecimal() and int(number) not in running:
            shutil.rmtree(path, ignore_errors=True)
