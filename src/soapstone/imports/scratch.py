"""Scratch: the folder for temporary files of a running import."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

PREFIX = "import-"


@contextmanager
def folder(parent: Path, job_id: int, attempt: int) -> Iterator[Path]:
    """Yield a new folder for one attempt at a job; delete those of earlier attempts before, and this one after.

    No two attempts share a name: the reader of a dead worker may still write for a moment. A worker that was frozen
    before it came here leaves the folder of the attempt that took over alone.
    """
    for path in parent.glob(f"{PREFIX}{job_id}-*"):
        earlier, _, rest = path.name.removeprefix(f"{PREFIX}{job_id}-").partition("-")
        # Earlier versions named folders without the attempt.
        if not rest or not earlier.isdecimal() or int(earlier) < attempt:
            shutil.rmtree(path, ignore_errors=True)
    path = Path(mkdtemp(prefix=f"{PREFIX}{job_id}-{attempt}-", dir=parent))
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
