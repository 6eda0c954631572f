"""The queue of jobs: submitting, looking up, cancelling, retrying, claiming."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, insert, select, text, update

from soapstone.clock import now
from soapstone.jobs import leases, wakeups
from soapstone.jobs.job import Job, JobEvent, log_end
from soapstone.store.database import Database
from soapstone.store.ranges import within
from soapstone.store.tables import deliveries, job_events, jobs, workers
from soapstone.store.timestamps import EPOCH, Instant
from soapstone.vocabulary.jobs import ENDED

# An advisory lock of PostgreSQL, so that two workers never claim at the same time.
CLAIM_LOCK = 7302

# Built once: building it costs half as much as running it.
_ONE = select(jobs).where(jobs.c.id == bindparam("job_id"))


class _HeldBack(Exception):
    """A claimed job may not begin."""


class Jobs:
    """All jobs of one installation.

    `asked` gets each job that a client reads, and returns it as the client shall see it: unchanged, except in the test
    server.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked: Callable[[Job], Job] = lambda job: job

    def add(
        self,
        connection: Connection,
        *,
        account_id: int,
        kind: str,
        login_id: int | None = None,
        list_id: int | None = None,
        steps: int = 1,
        request: Mapping[str, Any] | None = None,
        blob: str | None = None,
        blob_size: int = 0,
        label: str = "",
        due_at: datetime | None = None,
        state: str = "queued",
        error: str = "",
    ) -> int:
        """Store a job in the caller's transaction and return its number.

        The caller opens that transaction with `write(durable=True)`: a job is on disk before any client learns its
        number. Raises RuntimeError for any other transaction. A `state` of "completed" or "failed" is for jobs decided
        at submission: no worker ever sees them.
        """
        if not connection.get_execution_options().get("durable"):
            raise RuntimeError("a job is added in a durable transaction only")
        moment = now()
        result = connection.execute(
            insert(jobs)
            .values(
                account_id=account_id,
                login_id=login_id,
                kind=kind,
                list_id=list_id,
                state=state,
                step=steps if state == "completed" else 0,
                steps=steps,
                request=dict(request or {}),
                checkpoint={},
                counters={},
                blob=blob,
                blob_size=blob_size,
                label=label,
                submitted_at=moment,
                due_at=due_at or moment,
                finished_at=moment if state in ENDED else None,
                error=error,
            )
            .returning(jobs.c.id)
        )
        job_id = int(result.scalar_one())
        if state == "queued" and (due_at is None or due_at <= moment):
            wakeups.defer(connection, job_id)
        return job_id

    @staticmethod
    def added(connection: Connection, job_id: int) -> Job:
        """Return a job that the caller's transaction has added.

        The answer to a submission needs it. Read after the commit, it could be under way by then. And if it could not
        be read, the caller would be told of a failure, and submit again what is queued.
        """
        return Job.of(connection.execute(_ONE, {"job_id": job_id}).mappings().one())

    def note(self, connection: Connection, job_id: int, checkpoint: Mapping[str, Any]) -> None:
        """Set the checkpoint of a job that the caller's transaction has added."""
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(checkpoint=dict(checkpoint)))

    def conclude(
        self, connection: Connection, job_id: int, counters: Mapping[str, int], *, finished_at: datetime
    ) -> None:
        """Set counters and end of a job that the caller's transaction has added as completed."""
        values = {"counters": dict(counters), "started_at": jobs.c.submitted_at, "finished_at": finished_at}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))

    def get(self, account_ids: Collection[int] | None, job_id: int) -> Job | None:
        """Return the job with this number in one of the accounts (None = any account), or None."""
        job = self._database.recall(("job", job_id), lambda: self._read(job_id))
        return job if job is not None and (account_ids is None or job.account_id in account_ids) else None

    def _read(self, job_id: int) -> Job | None:
        with self._database.read(autocommit=True) as connection:
            row = connection.execute(_ONE, {"job_id": job_id}).mappings().one_or_none()
        return None if row is None else Job.of(row)

    def find(
        self,
        *,
        account_id: int | None = None,
        kinds: Sequence[str] = (),
        list_id: int | None = None,
        submitted_from: datetime | None = None,
        submitted_before: datetime | None = None,
        ascending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> list[Job]:
        """Return jobs by number, newest first unless `ascending`; empty filters mean all."""
        query = _filtered(list_id, kinds, submitted_from, submitted_before)
        if account_id is not None:
            query = query.where(jobs.c.account_id == account_id)
        query = query.order_by(jobs.c.id if ascending else jobs.c.id.desc()).offset(offset).limit(limit)
        with self._database.read() as connection:
            return [Job.of(row) for row in connection.execute(query).mappings()]

    def after(
        self,
        account_id: int,
        after: int,
        limit: int,
        *,
        list_id: int | None = None,
        kinds: Sequence[str] = (),
        state: str | None = None,
        submitted_from: datetime | None = None,
        submitted_before: datetime | None = None,
    ) -> list[Job]:
        """Return jobs of an account above a number, ascending; None or empty filters mean all."""
        query = _filtered(list_id, kinds, submitted_from, submitted_before)
        query = query.where(jobs.c.account_id == account_id, jobs.c.id > after).order_by(jobs.c.id).limit(limit)
        if state is not None:
            query = query.where(jobs.c.state == state)
        with self._database.read() as connection:
            return [Job.of(row) for row in connection.execute(query).mappings()]

    def events(self, job_id: int) -> list[JobEvent]:
        """Return the job's events so far, oldest first."""
        query = select(job_events.c.state, job_events.c.step, job_events.c.attempt, job_events.c.at).where(
            job_events.c.job_id == job_id
        )
        return self._database.records(JobEvent, query.order_by(job_events.c.id))

    def cancel(self, account_ids: Collection[int] | None, job_id: int) -> bool:
        """Ask a job to end: a queued one ends at once, a running one after its chunk; False if it is over already.

        The work done so far stays done and counted. A queued send whose mails may be under way is due now: its next
        attempt stores their results and ends it.
        """
        table = deliveries
        under_way = select(table.c.id).where(table.c.job_id == jobs.c.id, table.c.next_try_at.is_not(None))
        is_unsettled = under_way.where(table.c.state == "handing").exists()
        with self._database.write() as connection:
            mine = jobs.c.id == job_id
            if account_ids is not None:
                mine &= jobs.c.account_id.in_(account_ids)
            queued = cancel_queued(connection, mine & ~is_unsettled)
            unsettled = update(jobs).where(mine, jobs.c.state == "queued")
            asked = connection.execute(unsettled.values(cancel_asked=True, paused=False, due_at=now())).rowcount
            if asked:
                wakeups.defer(connection, job_id)
            running = update(jobs).where(mine, jobs.c.state == "running").values(cancel_asked=True)
            asked += connection.execute(running).rowcount
        log_cancelled(queued)
        return bool(queued or asked)

    def pause(self, account_ids: Collection[int] | None, job_id: int, paused: bool = True) -> bool:
        """Pause a job, after its present chunk; False if it is over, or paused already.

        With `paused` False a paused job goes on, when it is due.
        """
        with self._database.write() as connection:
            mine = (jobs.c.id == job_id) & jobs.c.finished_at.is_(None) & (jobs.c.paused != paused)
            if account_ids is not None:
                mine &= jobs.c.account_id.in_(account_ids)
            changed = bool(connection.execute(update(jobs).where(mine).values(paused=paused)).rowcount)
            if changed and not paused:
                wakeups.defer(connection, job_id)
            return changed

    def retry(self, account_ids: Collection[int] | None, job_id: int) -> bool:
        """Queue a failed job again, from its last checkpoint; False if it did not fail, or its input file is gone.

        A job that failed without a start was refused (`add`) and cannot be retried.
        """
        with self._database.write(durable=True) as connection:
            has_input = jobs.c.blob.is_not(None) | (jobs.c.blob_size == 0)
            began = jobs.c.started_at.is_not(None)
            query = update(jobs).where(jobs.c.id == job_id, jobs.c.state == "failed", began, has_input)
            if account_ids is not None:
                query = query.where(jobs.c.account_id.in_(account_ids))
            values = {
                "state": "queued",
                "finished_at": None,
                "error": "",
                # At once, whatever it was scheduled for.
                "due_at": jobs.c.submitted_at,
                "cancel_asked": False,
                "paused": False,
            }
            changed = bool(connection.execute(query.values(**values)).rowcount)
            if changed:
                wakeups.defer(connection, job_id)
            return changed

    def forget_inputs(self, before: datetime) -> None:
        """Detach the input files of jobs that ended before then; the jobs themselves stay."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs).where(jobs.c.finished_at < before, jobs.c.blob.is_not(None)).values(blob=None)
            )

    def blobs_in_use(self) -> list[str]:
        """Return the names of the blobs that jobs refer to."""
        with self._database.read() as connection:
            return [name for (name,) in connection.execute(select(jobs.c.blob).where(jobs.c.blob.is_not(None)))]

    def unfinished(self) -> list[int]:
        """Return the numbers of the jobs that are not over."""
        with self._database.read() as connection:
            return list(connection.execute(select(jobs.c.id).where(jobs.c.finished_at.is_(None))).scalars())

    def claim(
        self,
        worker: str,
        kinds: Collection[str],
        lease: timedelta,
        *,
        but: Collection[int] = (),
        may_begin: Callable[[Job], bool] | None = None,
    ) -> Job | None:
        """Claim the next runnable job, for the length of the lease; None if none may run.

        The rule is in `claim_job.sql`. Jobs in `but` are skipped, even if their leases have expired. If `may_begin`
        refuses the job, it stays as it is, and None is returned.
        """
        if self._database.kind == "sqlite" and not self._has_unfinished(but):
            return None
        statement = text(self._database.statement("claim_job"))
        with suppress(_HeldBack), self._database.write() as connection:
            excluded = set(but)
            if self._database.kind == "postgresql":
                connection.execute(select(text(f"pg_advisory_xact_lock({CLAIM_LOCK})")))
            # Not earlier: claims wait for one another.
            moment = leases.moment(connection)
            if self._database.kind == "postgresql":
                excluded |= leases.fence_off(connection, moment, lease, excluded)
            statement = statement.bindparams(
                bindparam("kinds", list(kinds), expanding=True),
                bindparam("but", sorted(excluded), expanding=True),
                bindparam("now", now(), Instant),
                bindparam("system_now", moment, Instant),
                bindparam("lease_until", moment + lease, Instant),
                bindparam("worker", worker),
            )
            job_id = connection.execute(statement).scalar_one_or_none()
            if job_id is None:
                return None
            job = Job.of(connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one())
            if may_begin is not None and not may_begin(job):
                # The transaction is rolled back.
                raise _HeldBack
            return job
        return None

    def _has_unfinished(self, but: Collection[int]) -> bool:
        """Return whether a job is not over, besides those in `but`.

        SQLite's worker looks ten times a second, and need not wait for a running import's turn to find nothing: others
        want the write lock in the moments when an import leaves it.
        """
        query = select(jobs.c.id).where(jobs.c.finished_at.is_(None), jobs.c.id.not_in(but)).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def renew(self, worker: str, lease: timedelta) -> None:
        """Renew the leases of all jobs that this worker runs; on PostgreSQL without those whose chunks are under way.

        Each of these renews its lease at its end, and waiting for one would let the leases of the others expire.
        """
        kind = self._database.kind
        mine = select(jobs.c.id).where(jobs.c.finished_at.is_(None), jobs.c.state == "running", jobs.c.worker == worker)
        with self._database.write() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(mine.with_for_update(skip_locked=True)))
                .values(lease_until=leases.until(kind)),
                leases.given(kind, lease),
            )

    def expire_leases(self) -> None:
        """Expire every lease: for the only worker of a database, which knows that its predecessor is dead."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs).where(jobs.c.finished_at.is_(None), jobs.c.state == "running").values(lease_until=EPOCH)
            )
            if self._database.kind == "postgresql":
                connection.execute(update(workers).values(beat_at=EPOCH))


