"""Packed files: gzip, or a zip archive with one file. Only one layer is unpacked."""

from __future__ import annotations

import errno
import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from soapstone.imports.records import UnreadableError

GZIP = b"\x1f\x8b\x08"
# An archive with files, and an empty one.
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
BLOCK = 256 << 10
# The defaults of programs. zipfile bounds the size of one read for these methods only: 2 KB of bzip2 filled 6 GB of
# memory.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# zipfile reads the directory of an archive at once. This is enough for 10,000 files, and one is expected.
DIRECTORY_BYTES = 1 << 20
ENCRYPTED = 1
# Files that Finder of macOS and Explorer of Windows keep in a folder and add to its archive.
FOREIGN_FOLDER = "__MACOSX/"
FOREIGN_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".localized"})
# Every office document, OOXML or ODF, has one of these.
OFFICE_PARTS = frozenset({"[Content_Types].xml", "content.xml"})


def unpacked(path: Path, folder: Path, *, limit: int) -> Path:
    """Return the path of the file's plain bytes: the file itself, or what it unpacks to as a new file in `folder`.

    The first bytes show whether a file is packed. Raises UnreadableError for a damaged archive, for one that does not
    hold exactly one file, stored or deflated and without a password, and for more than `limit` bytes of content.
    """
    pieces = _pieces(path)
    if pieces is None:
        return path
    target = folder / "unpacked"
    size = 0
    with target.open("wb") as plain:
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise UnreadableError(f"The file is too large: unpacked it has more than {limit:,} bytes.")
            plain.write(piece)
    return target


def beginning(path: Path, size: int) -> bytes:
    """Return the first `size` plain bytes of a file, packed or not. Raises UnreadableError."""
    pieces = _pieces(path)
    if pieces is None:
        with path.open("rb") as file:
            return file.read(size)
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) >= size:
            break
    return bytes(found[:size])


def _pieces(path: Path) -> Iterator[bytes] | None:
    """Return the content of a packed file, piece by piece; None for one that is not packed."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(GZIP):
        return _checked(_from_gzip(path))
    if head.startswith(ZIP):
        return _checked(_from_zip(path))
    return None


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces. Raises UnreadableError for any damage of the archive."""
    try:
        yield from pieces
    except (EOFError, ValueError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile) as damage:
        raise UnreadableError("The packed file is damaged or incomplete.") from damage
    except OSError as damage:
        # Damage has no error number, or made the reader seek to an impossible place. Others are errors of this machine.
        if damage.errno not in (None, errno.EINVAL):
            raise
        raise UnreadableError("The packed file is damaged or incomplete.") from damage


def _from_gzip(path: Path) -> Iterator[bytes]:
    # Consecutive members are one content, and zeros may follow the last.
    with gzip.open(path) as content:
        while piece := content.read(BLOCK):
            yield piece


def _from_zip(path: Path) -> Iterator[bytes]:
    with _ArchiveFile(path) as file, zipfile.ZipFile(file) as archive, archive.open(_only_file(archive)) as content:
        while piece := content.read(BLOCK):
            yield piece


def _only_file(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if any(entry.filename in OFFICE_PARTS for entry in entries):
        raise UnreadableError(
            "The file is an office document and no text. Save it as CSV, or import it by the command line, which "
            "reads workbooks."
        )
    entries = [entry for entry in entries if not _is_foreign(entry.filename)]
    if len(entries) != 1:
        raise UnreadableError(f"The zip archive must hold one file and holds {len(entries):,}.")
    if entries[0].flag_bits & ENCRYPTED:
        raise UnreadableError("The zip archive is protected by a password.")
    if entries[0].compress_type not in METHODS:
        raise UnreadableError("The zip archive is compressed in another way than deflate, the usual one.")
    return entries[0]


def is_office_document(path: Path) -> bool:
    """Return whether a zip archive is an office document; False for a damaged one."""
    try:
        with _ArchiveFile(path) as file, zipfile.ZipFile(file) as archive:
            return not OFFICE_PARTS.isdisjoint(archive.namelist())
    except (UnreadableError, OSError, ValueError, NotImplementedError, struct.error, zipfile.BadZipFile):
        return False


def _is_foreign(name: str) -> bool:
    # Some Windows programs write backslashes.
    file = name.replace("\\", "/").rpartition("/")[2].lower()
    return name.startswith(FOREIGN_FOLDER) or file.startswith("._") or file in FOREIGN_FILES


class _ArchiveFile(io.FileIO):
    """A zip archive whose directory cannot fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > DIRECTORY_BYTES:
            raise UnreadableError("The zip archive must hold one file and holds far more.")
        return super().read(size) or b""
