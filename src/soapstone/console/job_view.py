"""A job as pages show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from soapstone.console import words
from soapstone.imports.imports import KINDS
from soapstone.jobs.job import Job
from soapstone.product import Product
from soapstone.store.instants import now


@dataclass(frozen=True, kw_only=True)
class JobView:
    """`progress` is in percent, `summary` the main counters in one line, `counters` all of them with their words.

    `rows` are those read so far, `of_rows` those in the file (0 while unknown). `figures` are an import's counters as
    the contracts report them. `seconds` is how long the job took, or has taken so far; None before it began. `rate`
    says how much of what was done in a second, "" when there is nothing to say.
    """

    job: Job
    title: str
    progress: int
    summary: str
    counters: Sequence[tuple[str, int]]
    figures: Sequence[tuple[str, int]]
    rows: int
    of_rows: int
    seconds: float | None
    rate: str

    @property
    def can_be_retried(self) -> bool:
        """Whether the job failed and still has the input that it needs."""
        return self.job.state == "failed" and (self.job.blob is not None or self.job.blob_size == 0)


class JobViews:
    """Makes views of jobs."""

    def __init__(self, product: Product) -> None:
        self._imports = product.imports

    def of(self, job: Job) -> JobView:
        """How a job is shown."""
        title, figures, of_rows = words.kind(job.kind), [], 0
        rows, done, what = job.counters.get("rows", 0), job.counters.get("handed", 0), "mails"
        # Databases give the counters in orders of their own.
        order = [*words.COUNTERS, *sorted(job.counters.keys() - words.COUNTERS.keys())]
        counters = [(words.counter(name), job.counters[name]) for name in order if name in job.counters]
        summary = ", ".join(f"{amount:,} {name}" for name, amount in counters if amount)
        if is_import(job):
            counts = self._imports.counts(job)
            rows = done = counts.total
            what, of_rows = "rows", self._imports.progress(job).rows or 0
            figures = [(words.FIGURES.get(name, words.plain(name)), n) for name, n in asdict(counts).items()]
            summary = f"{counts.good:,} of {rows:,} rows good, {counts.new_contacts:,} new" if rows else ""
            if self._imports.spec(job).dry_run:
                title += " (dry run)"
        seconds = ((job.finished_at or now()) - job.started_at).total_seconds() if job.started_at else None
        return JobView(
            job=job,
            title=title,
            progress=_progress(job, rows / of_rows if of_rows else _share_of_mails(job)),
            summary=summary,
            counters=counters,
            figures=figures,
            rows=rows,
            of_rows=of_rows,
            seconds=seconds,
            rate=f"{done / seconds:,.0f} {what} a second" if done and seconds else "",
        )


def is_import(job: Job) -> bool:
    """Whether the job is an import."""
    return job.kind in KINDS


def _progress(job: Job, share: float) -> int:
    """Finished steps and the share of the step under way; 100 is for what is completed."""
    if job.state == "completed":
        return 100
    return min(99, int(100 * (job.step + min(share, 1.0)) / job.steps))


def _share_of_mails(job: Job) -> float:
    """How much of the step under way is done, of the last two steps of a send: mails built, mails handed over."""
    counter = {2: "built", 1: "handed"}.get(job.steps - job.step)
    chosen = job.counters.get("chosen", 0)
    return job.counters.get(counter, 0) / chosen if counter and chosen else 0.0
