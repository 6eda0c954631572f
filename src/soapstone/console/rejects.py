"""The rejected rows of an import: as a file, and page by page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from soapstone.imports.outcomes import RejectedRow
from soapstone.jobs.job import Job
from soapstone.lists.fields import FIELDS
from soapstone.product import Product

# Rows that the file reads at a time.
ROWS_FETCHED = 1000

_NAMES = {column: name for name, column in FIELDS.items()}


@dataclass(frozen=True)
class RejectsPage:
    """Some rejected rows: those behind the physical line `after`. `more` says that others follow."""

    rows: Sequence[RejectedRow]
    after: int
    more: bool

    @property
    def last(self) -> int:
        """The line of the last row, behind which the next page begins."""
        return self.rows[-1].line if self.rows else self.after


def rejects_page(product: Product, job: Job, *, after: int, size: int) -> RejectsPage:
    """The rejected rows behind a line; how far behind makes no difference to what it costs."""
    # One row more than shown tells whether others follow, so that nothing has to be counted.
    rows = product.imports.rejected(job.id, after_line=after, limit=size + 1)
    return RejectsPage(rows[:size], after, len(rows) > size)


def rejects_file(product: Product, job: Job) -> Iterator[bytes]:
    """The rejected rows as CSV in UTF-8, piece by piece: line, reason in words, the fields as they stood in the input.

    The heading calls the fields what the import took them for. So the file can be corrected and imported again: its
    first two columns name no field.
    """
    text = io.StringIO()
    # With the line end of RFC 4180 the writer puts quotes around any field that holds a part of it.
    writer = csv.writer(text, lineterminator="\r\n")
    rows = product.imports.rejected(job.id, limit=ROWS_FETCHED)
    writer.writerow(["line", "reason", *_names(product, job, rows)])
    while rows:
        writer.writerows([row.line, row.words, *row.fields] for row in rows)
        yield _taken(text)
        rows = product.imports.rejected(job.id, after_line=rows[-1].line, limit=ROWS_FETCHED)
    yield _taken(text)


def _names(product: Product, job: Job, rows: Sequence[RejectedRow]) -> list[str]:
    """What the columns of the input are called, as many as the rows have fields."""
    attributes = {} if job.list_id is None else {a.id: a.name for a in product.profiles.attributes(job.list_id)}
    names = {
        column.index: attributes.get(column.attribute_id, "") if column.attribute_id else _NAMES[column.target]
        for column in product.imports.spec(job).columns
    }
    width = max((len(row.fields) for row in rows), default=0)
    return [names.get(index) or f"column {index + 1}" for index in range(width)]


def _taken(text: io.StringIO) -> bytes:
    """What was written, which is taken out."""
    # Texts from files may hold halves of surrogate pairs, which no encoding takes.
    data = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return data
