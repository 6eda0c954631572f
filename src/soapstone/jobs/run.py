"""A run: one attempt at a job, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from soapstone.clock import now
from soapstone.errors import SoapstoneError
from soapstone.jobs import leases, wakeups
from soapstone.jobs.job import Job, log_end
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import jobs
from soapstone.store.transient_errors import RecordsUnavailable

# Column of the job → its name in Chunk and Job.
_KEPT = {"checkpoint": "checkpoint", "counters": "counters", "step": "step", "passes": "releases_list"}


class _Statements:
    """What every chunk runs, on one kind of database: building it takes longer than running it."""

    def __init__(self, kind: str) -> None:
        # In this order: the session gets the attempt's name when it has got the row.
        fence = update(jobs).where(
            jobs.c.id == bindparam("number"), jobs.c.attempt == bindparam("mine"), jobs.c.state == bindparam("in_state")
        )
        told = [jobs.c.cancel_asked, jobs.c.paused, *([] if kind == "sqlite" else [leases.named("session")])]
        self.fence = fence.values(lease_until=leases.until(kind)).returning(*told)
        self.keep = (
            update(jobs)
            .where(jobs.c.id == bindparam("number"))
            .values(
                lease_until=leases.until(kind),
                **{column: bindparam(f"new_{name}", type_=jobs.c[column].type) for column, name in _KEPT.items()},
            )
        )
        self.keep_progress = self.keep.values(deaths=0)


_STATEMENTS = {kind: _Statements(kind) for kind in ("sqlite", "postgresql")}


class JobFailed(SoapstoneError):
    """The job cannot be done; the message is a reason for its owner."""


class LeaseLost(Exception):
    """Another attempt has taken the job over: this one must not change anything any more."""


class Cancelled(Exception):
    """The job's owner cancelled it."""


class Stopped(Exception):
    """The worker is stopping; the job goes on later from its checkpoint."""


class Paused(Exception):
    """The job's owner paused it; it goes on from its checkpoint when it is resumed."""


class Snooze(Exception):
    """The job has to wait for a while and then goes on from its checkpoint. The message is the reason, for its
    owner."""

    def __init__(self, delay: timedelta, reason: str) -> None:
        super().__init__(reason)
        self.delay = delay


class Chunk:
    """One transaction of a run: its data, the counters and the checkpoint are stored together or not at all.

    Set `checkpoint` (a document) and `step` (steps finished so far), and add to the counters with `count`. A job that
    `releases_list` no longer takes its turn among the jobs of its list. `progress` is False for a chunk that only
    reports how far the job is: the next attempt would have to repeat its work. `is_in_doubt` says that the commit of
    the chunk before got no answer: it may be stored, and what it says of the job is that of the records.
    """

    def __init__(self, connection: Connection, job: Job, *, is_in_doubt: bool = False) -> None:
        self.connection = connection
        self.is_in_doubt = is_in_doubt
        self.checkpoint: Mapping[str, Any] = job.checkpoint
        self.step = job.step
        self.counters = dict(job.counters)
        self.releases_list = job.releases_list
        self.progress = True

    def count(self, **amounts: int) -> None:
        """Add to counters."""
        for name, amount in amounts.items():
            self.counters[name] = self.counters.get(name, 0) + amount


