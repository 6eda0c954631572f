"""The rejected rows of an import as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from soapstone.contacts.fields import FIELDS
from soapstone.errors import InvalidError
from soapstone.imports.columns import NAME_ATTRIBUTE, Headings
from soapstone.imports.formulas import escaped
from soapstone.imports.imports import Imports
from soapstone.imports.outcomes import RejectedRow
from soapstone.imports.own_columns import REJECTS, attribute_headings
from soapstone.imports.spec import ImportSpec
from soapstone.jobs.job import Job
from soapstone.lists.profiles import ProfileAttribute, Profiles

# Rows of one query.
ROWS_FETCHED = 1000
# Most characters of a header row in a job: each chunk writes the checkpoint.
MOST_HEADING = 20_000

_NAMES = {column: name for name, column in FIELDS.items()}


def rejects_file(imports: Imports, profiles: Profiles, job: Job) -> Iterator[bytes]:
    """Yield the rejected rows as CSV in UTF-8, piece by piece: line, reason in words, the fields of the input.

    The headings are those of the input. A missing one, or one that an import would read differently, is replaced by the
    column's target, and stays blank for a column without one. So the file can be corrected and imported again: imports
    know its first two columns and unescape formulas.
    """
    text = io.StringIO()
    # With the line end of RFC 4180 the writer quotes any field that holds a part of it.
    writer = csv.writer(text, lineterminator="\r\n")
    rows = imports.rejected(job.id, limit=ROWS_FETCHED)
    writer.writerow(escaped([*REJECTS, *_names(profiles, imports, job, rows)]))
    while rows:
        writer.writerows(escaped([row.line, row.words, *row.fields]) for row in rows)
        yield _taken(text)
        rows = imports.rejected(job.id, after_line=rows[-1].line, limit=ROWS_FETCHED)
    yield _taken(text)


def _names(profiles: Profiles, imports: Imports, job: Job, rows: Sequence[RejectedRow]) -> list[str]:
    """Return headings for the columns of the input, as many as the rows have fields."""
    attributes = [] if job.list_id is None else profiles.attributes(job.list_id)
    spec, headings = imports.spec(job), attribute_headings(attributes)
    called = {each.id: name for each, name in zip(attributes, headings, strict=True)}
    original: list[str] = job.checkpoint.get("heading", [])
    names = {column.index: column.heading for column in spec.opt_outs} | dict(enumerate(original))
    read = _read(original, attributes, spec)
    for column in spec.columns:
        if column.part:
            # Both parts of a whole name come from one column.
            names.setdefault(column.index, NAME_ATTRIBUTE)
        elif read.get(column.index) != column.target:
            names[column.index] = called.get(column.attribute_id, "") if column.attribute_id else _NAMES[column.target]
    width = max(len(original), *(len(row.fields) for row in rows)) if rows else 0
    # Any text could be the name of an attribute, which an import of the file would then fill.
    return [names.get(index, "") for index in range(width)]


def _read(heading: Sequence[str], attributes: Sequence[ProfileAttribute], spec: ImportSpec) -> dict[int, str]:
    """Return the targets that an import would give these headings, by column."""
    key = "email" if any(column.target == "email" for column in spec.columns) else "custom_id"
    try:
        plan = Headings(attributes).read(dict(enumerate(heading)), key)
    except InvalidError:
        return {}
    return {column.index: column.target for column in plan.columns}


def kept_heading(heading: Sequence[str]) -> list[str]:
    """Return the header row of a file for its job; empty if it is very long."""
    if sum(map(len, heading)) + len(heading) > MOST_HEADING:
        return []
    return [name.encode("utf-8", "replace").decode() for name in heading]


def _taken(text: io.StringIO) -> bytes:
    """Return the written text and empty the buffer."""
    # Texts from files may hold lone surrogates, which UTF-8 cannot encode.
    data = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return data
