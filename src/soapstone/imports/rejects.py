"""The rejected rows of an import as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from soapstone.imports.columns import NAME_ATTRIBUTE
from soapstone.imports.formulas import escaped
from soapstone.imports.imports import Imports
from soapstone.imports.outcomes import RejectedRow
from soapstone.jobs.job import Job
from soapstone.lists.fields import FIELDS
from soapstone.lists.profiles import Profiles

# Rows that are read at a time.
ROWS_FETCHED = 1000

_NAMES = {column: name for name, column in FIELDS.items()}


def rejects_file(imports: Imports, profiles: Profiles, job: Job) -> Iterator[bytes]:
    """The rejected rows as CSV in UTF-8, piece by piece: line, reason in words, the fields as they stood in the input.

    The heading calls the fields what the import took them for. So the file can be corrected and imported again: its
    first two columns name no field, and formulas are escaped as imports read them.
    """
    text = io.StringIO()
    # With the line end of RFC 4180 the writer puts quotes around any field that holds a part of it.
    writer = csv.writer(text, lineterminator="\r\n")
    rows = imports.rejected(job.id, limit=ROWS_FETCHED)
    writer.writerow(escaped(["line", "reason", *_names(profiles, imports, job, rows)]))
    while rows:
        writer.writerows(escaped([row.line, row.words, *row.fields]) for row in rows)
        yield _taken(text)
        rows = imports.rejected(job.id, after_line=rows[-1].line, limit=ROWS_FETCHED)
    yield _taken(text)


def _names(profiles: Profiles, imports: Imports, job: Job, rows: Sequence[RejectedRow]) -> list[str]:
    """What the columns of the input are called, as many as the rows have fields."""
    attributes = {} if job.list_id is None else {a.id: a.name for a in profiles.attributes(job.list_id)}
    spec = imports.spec(job)
    names = {column.index: column.heading for column in spec.opt_outs}
    names |= {
        column.index: attributes.get(column.attribute_id, "") if column.attribute_id else _NAMES[column.target]
        for column in spec.columns
    }
    # Both parts of a whole name are one column.
    names |= {column.index: NAME_ATTRIBUTE for column in spec.columns if column.part}
    width = max((len(row.fields) for row in rows), default=0)
    return [names.get(index) or f"column {index + 1}" for index in range(width)]


def _taken(text: io.StringIO) -> bytes:
    """What was written, which is taken out."""
    # Texts from files may hold halves of surrogate pairs, which no encoding takes.
    data = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return data
