"""Wake-ups of workers on PostgreSQL, by Procrastinate: it says that there may be work, the job rows say which.

A wake-up is deferred in the transaction that makes a job runnable. One worker with a free slot gets it and claims jobs
by the rule of the rows until it finds none. A worker without a free slot takes no wake-ups, so other workers get them.
A periodic task wakes workers for jobs that have become due or lost their worker. A lost wake-up costs a delay and no
more: each worker looks by itself every few seconds. SQLite has one worker, which needs none of it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, bindparam, text

from soapstone.clock import now
from soapstone.jobs import leases
from soapstone.store import postgresql
from soapstone.store.database import Database
from soapstone.store.timestamps import Instant
from soapstone.store.transient_errors import driver_words

if TYPE_CHECKING:
    from procrastinate import App, JobContext

log = logging.getLogger(__name__)

QUEUE = "soapstone"
TASK = "look"
# Twice a worker's look by itself, in seconds: wake-ups are faster, and this is what remains without them.
IDLE = 4.0
# Every second second. Procrastinate adds half a second.
PERIOD = "* * * * * */2"
# Most jobs for which one round of the periodic task wakes workers.
MOST = 64
# Seconds between two heartbeats to Procrastinate, and until it takes one of its workers for dead.
BEAT, STALLED = 3.0, 15.0
# Seconds until a broken connection to the queue is tried again, and that a worker's end waits for the queue.
PAUSE, PATIENCE = 1.0, 10.0

# The first job of each list that could begin, unless one of its list runs, or a wake-up for it waits already.
_RUNNABLE = text(
    """
    SELECT DISTINCT ON (coalesce(job.list_id, -job.id)) job.id
    FROM job
    WHERE job.finished_at IS NULL
      AND ((job.state = 'queued' AND NOT job.paused AND (job.due_at <= :now OR job.due_at <= job.submitted_at))
           OR (job.state = 'running' AND job.lease_until < :server_now))
      AND (job.passes OR NOT EXISTS (
          SELECT 1 FROM job AS other
          WHERE other.finished_at IS NULL AND other.state = 'running' AND NOT other.passes
            AND other.list_id = job.list_id AND other.id <> job.id
      ))
      AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = 'job-' || job.id)
    ORDER BY coalesce(job.list_id, -job.id), job.id
    LIMIT :most
    """
).bindparams(bindparam("now", type_=Instant), bindparam("server_now", type_=Instant))


class Looking(Protocol):
    """A worker, as far as it can be woken."""

    def look(self) -> None:
        """Look for jobs; return when a slot is free and no job may run."""


def defer(connection: Connection, job_id: int) -> None:
    """Wake a worker for this job at the commit of the caller's transaction. Do nothing on SQLite.

    A queue that does not work holds up no job: then workers find it by looking.
    """
    if connection.dialect.name != "postgresql":
        return
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

    options: dict[str, Any] = {"queue": QUEUE, "queueing_lock": f"job-{job_id}"}
    driver = connection.connection.driver_connection
    try:
        with connection.begin_nested():
            _deferring_app().configure_task(TASK, connection=driver, **options).defer(job=job_id)
    except AlreadyEnqueued:
        return
    except ConnectorException as error:
        log.warning("no worker is woken for job %d: %s", job_id, driver_words(error))


@contextmanager
def waking(database: Database, worker: Looking) -> Iterator[None]:
    """Let wake-ups reach this worker. Do nothing on SQLite."""
    if database.kind == "sqlite":
        yield
        return
    listener = _Listener(database, worker)
    thread = threading.Thread(target=listener.run, name="wakeups", daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.stop()
        thread.join(PATIENCE)


@cache
def _deferring_app() -> App:
    from procrastinate import App, SyncPsycopgConnector

    # Never opened: each call brings its own connection.
    return App(connector=SyncPsycopgConnector())


class _Listener:
    """Runs a worker of Procrastinate in a thread, and again whenever it has ended by an error."""

    def __init__(self, database: Database, worker: Looking) -> None:
        self._database = database
        self._worker = worker
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Listen until `stop`."""
        # They log each wake-up, and each broken connection with its stack; the reason of the latter is logged here.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        with suppress(asyncio.CancelledError):
            asyncio.run(self._listen())

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._stopped.set()
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _listen(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        # A wake-up whose end could not be stored, since the connection broke.
        self._loop.set_exception_handler(lambda _, context: log.debug("a wake-up failed: %s", context.get("message")))
        while not self._stopped.is_set():
            app = self._app()
            try:
                async with app.open_async():
                    await app.run_worker_async(
                        queues=[QUEUE],
                        # A wake-up lasts until this worker has a free slot: see `look`.
                        concurrency=1,
                        install_signal_handlers=False,
                        delete_jobs="always",
                        fetch_job_polling_interval=IDLE,
                        update_heartbeat_interval=BEAT,
                        stalled_worker_timeout=STALLED,
                    )
            except Exception as error:
                log.warning("workers are not woken, they look by themselves: %s", driver_words(error))
            await asyncio.sleep(PAUSE)

    def _app(self) -> App:
        from procrastinate import App, PsycopgConnector

        url = self._database.url.set(drivername="postgresql")
        connector = PsycopgConnector(
            conninfo=url.render_as_string(hide_password=False),
            kwargs=postgresql.client_parameters(url),
            configure=postgresql.prepare_session_async,
            min_size=1,
            max_size=2,
            timeout=float(postgresql.SILENCE),
        )
        app = App(connector=connector)

        @app.task(name=TASK, queue=QUEUE)
        async def look(job: int) -> None:
            log.debug("woken for job %d", job)
            await asyncio.to_thread(self._worker.look)

        @app.periodic(cron=PERIOD)
        @app.task(name="wake", queue=QUEUE, queueing_lock="wake", pass_context=True)
        async def wake(context: JobContext, timestamp: int) -> None:
            await _forget_dead(context)
            await asyncio.to_thread(wake_for_due, self._database)

        return app


def wake_for_due(database: Database) -> int:
    """Wake workers for jobs that may run by now, or whose leases have expired. Return the number of jobs."""
    with database.write() as connection:
        given = {"now": now(), "server_now": leases.moment(connection), "most": MOST}
        found = connection.execute(_RUNNABLE, given).scalars().all()
        for job_id in found:
            defer(connection, job_id)
    return len(found)


async def _forget_dead(context: JobContext) -> None:
    """Delete the wake-ups that dead workers had taken."""
    from procrastinate.exceptions import ConnectorException
    from procrastinate.jobs import Status

    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED):
        # Another worker may do the same.
        with suppress(ConnectorException):
            await manager.finish_job(job, Status.FAILED, delete_job=True)
