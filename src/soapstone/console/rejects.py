"""The rejected rows of an import, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soapstone.imports.outcomes import RejectedRow
from soapstone.jobs.job import Job
from soapstone.product import Product


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
    """Return the rejected rows behind a line; how far behind makes no difference to what it costs."""
    # One row more than shown tells whether others follow, so that nothing has to be counted.
    rows = product.imports.rejected(job.id, after_line=after, limit=size + 1)
    return RejectsPage(rows[:size], after, len(rows) > size)
