"""Workers on several hosts of one PostgreSQL server: frozen, slow, or with a wrong clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update
from tests.postgresql import Databases

from soapstone.accounts.account import Account
from soapstone.clock import clock
from soapstone.jobs.heartbeats import Heartbeats
from soapstone.jobs.job import Job
from soapstone.jobs.queue import CLAIM_LOCK, Jobs
from soapstone.jobs.run import LeaseLost, Run
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.postgresql import IDLE, SILENCE
from soapstone.store.tables import accounts, workers
from soapstone.store.transient_errors import RecordsUnavailable

pytestmark = pytest.mark.postgresql
LEASE = timedelta(seconds=0.5)
LONG = timedelta(seconds=30)


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


@pytest.fixture
def host(database_url: str) -> Iterator[Database]:
    """The same database, as the worker of another host opens it."""
    opened = Database(database_url, waits=True)
    yield opened
    opened.close()


def add(database: Database, account: Account) -> int:
    with database.write(durable=True) as connection:
        return Jobs(database).add(connection, account_id=account.id, kind="count")


def begin(database: Database, blobs: Blobs, worker: str) -> Run:
    """Claim a job and return its run."""
    Heartbeats(database).begin(worker)
    job = Jobs(database).claim(worker, ["count"], LEASE)
    assert job is not None
    return Run(database, blobs, job, lease=LEASE, stopping=lambda: False)


def silence(database: Database, worker: str) -> None:
    """Let a worker's last heartbeat be an hour old."""
    with database.write() as connection:
        at = connection.execute(select(workers.c.beat_at).where(workers.c.name == worker)).scalar_one()
        connection.execute(update(workers).where(workers.c.name == worker).values(beat_at=at - timedelta(hours=1)))


def claimed(database: Database, lease: timedelta = LONG, patience: float = SILENCE) -> Job | None:
    """What another worker claims, which must not have to wait for anybody."""
    taken: list[Job | None] = []
    other = threading.Thread(target=lambda: taken.append(Jobs(database).claim("other", ["count"], lease)), daemon=True)
    other.start()
    other.join(patience)
    assert taken, "a claim waits"
    return taken[0]


def test_a_frozen_chunk_does_not_hold_its_job(
    database: Database, host: Database, blobs: Blobs, account: Account
) -> None:
    """The claimer ends its session. Nothing of the chunk remains, and its worker is told so."""
    add(database, account)
    frozen = begin(host, blobs, "frozen")

    def stay_in_a_chunk() -> None:
        with frozen.chunk() as chunk:
            chunk.connection.execute(update(accounts).values(time_zone="Frozen"))
            chunk.count(done=1)
            silence(database, "frozen")
            time.sleep(LEASE.total_seconds())
            # Before the server would end the idle transaction by itself.
            found.append(claimed(database, patience=SILENCE - 2))

    found: list[Job | None] = []
    with pytest.raises(RecordsUnavailable):
        stay_in_a_chunk()
    [job] = found
    assert job is not None
    assert (job.attempt, job.worker, job.counters) == (2, "other", {})
    with database.read() as connection:
        assert connection.execute(select(accounts.c.time_zone)).scalars().all() == [account.time_zone]
    with pytest.raises(LeaseLost):
        frozen.complete()


def test_a_live_worker_keeps_a_chunk_that_outlasts_its_lease_and_holds_nobody_up(
    database: Database, host: Database, blobs: Blobs, account: Account
) -> None:
    slow_job = add(database, account)
    slow = begin(host, blobs, "slow")
    with slow.chunk() as chunk:
        chunk.count(done=1)
        time.sleep(2 * LEASE.total_seconds())
        Heartbeats(database).beat("slow")
        assert claimed(database) is None
        another = add(database, account)
        job = claimed(database)
        assert job is not None
        assert job.id == another
        # The chunk holds the row, and renews the lease at its end.
        Jobs(database).renew("slow", LONG)
    found = Jobs(database).get(None, slow_job)
    assert found is not None
    assert (found.attempt, found.counters) == (1, {"done": 1})


def test_the_clocks_of_hosts_need_not_agree(database: Database, blobs: Blobs, account: Account) -> None:
    """One is an hour ahead, one an hour behind: neither takes over what is under way, nor loses its own job."""
    add(database, account)
    Heartbeats(database).begin("first")
    first = Jobs(database).claim("first", ["count"], LONG)
    assert first is not None
    silence(database, "first")
    with clock(lambda: datetime.now(UTC) + timedelta(hours=1)):
        assert Jobs(database).claim("ahead", ["count"], LONG) is None
    with clock(lambda: datetime.now(UTC) - timedelta(hours=1)):
        late = Run(database, blobs, first, lease=LONG, stopping=lambda: False)
        with late.chunk() as chunk:
            chunk.count(done=1)
    assert Jobs(database).claim("other", ["count"], LONG) is None


def test_a_frozen_claim_holds_up_the_others_for_seconds_only(
    database: Database, database_url: str, host: Database, account: Account
) -> None:
    """The server ends a transaction whose client does nothing. Workers wait for it as long as it takes."""
    add(database, account)

    def freeze_in_a_claim() -> None:
        with host.write() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({CLAIM_LOCK})"))
            with closing(Database(database_url, waits=True)) as third:
                assert claimed(third, patience=IDLE + 10) is not None
            connection.execute(text("SELECT 1"))

    with pytest.raises(RecordsUnavailable):
        freeze_in_a_claim()
