"""The header row of a file: the names of its columns."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from soapstone.imports.archives import beginning
from soapstone.imports.charsets import must_be_decoded_first
from soapstone.imports.dialects import dialect_of
from soapstone.imports.encodings import tell, transcode
from soapstone.imports.file_kinds import check_kind
from soapstone.imports.records import Place, Records, behind

# Most bytes read; a header row is never longer.
BEGINNING = 4 << 20


def column_names(path: Path, *, delimiter: str, qualifier: str, encoding: str, skip: int = 0) -> list[str]:
    """Return the fields of the first record after `skip` lines, unchanged; none for a file without records.

    Reads only the beginning of the file, also to detect its encoding. Raises InvalidError for a damaged archive.
    """
    file, codec, start = open_beginning(path, encoding, skip)
    dialect = dialect_of(file, start.offset, delimiter, qualifier, codec)
    first = next(iter(Records(file, dialect, start)), None)
    return [] if first is None or first.flaw else first.fields


def open_beginning(path: Path, encoding: str, skip: int) -> tuple[BinaryIO, str, Place]:
    """Open the beginning of a file; return it with its codec and the place after `skip` lines."""
    head = _whole_lines(beginning(path, BEGINNING))
    check_kind(head)
    file = io.BytesIO(head)
    codec, marks = tell(file, encoding)
    if must_be_decoded_first(codec):
        copy = io.BytesIO()
        marks = transcode(file, codec, marks, copy)
        file, codec = copy, "utf-8"
    return file, codec, behind(file, Place(marks, 1), skip)


def _whole_lines(head: bytes) -> bytes:
    # Half a character at the end would mislead the detection of the encoding.
    if len(head) < BEGINNING:
        return head
    return head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