def _filtered(
    list_id: int | None, kinds: Sequence[str], submitted_from: datetime | None, submitted_before: datetime | None
) -> Select[Any]:
    """Return the query for jobs; None and no kinds filter nothing."""
    query = select(jobs).where(*within(jobs.c.submitted_at, submitted_from, submitted_before))
    if kinds:
        query = query.where(jobs.c.kind.in_(kinds))
    return query if list_id is None else query.where(jobs.c.list_id == list_id)


def is_due(moment: datetime) -> ColumnElement[bool]:
    """Return the condition of `Job.is_due`."""
    return (jobs.c.due_at <= moment) | (jobs.c.due_at <= jobs.c.submitted_at)


def cancel_queued(connection: Connection, condition: ColumnElement[bool]) -> Sequence[Row[int, str, int]]:
    """Cancel the queued jobs that meet the condition, in the caller's transaction. Pass them to `log_cancelled` after
    its commit."""
    query = update(jobs).where(condition, jobs.c.state == "queued")
    changed = query.values(state="cancelled", finished_at=now(), paused=False)
    return connection.execute(changed.returning(jobs.c.id, jobs.c.kind, jobs.c.account_id)).all()


def log_cancelled(cancelled: Sequence[Row[int, str, int]]) -> None:
    """Log the ends of the jobs that `cancel_queued` returned."""
    for number, kind, account_id in cancelled:
        log_end(number, kind, account_id, "cancelled")
