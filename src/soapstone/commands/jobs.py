"""`soapstone jobs …`: show, watch, cancel and retry jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from soapstone.accounts.account import Account
from soapstone.commands.common import on_account, on_records, stop, write_bytes
from soapstone.commands.inline_worker import watched
from soapstone.commands.output import Json, console, print_json, print_rows
from soapstone.commands.progress import advance
from soapstone.commands.progress import found as job_of
from soapstone.console.job_view import JobView, JobViews, is_import
from soapstone.console.number_format import span
from soapstone.imports.rejects import rejects_file
from soapstone.jobs.job import Job
from soapstone.product import Product

app = typer.Typer(no_args_is_help=True, help="Jobs: imports and sends.")


@on_account(app, "list")
def list_(
    product: Product,
    owner: Account,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest jobs with their progress."""
    views = JobViews(product)

    def cells(job: Job) -> tuple[object, ...]:
        view = views.of(job)
        progress = "; ".join(filter(None, (advance(view), view.counted)))
        submitted = f"{job.submitted_at:%Y-%m-%d %H:%M:%S}"
        return job.id, view.title, job.list_id or "", view.state, progress, submitted, job.label

    found = product.jobs.find(account_id=owner.id, limit=limit)
    columns = ("Job", "Kind", "List", "State", "Progress", "Submitted (UTC)", "Label")
    print_rows(found, as_json, "jobs:JobOut.of", columns, cells, given=(product,))


@on_records(app)
def show(product: Product, number: int, as_json: Json = False) -> None:
    """Show one job: progress, counters and events."""
    job = job_of(product, number)
    if as_json:
        from soapstone.api.jobs import JobOut

        print_json(JobOut.of(product, job))
        return
    view = JobViews(product).of(job)
    table = Table(show_header=False)
    for name, value in _facts(view):
        table.add_row(name, value)
    console.print(table)
    for sentence in filter(None, (*view.misfits, view.surplus)):
        console.print(sentence)
    for event in product.jobs.events(number):
        console.print(f"{event.at:%H:%M:%S.%f} {event.state}, step {event.step}, attempt {event.attempt}")


def _facts(view: JobView) -> Iterator[tuple[str, str]]:
    job = view.job
    yield "Kind", view.title
    yield "State", view.state
    if view.phase:
        yield "Phase", view.phase
    yield "Step", f"{job.step} of {job.steps}"
    if is_import(job):
        yield "Rows read", f"{view.read:,}"
        yield "Rows done", f"{view.done:,}" if view.rows is None else f"{view.done:,} of {view.rows:,}"
    if view.rate:
        yield "Rate", view.rate
    if view.left:
        yield "Time left", view.left
    yield "List", str(job.list_id or "")
    yield "Label", job.label
    yield "Submitted", f"{job.submitted_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "Finished", f"{job.finished_at:%Y-%m-%d %H:%M:%S} UTC" if job.finished_at else ""
    if view.seconds is not None:
        yield "Took", span(view.seconds)
    yield "Attempts", str(job.attempt)
    yield "Error", job.error
    for name, amount in view.counters:
        yield name, f"{amount:,}"


@on_records(app)
def watch(product: Product, number: int) -> None:
    """Watch a job until it ends; exit code 1 unless it completes, 130 if interrupted."""
    job_of(product, number)
    if watched(product, number).state != "completed":
        raise typer.Exit(1)


@on_records(app)
def cancel(product: Product, number: int) -> None:
    """Cancel a job; finished work is kept."""
    cancel_job(product, number)


def cancel_job(product: Product, number: int) -> None:
    """Cancel a job and say what becomes of it. End the command if it is over."""
    job = job_of(product, number)
    if not product.jobs.cancel(None, number):
        stop(f"Job {number} is over already: it is {job.state}.")
    if job_of(product, number).over:
        console.print(f"Job {number} is cancelled.")
    else:
        console.print(f"Job {number} ends after the work under way.")


@on_records(app)
def retry(product: Product, number: int) -> None:
    """Retry a failed job from where it stopped."""
    job = job_of(product, number)
    if not product.jobs.retry(None, number):
        if job.state == "failed":
            stop(f"The input file of job {number} was removed; it cannot be retried.")
        stop(f"Only a failed job can be retried; job {number} is {job.state}.")
    console.print(f"Job {number} is queued again.")


@on_records(app)
def rejects(product: Product, number: int) -> None:
    """Write the rejected rows of an import as CSV in UTF-8: line, reason, and the fields as they stood in the file."""
    job = job_of(product, number)
    if not is_import(job):
        stop(f"Job {number} is not an import.")
    write_bytes(rejects_file(product.imports, product.profiles, job))
