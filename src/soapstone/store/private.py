"""Files that nobody but the server's user may read, whatever the umask and the folder that they lie in."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)

FILE, FOLDER = 0o600, 0o700


def create(path: Path) -> BinaryIO:
    """Open a file for writing, empty; it is made with mode 0600."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE), "wb")


def make_folder(path: Path) -> None:
    """Make sure that a folder is there; it is made with mode 0700, folders above it as usual."""
    path.mkdir(mode=FOLDER, parents=True, exist_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk itself; one that is not there is fine."""
    with suppress(FileNotFoundError):
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def shut(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Take away everybody else's rights on these files, and on folders with all that lies in them.

    A folder gets its mode when its content has been dealt with, so that its mode tells the next start that there is
    nothing left to do. Links are not followed. What belongs to somebody else stays as it is, with a warning.
    """
    for path in files:
        _restrict(path)
    for folder in folders:
        _shut_folder(folder)


def _shut_folder(folder: Path) -> None:
    try:
        mode = folder.lstat().st_mode
        if not stat.S_ISDIR(mode) or not mode & 0o077:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _shut_folder(Path(entry.path))
                else:
                    _restrict(Path(entry.path))
    except FileNotFoundError:
        return
    except PermissionError as trouble:
        log.warning("others may be able to read %s: %s", folder, trouble.strerror)
        return
    _restrict(folder)


def _restrict(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
        if (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and mode & 0o077:
            path.chmod(stat.S_IMODE(mode) & 0o700)
    except FileNotFoundError:
        return
    except PermissionError as trouble:
        log.warning("others may be able to read %s: %s", path, trouble.strerror)
