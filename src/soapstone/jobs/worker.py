"""The worker: claims jobs and runs them, several at once."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

from soapstone import log_context
from soapstone.backoff import backoff
from soapstone.errors import SoapstoneError
from soapstone.jobs import heartbeats
from soapstone.jobs.gate import JobGate
from soapstone.jobs.heartbeats import Heartbeats
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Cancelled, JobFailed, LeaseLost, Paused, Run, Runner, Snooze, Stopped
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.transient_errors import RecordsUnavailable, driver_words, transient_error

log = logging.getLogger(__name__)

# With the pause between two looks of any worker, a dead worker's jobs go on within 15 seconds.
LEASE = timedelta(seconds=10)
# Seconds between two looks for jobs of a worker that nobody wakes.
IDLE = 0.1
# A job fails after so many transient errors in a row without progress: after an hour and a half.
PATIENCE = 100
# A job fails after so many crashes of its worker in a row without progress: it may be the cause.
MOST_CRASHES = 10
CRASHED = "The process that does the work has died {} times over this job, which got no further. The log may tell why."
# Seconds before the first retry, doubled after each further error, and at most.
SHORTEST_WAIT = 1.0
LONGEST_WAIT = 60.0
# The same for storing the end of an attempt.
LONGEST_WAIT_TO_STORE = 5.0
# SQLite's log is checkpointed when it has grown to this many bytes, and whenever the worker is idle. An import writes
# the same pages of its indexes again and again: fewer checkpoints copy them fewer times.
LOG_BYTES = 256 << 20
# Seconds between two rounds of maintenance.
MAINTENANCE_PAUSE = 3600.0


class Worker:
    """Runs jobs in up to `slots` threads until `stop` is called.

    `runners`: kind of job → function that runs it. `maintenance` runs every hour while the worker is idle. `gate` holds
    jobs back.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        runners: Mapping[str, Runner],
        *,
        slots: int = 4,
        lease: timedelta = LEASE,
        idle: float = IDLE,
        maintenance: Sequence[Callable[[], object]] = (),
        patience: int = PATIENCE,
        shortest_wait: float = SHORTEST_WAIT,
        gate: JobGate | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{time.monotonic_ns():x}"
        self._database = database
        self._blobs = blobs
        self._jobs = Jobs(database)
        self._heartbeats = Heartbeats(database)
        # Whether the last heartbeat was stored.
        self._recorded = True
        self._runners = dict(runners)
        self._slots = slots
        self._lease = lease
        self._idle = idle
        self._maintenance = maintenance
        self._maintenance_due = time.monotonic()
        self._patience = patience
        self._shortest_wait = shortest_wait
        # The transient errors in a row of each waiting job.
        self._failures: dict[int, int] = {}
        self._stop = threading.Event()
        # Each thread and its job.
        self._running: dict[threading.Thread, int] = {}
        self._changed = threading.Condition()
        # Whether something has changed since the last attempt to claim.
        self._woken = False
        # How often this worker had a free slot and found no job for it.
        self._rounds = 0
        self._gate = gate
        if gate is not None:
            gate.attach(self.wake)

    def wake(self) -> None:
        """Look for jobs now."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def look(self) -> None:
        """Look for jobs now; return when a slot is free and no job may run, or when the worker stops."""
        with self._changed:
            before = self._rounds
            self.wake()
            self._changed.wait_for(lambda: self._rounds != before or self._stop.is_set())

    def stop(self) -> None:
        """Stop after the present chunks."""
        self._stop.set()
        self.wake()

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Work until stopped, or until no job is running or may run and `until` returns True."""
        if self._database.kind == "sqlite":
            # The caller holds the worker's lock of this database: the worker that ran these jobs is dead.
            self._jobs.expire_leases()
        heart = threading.Thread(target=self._beat, name="lease", daemon=True)
        heart.start()
        try:
            while not self._stop.is_set():
                try:
                    if self._turn(until):
                        break
                except Exception as error:
                    if (reason := transient_error(error)) is None:
                        raise
                    log.warning("cannot claim a job, trying again: %s (%s)", reason, driver_words(error))
                    self._stop.wait(1)
        finally:
            self.stop()
            for thread in list(self._running):
                thread.join()
            heart.join()
            self._record(self._heartbeats.end)
            self._database.checkpoint()

    def _turn(self, until: Callable[[], bool]) -> bool:
        """Start a job, or wait a little. Return whether this was the last turn."""
        self._woken = False
        claimed = self._take_on()
        if claimed:
            return False
        with self._changed:
            if claimed is False:
                self._rounds += 1
                self._changed.notify_all()
            resting = claimed is False and not self._running
        if resting and until():
            return True
        if resting and time.monotonic() >= self._maintenance_due:
            self._maintain()
        self._checkpoint()
        with self._changed:
            if not self._woken and not self._stop.is_set():
                self._changed.wait(self._idle)
        return False

    def _take_on(self) -> bool | None:
        """Claim and start a job. Return True if one was started, False if none may run, None if no slot is free."""
        gate = self._gate
        with self._changed:
            if len(self._running) - (gate.resting if gate else 0) >= self._slots:
                return None
            ours = set(self._running.values())
        if gate is None:
            job = self._jobs.claim(self.name, self._runners, self._lease, but=ours)
        else:
            but = ours.union(gate.closed_to())
            job = self._jobs.claim(self.name, self._runners, self._lease, but=but, may_begin=gate.may_begin)
        if job is None:
            return False
        thread = threading.Thread(target=copy_context().run, args=(self._do, job), name=f"job-{job.id}")
        with self._changed:
            self._running[thread] = job.id
        try:
            thread.start()
        except RuntimeError as error:
            # No resources for another thread: return the job to the queue and free its slot.
            with self._changed:
                del self._running[thread]
            run = Run(self._database, self._blobs, job, lease=self._lease, stopping=self._stop.is_set)
            self._store_end(self._after(OSError(errno.EAGAIN, str(error)), run, job), job)
        return True

    def _do(self, job: Job) -> None:
        run = Run(self._database, self._blobs, job, lease=self._lease, stopping=self._stop.is_set)
        # Every line of this thread names the job.
        log_context.bind(job=job.id)
        log.info("job begins", extra={"kind": job.kind, "account": job.account_id, "attempt": job.attempt})
        try:
            self._attempt(run, job)
        except LeaseLost:
            log.warning("job %d was taken over by another attempt", job.id)
        except Exception:
            # The lease runs out and the job is tried again.
            log.exception("the end of job %d could not be stored", job.id)
        finally:
            with self._changed:
                del self._running[threading.current_thread()]
            self.wake()

    def _attempt(self, run: Run, job: Job) -> None:
        end: Callable[[], None]
        try:
            if job.crashes >= MOST_CRASHES:
                raise JobFailed(CRASHED.format(job.crashes))
            self._runners[job.kind](run)
            run.complete()
            self._failures.pop(job.id, None)
            return
        except LeaseLost:
            raise
        except (Stopped, Paused):
            end = run.release
        except Snooze as snooze:
            self._failures.pop(job.id, None)
            end = partial(run.release, snooze.delay, str(snooze))
        except Cancelled:
            end = run.cancel
        except SoapstoneError as failure:
            end = partial(run.fail, str(failure))
        except Exception as error:
            end = self._after(error, run, job)
        self._store_end(end, job)

    def _after(self, error: Exception, run: Run, job: Job) -> Callable[[], None]:
        """Return the function that ends the attempt after this error: release after a transient one, else fail."""
        reason = transient_error(error)
        if reason is None:
            log.error("job %d failed by a fault of the server", job.id, exc_info=error)
            return partial(run.fail, "The server met an internal error; its log has the details.")
        progressed = run.progressed
        times = 1 if progressed else self._failures.get(job.id, 0) + 1
        if times >= self._patience:
            self._failures.pop(job.id, None)
            log.error("job %d is given up: %s", job.id, reason, exc_info=error)
            return partial(
                run.fail, f"{reason} What is done so far stays; the job goes on from there when it is retried."
            )
        self._failures[job.id] = times
        delay = backoff(times, self._shortest_wait, LONGEST_WAIT)
        log.warning("job %d waits %.0f s: %s", job.id, delay, reason, exc_info=error)
        return partial(run.release, timedelta(seconds=delay), f"The job waits and goes on by itself. {reason}")

    def _store_end(self, end: Callable[[], None], job: Job) -> None:
        """Store the end of an attempt, retrying: the job's transient error may hit this, too."""
        for failures in count(1):
            try:
                end()
                return
            except LeaseLost:
                raise
            except Exception as error:
                if (reason := transient_error(error)) is None:
                    raise
                log.warning("the end of job %d is not stored yet: %s", job.id, reason)
                if self._stop.wait(backoff(failures, self._shortest_wait, LONGEST_WAIT_TO_STORE)):
                    raise

    def _beat(self) -> None:
        self._record(self._heartbeats.begin)
        renewal = min(heartbeats.PAUSE, self._lease.total_seconds() / 3)
        # On PostgreSQL the heartbeat tells a worker in a long chunk from a dead one.
        pause = heartbeats.PAUSE if self._database.kind == "sqlite" else renewal
        due = time.monotonic() + pause
        while not self._stop.wait(renewal):
            # A heartbeat that could not be stored is retried soon.
            if not self._recorded or time.monotonic() >= due:
                self._record(self._heartbeats.beat)
                due = time.monotonic() + pause
            with self._changed:
                busy = bool(self._running)
            if busy:
                try:
                    self._jobs.renew(self.name, self._lease)
                except Exception as error:
                    if transient_error(error) is None:
                        log.exception("leases could not be renewed")
                    else:
                        log.warning("leases could not be renewed: %s", error)

    def _record(self, heartbeat: Callable[[str], None]) -> None:
        """Store a heartbeat; log a failure, since the work goes on without it."""
        try:
            heartbeat(self.name)
            self._recorded = True
        except Exception as trouble:
            if self._recorded:
                log.warning("a heartbeat of the worker could not be stored: %s", trouble)
            self._recorded = False

    def _maintain(self) -> None:
        self._maintenance_due = time.monotonic() + MAINTENANCE_PAUSE
        for task in self._maintenance:
            try:
                task()
            except RecordsUnavailable as trouble:
                log.warning("a maintenance task failed; it is tried again later: %s", trouble.told)
            except Exception:
                log.exception("a maintenance task failed; it is tried again later")

    def _checkpoint(self) -> None:
        path = self._database.path
        if path is None:
            return
        wal = Path(f"{path}-wal")
        size = wal.stat().st_size if wal.exists() else 0
        with self._changed:
            busy = bool(self._running)
        if size > (LOG_BYTES if busy else 0):
            self._database.checkpoint()
