"""Leases: how long a worker keeps a job, and how one that is dead or cut off loses it.

On PostgreSQL the server's clock times all leases: the clocks of the hosts need not agree. Each transaction of an
attempt names its session after the attempt. A worker that takes a job over ends the sessions of the earlier attempt:
they would lock the job's row as long as that worker is frozen.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, func, literal_column, text

from soapstone.clock import system_now
from soapstone.store.postgresql import server_now
from soapstone.store.timestamps import Instant

log = logging.getLogger(__name__)

# Microseconds since 1970, as instants are stored.
_SERVER_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
# Milliseconds to wait until a session has ended.
_ENDING = 2000

_EXPIRED = text(
    """
    SELECT job.id, job.attempt, job.worker, coalesce(worker.beat_at >= :silent, false) AS alive
    FROM job LEFT JOIN worker ON worker.name = job.worker
    WHERE job.finished_at IS NULL AND job.state = 'running' AND job.lease_until < :now
    """
).bindparams(bindparam("silent", type_=Instant), bindparam("now", type_=Instant))
_END_SESSIONS = text(
    """
    SELECT count(pg_terminate_backend(pid, :wait)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = :name AND pid <> pg_backend_pid()
    """
)


def moment(connection: Connection) -> datetime:
    """Return the present instant by the clock that times leases and heartbeats."""
    return server_now(connection) if connection.dialect.name == "postgresql" else system_now()


def until(kind: str) -> ColumnElement[Any]:
    """Return the end of a lease that begins now, as an expression. Its parameter "lease" is from `given`."""
    if kind == "sqlite":
        return bindparam("lease", type_=Instant)
    return literal_column(_SERVER_NOW, BigInteger) + bindparam("lease", type_=BigInteger)


def given(kind: str, lease: timedelta) -> dict[str, Any]:
    """Return the parameter of `until`."""
    return {"lease": system_now() + lease if kind == "sqlite" else lease // timedelta(microseconds=1)}


def session_name(job_id: int, attempt: int) -> str:
    """Return what the server calls a session while it is in a transaction of this attempt."""
    return f"soapstone job-{job_id}/{attempt}"


def named(parameter: str) -> ColumnElement[Any]:
    """Return an expression of PostgreSQL that names the session until its transaction ends."""
    return func.set_config("application_name", bindparam(parameter), True)


def fence_off(connection: Connection, now: datetime, lease: timedelta, own: Collection[int]) -> set[int]:
    """End the sessions of dead attempts whose leases have expired. Return the jobs whose workers live.

    Jobs that are this worker's `own` are left alone.

    A live worker cannot renew its lease during a long chunk, because the chunk locks the row. A claim that waited for
    this lock would delay all other claims. The worker's heartbeat shows that it lives. For PostgreSQL.
    """
    living = set()
    for job_id, attempt, worker, alive in connection.execute(_EXPIRED, {"silent": now - lease, "now": now}):
        if alive or job_id in own:
            living.add(job_id)
            continue
        given = {"name": session_name(job_id, attempt), "wait": _ENDING}
        if ended := connection.execute(_END_SESSIONS, given).scalar_one():
            log.warning("job %d: %d sessions of worker %s were ended, which is silent", job_id, ended, worker)
    return living