class Run:
    """One attempt at a job, as its runner sees it.

    `job` is the state after the last committed chunk; `progressed` says whether a chunk of this attempt made progress,
    `stopping` whether the worker ends. The job must be in this `state`, and stay in it, to be changed.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        job: Job,
        *,
        lease: timedelta,
        stopping: Callable[[], bool],
        state: str = "running",
    ) -> None:
        self.database = database
        self.blobs = blobs
        self.job = job
        self.progressed = False
        self._lease = lease
        self._statements = _STATEMENTS[database.kind]
        self.stopping = stopping
        self._state = state
        self._connection: Connection | None = None
        # Whether the last chunk may be stored or not.
        self._is_in_doubt = False

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Use one connection for all chunks inside, and for work between their transactions."""
        with self.database.connect() as self._connection:
            try:
                yield self._connection
            finally:
                self._connection = None

    def heed(self) -> None:
        """Raise LeaseLost, Cancelled, Paused or Stopped as a chunk does, without a change."""
        if self.stopping():
            raise Stopped
        mine = (jobs.c.id == self.job.id) & (jobs.c.attempt == self.job.attempt) & (jobs.c.state == "running")
        with self.database.read() as connection:
            _heed(connection.execute(select(jobs.c.cancel_asked, jobs.c.paused).where(mine)).one_or_none())

    @contextmanager
    def chunk(self, *, last_words: bool = False, durable: bool = False, gives_way: bool = False) -> Iterator[Chunk]:
        """Yield a fenced transaction for the next piece of work.

        Raises LeaseLost, Cancelled, Paused or Stopped before any work; a runner does not catch them. `last_words`
        raises only LeaseLost: results of finished work must be stored. `durable` survives a power loss. `gives_way`
        lets other writers go first: see Database.write.
        """
        if self.stopping() and not last_words:
            raise Stopped
        with (
            self._doubting(),
            self.database.write(durable=durable, connection=self._connection, gives_way=gives_way) as connection,
        ):
            self._fence(connection, heed=not last_words)
            if self._is_in_doubt:
                self.job = Job.of(connection.execute(select(jobs).where(jobs.c.id == self.job.id)).mappings().one())
            chunk, progressed = Chunk(connection, self.job, is_in_doubt=self._is_in_doubt), False
            yield chunk
            values: dict[str, Any] = {name: getattr(chunk, name) for name in _KEPT.values()}
            values["checkpoint"] = dict(chunk.checkpoint)
            progressed = chunk.progress and any(values[name] != getattr(self.job, name) for name in values)
            given = {f"new_{name}": value for name, value in values.items()}
            # From now on: a chunk may have taken longer than the lease.
            given |= {"number": self.job.id, **leases.given(self.database.kind, self._lease)}
            connection.execute(self._statements.keep_progress if progressed else self._statements.keep, given)
        if progressed:
            values["crashes"] = 0
        self._reread(values)
        self.progressed |= progressed

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """Take note whether the outcome of a chunk's commit is unknown."""
        try:
            yield
        except RecordsUnavailable as error:
            self._is_in_doubt |= not error.undone
            raise
        self._is_in_doubt = False

    def complete(self) -> None:
        """End the job as completed, with all steps finished."""
        self._end(state="completed", step=self.job.steps)

    def fail(self, reason: str) -> None:
        """End the job as failed; its step and counters stay as they are."""
        self._end(state="failed", error=reason)

    def cancel(self) -> None:
        """End the job as cancelled."""
        self._end(state="cancelled")

    def release(self, delay: timedelta = timedelta(0), reason: str = "") -> None:
        """Return the job to the queue, to go on from its checkpoint; its error is the reason for the delay.

        There is no delay for a job that was cancelled during this attempt: the next one ends it.
        """
        with self.database.write() as connection:
            is_cancelled = self._fence(connection, heed=False).cancel_asked and not self.job.cancel_asked
            # Without a delay it stays as due as it is: the clock may be set back.
            is_delayed = delay and not is_cancelled
            due = max(self.job.due_at, now() + delay) if is_delayed else self.job.due_at
            connection.execute(
                update(jobs)
                .where(jobs.c.id == self.job.id)
                .values(state="queued", due_at=due, lease_until=None, worker="", error=reason)
            )
            if is_cancelled:
                connection.execute(update(jobs).where(jobs.c.id == self.job.id).values(paused=False))
            if not is_delayed:
                wakeups.defer(connection, self.job.id)

    def _end(self, state: str, error: str = "", **others: Any) -> None:
        with self.database.write() as connection:
            self._fence(connection, heed=False)
            # It is not paused, whatever came since its last chunk.
            values = {
                "state": state,
                "error": error,
                "finished_at": now(),
                "lease_until": None,
                "paused": False,
                **others,
            }
            connection.execute(update(jobs).where(jobs.c.id == self.job.id).values(**values))
        log_end(self.job.id, self.job.kind, self.job.account_id, state, error)

    def _fence(self, connection: Connection, *, heed: bool = True) -> Any:
        """Make sure that the job is this attempt's; return what is asked of it."""
        given = {
            "number": self.job.id,
            "mine": self.job.attempt,
            "in_state": self._state,
            **leases.given(self.database.kind, self._lease),
        }
        if self.database.kind == "postgresql":
            given["session"] = leases.session_name(self.job.id, self.job.attempt)
        asked = connection.execute(self._statements.fence, given).one_or_none()
        _heed(asked, heed=heed)
        return asked

    def _reread(self, values: Mapping[str, Any]) -> None:
        self.job = Job(**(self.job.__dict__ | dict(values)))


def _heed(asked: Any, *, heed: bool = True) -> None:
    """Raise what the row of a running job asks for; None if another attempt has it."""
    if asked is None:
        raise LeaseLost
    if asked.cancel_asked and heed:
        raise Cancelled
    if asked.paused and heed:
        raise Paused


Runner = Callable[[Run], None]
