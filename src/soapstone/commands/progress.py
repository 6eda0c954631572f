"""Watching a job from a terminal, or from a script that keeps what is printed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import typer
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from soapstone.clock import now
from soapstone.commands.common import printable, stop
from soapstone.commands.output import console
from soapstone.console.job_view import JobView, JobViews, is_import
from soapstone.console.number_format import span
from soapstone.jobs.job import Job
from soapstone.product import Product

# Seconds between the first two looks at a job, and the longest pause, to which the pauses grow.
FIRST_PACE, PACE = 0.01, 0.25
# Seconds between two lines in a file, a pipe or a log.
LINE_PACE = 5.0
ENDS = {"completed": "is completed", "failed": "has failed", "cancelled": "was cancelled"}
# Exit code of a command that was interrupted, as shells give it.
INTERRUPTED = 130


def found(product: Product, number: int) -> Job:
    """Return the job of that number; end the command if it does not exist."""
    return product.jobs.get(None, number) or stop(f"There is no job {number}.")


def follow(product: Product, number: int, *, wait: Callable[[float], object] | None = None) -> Job:
    """Show a job's progress until it ends, and then its result. KeyboardInterrupt passes.

    A terminal redraws the figures in place; elsewhere a line is printed every few seconds, if they changed. `wait` gets
    the seconds between two looks, and may return earlier.
    """
    views = JobViews(product)
    in_place = console.is_terminal and not console.is_dumb_terminal
    with _interruptions() as interrupted, _InPlace() if in_place else _Lines() as display:
        view = views.of(found(product, number))
        display.show(view)
        pause = FIRST_PACE
        while not view.job.over:
            (wait or time.sleep)(pause)
            pause = min(2 * pause, PACE)
            if interrupted.is_set():
                raise KeyboardInterrupt
            job = found(product, number)
            if job != view.job:
                view = views.of(job)
            display.show(view)
    tell_end(product, view)
    return view.job


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """Set by Ctrl-C. Raised wherever the program happens to be, as Python does, an interruption can get lost."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


class _InPlace:
    """One line, a bar and the counters, drawn over again and again."""

    def __init__(self) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, view: JobView) -> None:
        """Show the job's progress."""
        began = view.job.started_at
        grid = Table.grid(padding=(0, 1))
        grid.add_row(
            ProgressBar(total=100, completed=view.share or 0, pulse=view.share is None, width=40),
            "" if view.share is None else f"{view.share} %",
            "" if began is None else span((now() - began).total_seconds()),
        )
        self._live.update(Group(_line(view), grid, view.counted), refresh=True)


class _Lines:
    """A line at each change of the job's state or phase, else every few seconds if anything changed."""

    def __init__(self) -> None:
        self._at = 0.0
        self._stage: tuple[str, str] | None = None
        self._line = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, view: JobView) -> None:
        """Print the job's progress if it is due. The end has its own sentence."""
        line, stage = "; ".join(filter(None, (_line(view), view.counted))), (view.state, view.phase)
        due = time.monotonic() >= self._at + LINE_PACE
        if view.job.over or line == self._line or not (due or stage != self._stage):
            return
        typer.echo(printable(line))
        self._at, self._stage, self._line = time.monotonic(), stage, line


def advance(view: JobView) -> str:
    """Return the job's progress in one line, and why it waits after an error."""
    return ", ".join([*view.facts, *([view.job.error] if view.job.error and not view.job.over else [])])


def _line(view: JobView) -> str:
    return ", ".join(filter(None, (f"Job {view.job.id} {view.state}", advance(view))))


def tell_end(product: Product, view: JobView) -> None:
    """Print the result of an ended job."""
    job = view.job
    parts = [f"Job {job.id} {ENDS[job.state]}"]
    if is_import(job):
        counts = product.imports.counts(job)
        rejected = counts.total - counts.good
        parts.append(
            f": {counts.total:,} rows, {counts.good:,} good, {counts.new_contacts:,} new, "
            f"{counts.changed_contacts:,} changed, {rejected:,} rejected"
        )
        if counts.imported_unsubscribed:
            parts.append(f", {counts.imported_unsubscribed:,} imported as unsubscribed")
    typer.echo("".join([*parts, "."]))
    for line in (job.error, view.counted, *view.misfits, view.surplus, _took(view)):
        if line:
            typer.echo(printable(line))
    if meaningless := job.checkpoint.get("meaningless"):
        typer.echo(printable(f"Not used: {', '.join(meaningless)} (the values are no opt-outs)."))
    if is_import(job) and rejected:
        typer.echo(f"Rejected rows with their reasons: soapstone jobs rejects {job.id}")
    if view.can_be_retried:
        typer.echo(f"Try it again from where it stood: soapstone jobs retry {job.id}")


def _took(view: JobView) -> str:
    """Return how long the job took, and how fast it was."""
    return ", ".join(filter(None, (f"{span(view.seconds)}" if view.seconds else "", view.rate)))
