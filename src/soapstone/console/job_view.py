"""A job as people see it, on pages and in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from soapstone import labels
from soapstone.clock import now
from soapstone.console import number_format as figures
from soapstone.imports.misfits import misfits_of
from soapstone.imports.outcomes import ImportCounts
from soapstone.imports.surplus import surplus_of
from soapstone.jobs.job import Job
from soapstone.product import Product
from soapstone.sending.messages.unsubscribe_link import REQUEST
from soapstone.vocabulary.jobs import IMPORTS, SENDS, JobKind


@dataclass(frozen=True, kw_only=True)
class JobView:
    """What is told of a job; texts are "" when there is nothing to say.

    `state` is the job's own, or one of "cancelling", "paused" and, while the work under way ends, "pausing". `phase` is
    what a running job is doing. `share` is how much is done, in percent; None while unknown.

    Of an import: `read` rows were read, `done` rows have their outcome, `rows` are in the file (None while unknown);
    `left` says how much longer it will take. All are 0, None or "" of other jobs.

    `rate` says how much is done in a second. `seconds` is how long the job took, or has taken so far; None before it
    began. `summary` are the main counters in one line, `counters` all of them with their words, `figures` an import's
    as the contracts report them. `unused` are headings of its file that nothing uses, `misfits` sentences about values
    that did not fit their attributes, `surplus` one about rows with values beyond the last heading. `warning` says what
    is odd about a send.
    """

    job: Job
    title: str
    state: str
    counters: Sequence[tuple[str, int]]
    seconds: float | None
    phase: str = ""
    share: int | None = 0
    read: int = 0
    done: int = 0
    rows: int | None = None
    rate: str = ""
    left: str = ""
    summary: str = ""
    warning: str = ""
    figures: Sequence[tuple[str, int]] = ()
    unused: Sequence[str] = ()
    misfits: Sequence[str] = ()
    surplus: str = ""

    @property
    def can_be_retried(self) -> bool:
        """Whether the job began, failed and still has the input that it needs."""
        failed = self.job.state == "failed" and self.job.started_at is not None
        return failed and (self.job.blob is not None or self.job.blob_size == 0)

    @property
    def advance(self) -> str:
        """The job's progress: rows of an import, steps of anything else."""
        if not is_import(self.job):
            return f"step {self.job.step} of {self.job.steps}"
        if self.rows is not None:
            return f"{self.done:,} of {self.rows:,} rows"
        return f"{self.read:,} rows read" if self.read else ""

    @property
    def facts(self) -> list[str]:
        """The job's facts in one line, after its state."""
        rate = "" if self.job.over else self.rate
        return list(filter(None, (self.phase, self.advance, rate, f"{self.left} left" if self.left else "")))

    @property
    def counted(self) -> str:
        """All counters that are not 0, in words."""
        return ", ".join(f"{amount:,} {name}" for name, amount in self.counters if amount)


class JobViews:
    """Makes views of jobs."""

    def __init__(self, product: Product) -> None:
        self._imports = product.imports

    def of(self, job: Job) -> JobView:
        """Return how a job is shown."""
        # Databases give the counters in orders of their own.
        order = [*labels.COUNTERS, *sorted(job.counters.keys() - labels.COUNTERS.keys())]
        view = JobView(
            job=job,
            title=JobKind(job.kind).label,
            state=_state(job),
            counters=[(labels.counter(name), job.counters[name]) for name in order if name in job.counters],
            seconds=((job.finished_at or now()) - job.started_at).total_seconds() if job.started_at else None,
        )
        if is_import(job):
            return self._of_import(view)
        return _of_send(view) if job.kind in SENDS else replace(view, share=_share(job, 0), summary=view.counted)

    def _of_import(self, view: JobView) -> JobView:
        job, surplus = view.job, surplus_of(view.job)
        spec, progress, counts = self._imports.spec(job), self._imports.progress(job), self._imports.counts(job)
        done, rows, running = progress.done, progress.rows, job.state == "running"
        phase = ""
        if running and rows is None:
            phase = labels.LOOKING
        elif running and done < (rows or 0):
            phase = labels.COMPARING if spec.dry_run else labels.MERGING
        elif running and spec.replace and not spec.dry_run:
            phase = labels.LEAVING
        merging = phase in (labels.MERGING, labels.COMPARING)
        rate = progress.rate
        if not rate and job.over and view.seconds:
            rate = done / view.seconds
        return replace(
            view,
            title=f"{view.title} (dry run)" if spec.dry_run else view.title,
            phase=phase,
            share=None if phase == labels.LOOKING else _share(job, done / rows if rows else 0.0),
            read=progress.read,
            done=done,
            rows=rows,
            rate=figures.rate(rate, "rows") if rate and (merging or job.over) else "",
            left=figures.left(progress.seconds_left) if merging and progress.seconds_left is not None else "",
            summary=_summary(counts, done),
            unused=self._imports.unused(job),
            misfits=[each.sentence for each in misfits_of(job)],
            surplus=surplus.sentence if surplus else "",
            figures=[(labels.FIGURES.get(name, labels.plain(name)), n) for name, n in asdict(counts).items()],
        )


def _summary(counts: ImportCounts, done: int) -> str:
    if not done:
        return ""
    out = counts.imported_unsubscribed
    told = f", {out:,} imported as unsubscribed" if out else ""
    return f"{counts.good:,} of {done:,} rows good, {counts.new_contacts:,} new{told}"


def _state(job: Job) -> str:
    if job.over or not (job.cancel_asked or job.paused):
        return job.state
    if job.cancel_asked:
        return "cancelling"
    return "pausing" if job.state == "running" else "paused"


def is_import(job: Job) -> bool:
    return job.kind in IMPORTS


def _of_send(view: JobView) -> JobView:
    job, handed = view.job, view.job.counters.get("handed", 0)
    return replace(
        view,
        phase=labels.SEND_STEPS.get(job.steps - job.step, "") if job.state == "running" else "",
        share=_share(job, _share_of_mails(job)),
        rate=figures.rate(handed / view.seconds, "mails") if handed and view.seconds else "",
        summary=view.counted,
        warning=labels.UNSUBSCRIBE.get(job.request.get(REQUEST, ""), ""),
    )


def _share(job: Job, share: float) -> int:
    """Return finished steps and the share of the step under way, in percent; 100 only for a completed job."""
    if job.state == "completed":
        return 100
    return min(99, int(100 * (job.step + min(share, 1.0)) / job.steps))


def _share_of_mails(job: Job) -> float:
    """Return how much of the step under way is done, of the last two steps of a send: mails built, mails handed
    over."""
    counter = {2: "built", 1: "handed"}.get(job.steps - job.step)
    chosen = job.counters.get("chosen", 0)
    return job.counters.get(counter, 0) / chosen if counter and chosen else 0.0
