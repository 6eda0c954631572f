"""A place for a worker to be killed in: its records, opened beside it, and the set of imports."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import select, text
from tests.kills.workers import WORKER, Workers

from soapstone.jobs.job import Job
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import jobs

PATIENCE = 300.0
_WRITERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"


class Site:
    """A data folder with a database of its own (`database_url` empty: SQLite in the folder) and its workers."""

    def __init__(
        self, data: Path, database_url: str = "", *, standby: bool = False, program: Sequence[str] = WORKER
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        settings = Settings(data_dir=data, database_url=database_url)
        database = Database(settings.database)
        schema.upgrade(database)
        self.product = Product.open(settings, database)
        self.kind = database.kind
        self.workers = Workers(data, database_url, standby=standby and self.kind == "sqlite", program=program)

    def open_jobs(self) -> list[Job]:
        """Jobs that are not over, by number."""
        query = select(jobs).where(jobs.c.finished_at.is_(None)).order_by(jobs.c.id)
        with self.product.database.read() as connection:
            return [Job.of(row) for row in connection.execute(query).mappings()]

    def rows_done(self, job_ids: list[int]) -> int:
        """Rows of these imports that have their outcome."""
        query = select(jobs.c.counters).where(jobs.c.id.in_(job_ids))
        with self.product.database.read() as connection:
            return sum(sum(counters.values()) for counters in connection.execute(query).scalars())

    def writing(self) -> bool:
        """Whether somebody is within a transaction that writes; asked while the worker is frozen."""
        path = self.product.database.path
        if path is None:
            with self.product.database.read() as connection:
                return bool(connection.execute(text(_WRITERS)).scalar_one())
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
            return False

    def wait(self) -> None:
        """Until no job is left."""
        end = time.monotonic() + PATIENCE
        while found := self.open_jobs():
            assert time.monotonic() < end, f"jobs do not end: {found}\n{self.log()}"
            assert self.workers.now.alive(), f"the worker ended by itself\n{self.log()}"
            time.sleep(0.02)

    def await_log(self, *words: str) -> str:
        """Wait until the workers have said one of these; the one they said."""
        end = time.monotonic() + PATIENCE
        while not (found := [word for word in words if word in self.log()]):
            assert time.monotonic() < end, f"no worker says {words}: {self.open_jobs()}\n{self.log()}"
            assert self.workers.now.alive(), f"the worker ended by itself\n{self.log()}"
            time.sleep(0.05)
        return found[0]

    def await_rows(self, job_ids: list[int], rows: int = 1) -> None:
        """Wait until the imports have done so many rows."""
        end = time.monotonic() + PATIENCE
        while self.rows_done(job_ids) < rows:
            assert time.monotonic() < end, f"no rows are done: {self.open_jobs()}\n{self.log()}"
            time.sleep(0.005)

    def log(self) -> str:
        """What the workers wrote."""
        return self.workers.log.read_text(errors="replace")

    def close(self) -> None:
        self.workers.stop()
        self.product.database.close()


@contextmanager
def opened_site(
    data: Path, database_url: str = "", *, standby: bool = False, program: Sequence[str] = WORKER
) -> Iterator[Site]:
    """A site whose workers end with the block."""
    site = Site(data, database_url, standby=standby, program=program)
    try:
        yield site
    finally:
        site.close()
