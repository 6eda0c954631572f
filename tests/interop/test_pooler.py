"""Behind pgbouncer: session mode is like no pooler, transaction mode is refused with a sentence."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from tests.conftest import Served
from tests.postgresql import Databases

from soapstone.store.database import Database
from soapstone.store.postgresql import TRANSACTION_POOLING

pytestmark = [pytest.mark.interop, pytest.mark.postgresql]

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
CONFIGURATION = """
[databases]
* = host={host} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
max_client_conn = 500
default_pool_size = 100
"""

Pooled = Callable[[str], str]


@pytest.fixture
def pooled(postgresql_databases: Databases, tmp_path: Path) -> Iterator[Pooled]:
    """Starts pgbouncer in a mode; gives the URL of a fresh database through it."""
    running: list[subprocess.Popen[bytes]] = []
    with postgresql_databases.fresh() as url:
        parsed = make_url(url)

        def start(mode: str) -> str:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            settings = {"host": parsed.query["host"], "user": parsed.username, "port": port, "mode": mode}
            file = Path(tmp_path / "pgbouncer.ini")
            file.write_text(CONFIGURATION.format(**settings))
            command = [PROGRAM, "/dev/stdin"]
            # It refuses to run as root, as the server does, whose user reaches its socket.
            owner = Path(str(settings["host"])).stat()
            user = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
            with file.open("rb") as given, (tmp_path / "pgbouncer.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdin=given, stdout=log, stderr=log, cwd="/", **user))  # type: ignore[call-overload]
            through = f"postgresql://{parsed.username}@127.0.0.1:{port}/{parsed.database}"
            wait_for(lambda: answers(through), (tmp_path / "pgbouncer.log").read_text)
            return through

        try:
            yield start
        finally:
            for each in running:
                each.terminate()
                each.wait(30)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def wait_for(holds: Callable[[], bool], trouble: Callable[[], str]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, trouble()
        time.sleep(0.05)


def test_session_mode_is_like_no_pooler(pooled: Pooled, tmp_path: Path) -> None:
    """Imports, sends and wake-ups work, and web processes know of changes."""
    url = pooled("session")
    served = Served(tmp_path / "data", database_url=url, options=("--web-workers", "2"))
    try:
        with closing(Database(url)) as database:
            # Of each web process, by what its session did last.
            reading = "datname = current_database() AND query LIKE 'SELECT change_state%%'"
            with database.connect() as connection:
                query = f"SELECT count(*) FROM pg_stat_activity WHERE {reading}"
                wait_for(lambda: connection.exec_driver_sql(query).scalar_one() == 2, served.log)
                states = connection.exec_driver_sql("SELECT DISTINCT state FROM job").scalars().all()
        assert states == ["completed"]
        assert "changes are not known" not in served.log()
        assert "[error]" not in served.log()
    finally:
        served.stop()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("command", ["db upgrade", "serve --port 0", "web --port 0", "worker"])
def test_transaction_mode_is_refused(pooled: Pooled, tmp_path: Path, mode: str, command: str) -> None:
    given = [sys.executable, "-m", "soapstone", *command.split(), "--data", str(tmp_path / "data")]
    environment = os.environ | {"SOAPSTONE_DATABASE_URL": pooled(mode)}
    (tmp_path / "data").mkdir()
    done = subprocess.run(given, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert TRANSACTION_POOLING in done.stderr if mode == "transaction" else "pool" in done.stderr
    assert "Traceback" not in done.stderr
