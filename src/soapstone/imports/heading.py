"""The heading of a file: what its first row calls the columns."""

from __future__ import annotations

import io
from pathlib import Path

from soapstone.imports.encodings import WIDE, tell, transcode
from soapstone.imports.opening import beginning
from soapstone.imports.records import Dialect, Place, Records, Unreadable
from soapstone.imports.spec import InvalidImport

# Nothing behind it is read; a heading is never so long.
BEGINNING = 4 << 20


def column_names(path: Path, *, delimiter: str, qualifier: str, encoding: str) -> list[str]:
    """The fields of the file's first record as they stand there; none for an empty file.

    Only the beginning of the file is read, and judged for its encoding. Raises InvalidImport for a damaged archive.
    """
    try:
        file = io.BytesIO(_whole_lines(beginning(path, BEGINNING)))
    except Unreadable as problem:
        raise InvalidImport(str(problem)) from None
    codec, skip = tell(file, encoding)
    if codec in WIDE.values():
        copy = io.BytesIO()
        transcode(file, codec, skip, copy)
        file, codec, skip = copy, "utf-8", 0
    first = next(iter(Records(file, Dialect(delimiter, qualifier, codec), Place(skip, 1))), None)
    return [] if first is None or first.flaw else first.fields


def _whole_lines(head: bytes) -> bytes:
    # Half a character at the end would say something about the encoding.
    if len(head) < BEGINNING:
        return head
    return head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
