"""The worker: claims jobs and runs them, several at once."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import OperationalError

from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Cancelled, JobFailed, Run, Runner, Stopped, Superseded
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
# A job that meets an unwilling database this often in a row is given up.
MOST_ATTEMPTS = 100
# SQLite's log is moved into the file when it has grown to this many bytes, and whenever there is nothing to do.
LOG_BYTES = 64 << 20
# Seconds between two rounds of chores.
CHORES_PAUSE = 3600.0


class Worker:
    """Runs jobs in up to `slots` threads until `stop` is called.

    `runners` says which kinds of job it can do, and how. `chores` are done at the start and then every hour, while
    there is nothing else to do.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        runners: Mapping[str, Runner],
        *,
        slots: int = 4,
        lease: timedelta = LEASE,
        idle: float = 0.1,
        chores: Sequence[Callable[[], object]] = (),
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{time.monotonic_ns():x}"
        self._database = database
        self._blobs = blobs
        self._jobs = Jobs(database)
        self._runners = dict(runners)
        self._slots = slots
        self._lease = lease
        self._idle = idle
        self._chores = chores
        self._chores_due = 0.0
        self._stop = threading.Event()
        self._running: set[threading.Thread] = set()
        self._changed = threading.Condition()

    def stop(self) -> None:
        """End after the chunks under way."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Work until stopped, or until nothing is under way, nothing may run and `until` says that this will do."""
        if self._database.kind == "sqlite":
            # The caller holds the worker's lock of this database: whoever ran these jobs is dead.
            self._jobs.expire_leases()
        heart = threading.Thread(target=self._beat, name="lease", daemon=True)
        heart.start()
        try:
            while not self._stop.is_set():
                try:
                    claimed = self._take_on()
                except OperationalError:
                    log.exception("the database does not answer; trying again")
                    claimed = None
                    self._stop.wait(1)
                if claimed:
                    continue
                with self._changed:
                    resting = claimed is False and not self._running
                if resting and until():
                    break
                if resting and time.monotonic() >= self._chores_due:
                    self._do_chores()
                self._tidy()
                with self._changed:
                    self._changed.wait(self._idle)
        finally:
            self._stop.set()
            for thread in list(self._running):
                thread.join()
            heart.join()
            self._database.checkpoint()

    def _take_on(self) -> bool | None:
        """Claim a job and start it: True when one was started, False when none may run, None when no slot is free."""
        with self._changed:
            if len(self._running) >= self._slots:
                return None
        job = self._jobs.claim(self.name, self._runners, self._lease)
        if job is None:
            return False
        thread = threading.Thread(target=self._do, args=(job,), name=f"job-{job.id}")
        with self._changed:
            self._running.add(thread)
        thread.start()
        return True

    def _do(self, job: Job) -> None:
        run = Run(self._database, self._blobs, job, lease=self._lease, stopping=self._stop.is_set)
        log.info("job %d (%s) attempt %d begins", job.id, job.kind, job.attempt)
        try:
            try:
                self._runners[job.kind](run)
                run.complete()
            except Stopped:
                run.release()
            except Cancelled:
                run.cancel()
            except JobFailed as failure:
                log.warning("job %d failed: %s", job.id, failure)
                run.fail(str(failure))
            except OperationalError:
                if job.attempt >= MOST_ATTEMPTS:
                    raise
                log.exception("job %d waits for the database", job.id)
                run.release(timedelta(seconds=min(60, 2 * job.attempt)))
        except Superseded:
            log.warning("job %d was taken over by another attempt", job.id)
        except Exception:
            log.exception("job %d failed by a fault of the server", job.id)
            try:
                run.fail("The server met an internal error; its log has the details.")
            except Exception:
                # The lease runs out and the job is tried again.
                log.exception("job %d could not be marked as failed", job.id)
        finally:
            with self._changed:
                self._running.discard(threading.current_thread())
                self._changed.notify_all()

    def _beat(self) -> None:
        while not self._stop.wait(self._lease.total_seconds() / 3):
            with self._changed:
                busy = bool(self._running)
            if busy:
                try:
                    self._jobs.renew(self.name, self._lease)
                except OperationalError:
                    log.exception("leases could not be renewed")

    def _do_chores(self) -> None:
        self._chores_due = time.monotonic() + CHORES_PAUSE
        for chore in self._chores:
            try:
                chore()
            except Exception:
                log.exception("a chore failed; it is tried again later")

    def _tidy(self) -> None:
        path = self._database.path
        if path is None:
            return
        wal = Path(f"{path}-wal")
        size = wal.stat().st_size if wal.exists() else 0
        with self._changed:
            busy = bool(self._running)
        if size > (LOG_BYTES if busy else 0):
            self._database.checkpoint()
