"""The heading of a file: what its first row calls the columns."""

from __future__ import annotations

from pathlib import Path

from soapstone.imports.encodings import readable
from soapstone.imports.records import Dialect, Place, Records


def column_names(path: Path, *, delimiter: str, qualifier: str, encoding: str) -> list[str]:
    """The fields of the file's first record as they stand there; none for an empty file."""
    with readable(path, encoding) as (file, codec, offset):
        records = Records(file, Dialect(delimiter, qualifier, codec), Place(offset, 1))
        first = next(iter(records), None)
    return [] if first is None or first.flaw else first.fields
