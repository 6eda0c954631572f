"""Running a job from the command line: by the server's worker, or by this process if no worker runs."""

from __future__ import annotations

import threading
import time

import typer

from soapstone.commands.common import stop
from soapstone.commands.progress import INTERRUPTED, follow, found, tell_end
from soapstone.console.job_view import JobViews
from soapstone.jobs.job import Job
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.worker import Worker
from soapstone.product import Product


def work_off(product: Product, job: Job) -> Job:
    """Return the job when it is over. Interrupted, the command ends with exit code 130 and says how the job goes on."""
    lock = WorkerLock(product.settings.worker_lock)
    if product.database.kind == "sqlite" and not lock.acquire():
        return watched(product, job.id)
    try:
        return _done_here(product, job.id)
    finally:
        lock.release()


def watched(product: Product, number: int) -> Job:
    """Return the job when another worker has ended it. An interruption stops only the watching, with exit code 130."""
    try:
        return follow(product, number)
    except KeyboardInterrupt:
        typer.echo(f"Stopped watching. Job {number} goes on; to end it: soapstone jobs cancel {number}")
        raise typer.Exit(INTERRUPTED) from None


def _done_here(product: Product, number: int) -> Job:
    from soapstone.runners import UNUSABLE_SETTINGS, runners

    def over() -> bool:
        return found(product, number).over

    try:
        worker = Worker(product.database, product.blobs, runners(product))
    except UNUSABLE_SETTINGS as trouble:
        stop(f"Job {number} waits for a worker: {trouble}")
    thread = threading.Thread(target=worker.run, kwargs={"until": over})

    def wait(seconds: float) -> None:
        # The thread ends with the job.
        if thread.is_alive():
            thread.join(seconds)
        else:
            time.sleep(seconds)

    thread.start()
    try:
        return follow(product, number, wait=wait)
    except KeyboardInterrupt:
        typer.echo("Stopping after the rows under way.")
    finally:
        worker.stop()
        thread.join()
    view = JobViews(product).of(found(product, number))
    if view.job.over:
        tell_end(product, view)
        return view.job
    typer.echo(f"Job {number} has stopped at {view.advance or 'its beginning'}; what is done is kept.")
    typer.echo(f"To go on: soapstone worker. To end it: soapstone jobs cancel {number}")
    raise typer.Exit(INTERRUPTED)
