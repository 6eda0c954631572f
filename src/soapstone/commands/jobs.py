"""`soapstone jobs …`: looking at jobs, watching them, ending and retrying them."""

from __future__ import annotations

import csv
import sys
import time
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from soapstone.commands.common import AccountName, Data, DatabaseUrl, account_of, console, opened, settings_of, stop
from soapstone.imports.imports import KINDS
from soapstone.jobs.job import Job
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Jobs: imports and sends.")

# Seconds between two looks at a job.
PACE = 0.25


@app.command("list")
def list_(
    account: AccountName = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """List the newest jobs."""
    table = Table("Job", "Kind", "List", "State", "Step", "Submitted (UTC)", "Label")
    with opened(settings_of(data, database)) as product:
        owner = account_of(product, account)
        for job in product.jobs.find(account_id=owner.id, limit=limit):
            table.add_row(
                str(job.id),
                job.kind,
                str(job.list_id or ""),
                job.state,
                f"{job.step}/{job.steps}",
                f"{job.submitted_at:%Y-%m-%d %H:%M:%S}",
                job.label,
            )
    console.print(table)


@app.command()
def show(number: int, data: Data = None, database: DatabaseUrl = None) -> None:
    """Show one job with its counters and its life."""
    with opened(settings_of(data, database)) as product:
        job = _job(product, number)
        table = Table(show_header=False)
        for name, value in (
            ("Kind", job.kind),
            ("State", job.state),
            ("Step", f"{job.step} of {job.steps}"),
            ("List", job.list_id or ""),
            ("Label", job.label),
            ("Submitted", f"{job.submitted_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Finished", f"{job.finished_at:%Y-%m-%d %H:%M:%S} UTC" if job.finished_at else ""),
            ("Attempts", job.attempt),
            ("Error", job.error),
            *((name.replace("_", " "), count) for name, count in sorted(job.counters.items())),
        ):
            table.add_row(name, str(value))
        console.print(table)
        for event in product.jobs.events(number):
            console.print(f"{event.at:%H:%M:%S.%f} {event.state}, step {event.step}, attempt {event.attempt}")


@app.command()
def watch(number: int, data: Data = None, database: DatabaseUrl = None) -> None:
    """Watch a job until it is over; exit code 1 unless it was completed."""
    with opened(settings_of(data, database)) as product:
        _job(product, number)
        if follow(product, number).state != "completed":
            raise typer.Exit(1)


@app.command()
def cancel(number: int, data: Data = None, database: DatabaseUrl = None) -> None:
    """Ask a job to end; what it has done stays done."""
    with opened(settings_of(data, database)) as product:
        job = _job(product, number)
        if not product.jobs.cancel(None, number):
            stop(f"Job {number} is over already: it is {job.state}.")
        console.print(f"Job {number} ends after the work under way.")


@app.command()
def retry(number: int, data: Data = None, database: DatabaseUrl = None) -> None:
    """Queue a failed job again; it goes on where it stood."""
    with opened(settings_of(data, database)) as product:
        job = _job(product, number)
        if not product.jobs.retry(None, number):
            stop(f"Only a failed job can be retried; job {number} is {job.state}.")
        console.print(f"Job {number} is queued again.")


@app.command()
def rejects(number: int, data: Data = None, database: DatabaseUrl = None) -> None:
    """Write the rejected rows of an import as CSV: line, reason, and the fields as they stood in the file."""
    with opened(settings_of(data, database)) as product:
        _job(product, number)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        line = 0
        while rows := product.imports.rejected(number, after_line=line):
            writer.writerows([row.line, row.words, *row.fields] for row in rows)
            line = rows[-1].line


def follow(product: Product, number: int) -> Job:
    """Show a job's progress until it is over."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[done]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task(f"Job {number}", total=None, done="")
        while True:
            job = _job(product, number)
            done, total = _progress(product, job)
            words = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in job.counters.items() if count)
            progress.update(task, description=f"Job {number} {job.state}", completed=done, total=total, done=words)
            if job.over:
                progress.stop()
                _tell(product, job)
                return job
            time.sleep(PACE)


def _tell(product: Product, job: Job) -> None:
    if job.kind not in KINDS:
        console.print(f"Job {job.id} is {job.state}. {job.error}".rstrip())
        return
    counts = product.imports.counts(job)
    console.print(
        f"Job {job.id} is {job.state}: {counts.total:,} rows, {counts.good:,} good, {counts.new_contacts:,} new, "
        f"{counts.changed_contacts:,} changed, {counts.total - counts.good:,} rejected. {job.error}".rstrip()
    )
    if counts.total > counts.good:
        console.print(f"Rejected rows with their reasons: soapstone jobs rejects {job.id}")


def _progress(product: Product, job: Job) -> tuple[int, int]:
    """(done, all) of a job: rows of an import once they are counted, steps of anything else."""
    rows = (product.imports.progress(job).rows or 0) if job.kind in KINDS else 0
    if rows:
        return sum(job.counters.values()), rows
    return job.step, job.steps


def _job(product: Product, number: int) -> Job:
    job = product.jobs.get(None, number)
    return job if job is not None else stop(f"There is no job {number}.")
