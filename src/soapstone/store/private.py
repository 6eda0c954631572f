"""Files that only the server's user may read, whatever the umask and their folder."""

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
    """Create or empty a file with mode 0600 and open it for writing."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE), "wb")


def make_folder(path: Path) -> None:
    """Create a folder with mode 0700 if it is missing, and folders above it with the usual mode."""
    path.mkdir(mode=FOLDER, parents=True, exist_ok=True)


def sync(path: Path) -> None:
    """Sync a file, or the names in a folder, to the disk, if it exists."""
    with suppress(FileNotFoundError):
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def shut(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Remove the rights of other users on these files, and on these folders with their content.

    A folder gets its mode after its content, so that its mode shows the next start that nothing is left to do. Links
    are not followed. Files of other users stay as they are, with a warning.
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
