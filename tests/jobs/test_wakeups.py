"""Wake-ups: which workers are woken, and that work goes on without them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text, update
from tests.postgresql import Databases

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.jobs import wakeups
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Run
from soapstone.jobs.worker import Worker
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import jobs as job_table

pytestmark = pytest.mark.postgresql
# Seconds that a worker would wait without wake-ups, and that one may take.
NEVER, PATIENCE = 300.0, 30.0


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


class Host:
    """A worker with one slot, whose jobs last until `finish`."""

    def __init__(self, database: Database, blobs: Blobs, idle: float) -> None:
        self.begun: list[int] = []
        self.finish = threading.Event()
        self.worker = Worker(database, blobs, {"count": self._run}, slots=1, idle=idle)

    def _run(self, run: Run) -> None:
        self.begun.append(run.job.id)
        self.finish.wait(PATIENCE)


@contextmanager
def hosts(database: Database, blobs: Blobs, count: int, *, idle: float = NEVER) -> Iterator[list[Host]]:
    """Workers that run and are woken."""
    found = [Host(database, blobs, idle) for _ in range(count)]
    with ExitStack() as stack:
        for host in found:
            thread = threading.Thread(target=host.worker.run)
            thread.start()
            stack.callback(thread.join)
            stack.enter_context(wakeups.waking(database, host.worker))
            stack.callback(host.worker.stop)
            stack.callback(host.finish.set)
        # All of them listen, and have looked once.
        wait_for(lambda: listeners(database) == count)
        yield found


def listeners(database: Database) -> Any:
    query = "SELECT count(*) FROM procrastinate.procrastinate_workers"
    with database.read() as connection:
        return connection.execute(text(query)).scalar_one()


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.02)


def add(database: Database, account: Account, **values: Any) -> int:
    with database.write(durable=True) as connection:
        return Jobs(database).add(connection, account_id=account.id, kind="count", **values)


def waiting(database: Database) -> list[str]:
    """The jobs for which a wake-up waits."""
    query = "SELECT queueing_lock FROM procrastinate.procrastinate_jobs WHERE status = 'todo' AND task_name = 'look'"
    with database.read() as connection:
        return sorted(connection.execute(text(query)).scalars())


def test_a_wake_up_is_part_of_the_transaction_that_adds_the_job(database: Database, account: Account) -> None:
    with database.connect() as connection, database.write(durable=True, connection=connection):
        Jobs(database).add(connection, account_id=account.id, kind="count")
        connection.rollback()
    assert waiting(database) == []
    job_id = add(database, account)
    add(database, account, due_at=now() + timedelta(hours=1))
    add(database, account, state="completed")
    assert waiting(database) == [f"job-{job_id}"]


def test_resumed_and_retried_jobs_wake_workers_and_one_wake_up_is_enough(database: Database, account: Account) -> None:
    jobs, job_id = Jobs(database), add(database, account)
    assert jobs.pause(None, job_id)
    assert jobs.pause(None, job_id, paused=False)
    assert waiting(database) == [f"job-{job_id}"]
    forget(database)
    job = jobs.claim("first", ["count"], timedelta(seconds=30))
    assert job is not None
    run = Run(database, Blobs.__new__(Blobs), job, lease=timedelta(seconds=30), stopping=lambda: False)
    run.release()
    assert waiting(database) == [f"job-{job_id}"]
    forget(database)
    job = jobs.claim("first", ["count"], timedelta(seconds=30))
    assert job is not None
    Run(database, run.blobs, job, lease=timedelta(seconds=30), stopping=lambda: False).fail("no")
    assert jobs.retry(None, job_id)
    assert waiting(database) == [f"job-{job_id}"]


def forget(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("DELETE FROM procrastinate.procrastinate_jobs"))


def test_a_full_worker_leaves_wake_ups_to_others(database: Database, blobs: Blobs, account: Account) -> None:
    with hosts(database, blobs, 3) as found:
        job_ids = set()
        for count in range(1, 4):
            job_ids.add(add(database, account))
            wait_for(lambda count=count: sum(len(host.begun) for host in found) == count)  # type: ignore[misc]
        assert [len(host.begun) for host in found] == [1, 1, 1]
        assert {each for host in found for each in host.begun} == job_ids
        # All are full: the fourth begins as soon as any is not.
        fourth = add(database, account)
        found[1].finish.set()
        wait_for(lambda: fourth in found[1].begun)


def test_due_jobs_and_those_of_dead_workers_wake_others(database: Database, blobs: Blobs, account: Account) -> None:
    dead = add(database, account)
    assert Jobs(database).claim("dead", ["count"], timedelta(seconds=0.1)) is not None
    later = add(database, account, due_at=now() + timedelta(hours=1))
    with hosts(database, blobs, 2) as found:
        wait_for(lambda: any(dead in host.begun for host in found))
        with database.write() as connection:
            connection.execute(update(job_table).where(job_table.c.id == later).values(due_at=now()))
        wait_for(lambda: any(later in host.begun for host in found))


def test_a_list_whose_job_runs_wakes_nobody_in_vain(database: Database, account: Account) -> None:
    first = add(database, account)
    second = add(database, account)
    forget(database)
    assert Jobs(database).claim("one", ["count"], timedelta(seconds=30)) is not None
    assert wakeups.wake_for_due(database) == 1
    assert waiting(database) == [f"job-{second}"]
    assert wakeups.wake_for_due(database) == 0, f"the one wake-up waits still, and {first} runs"


def test_a_queue_that_is_gone_holds_up_no_job(database: Database, blobs: Blobs, account: Account) -> None:
    with database.write() as connection:
        connection.execute(text("DROP SCHEMA procrastinate CASCADE"))
    job_id = add(database, account)
    with ExitStack() as stack:
        host = Host(database, blobs, 0.2)
        thread = threading.Thread(target=host.worker.run)
        thread.start()
        stack.callback(thread.join)
        stack.enter_context(wakeups.waking(database, host.worker))
        stack.callback(host.worker.stop)
        stack.callback(host.finish.set)
        wait_for(lambda: host.begun == [job_id])


def test_workers_are_woken_again_after_their_connections_were_ended(
    database: Database, blobs: Blobs, account: Account, postgresql_server: str
) -> None:
    with hosts(database, blobs, 1) as [host]:
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(postgresql_server, autocommit=True) as connection:
            connection.execute(query, [database.url.database])
        job_id = add(database, account)
        wait_for(lambda: host.begun == [job_id])


def test_sqlite_imports_nothing_of_it() -> None:
    program = (
        "import sys, soapstone.commands.servers, soapstone.server, soapstone.runners, soapstone.jobs.queue\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('procrastinate', 'psycopg', 'croniter')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
