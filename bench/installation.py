"""An installation in a folder of its own, with a real `soapstone worker` for its jobs. Shared by the benches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crowd

from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database

ACCOUNT, LIST = "BENCH", "People"
# Seconds between two looks at a job, and at the memory of its worker.
PACE, MEMORY_PACE = 0.1, 0.02
# Seconds that a worker may take to end.
PATIENCE = 60.0
BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job that was completed.

    `seconds`: from the worker's taking it on to its end. `memory`: the most that the worker and the processes it
    started held together, in bytes; what they share counts for each. 0 unless it was asked for.
    """

    job: Job
    seconds: float
    memory: int


class Installation:
    """An account with one list, on SQLite in the folder or on the database of a URL; made unless it is there.

    `settings` are environment variables of its workers, which have the core for themselves if one is given.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str = "",
        *,
        settings: Mapping[str, str] | None = None,
        core: int | None = None,
    ) -> None:
        self.folder = folder
        self._environment = dict(settings or {})
        self._core = core
        self._settings = Settings(data_dir=folder, database_url=database_url)
        folder.mkdir(parents=True, exist_ok=True)
        self.database = Database(self._settings.database)
        schema.upgrade(self.database)
        self.product = Product.open(self._settings, self.database)
        account = self.product.accounts.named(ACCOUNT)
        if account is None:
            account = self.product.accounts.create(ACCOUNT, time_zone="UTC")
            self.product.lists.create(account.id, LIST)
        self.account = account
        self.list = self.product.lists.all(account.id)[0]

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def submit(self, file: Path, *, to: ContactList | None = None, **more: Any) -> int:
        """Queue the import of a file of `crowd` into its list; `more` for its ImportSpec. The number of the job."""
        upload = self.product.blobs.new()
        with file.open("rb") as source:
            while block := source.read(BLOCK):
                upload.write(block)
        columns = tuple(Column(index=index, target=target) for index, target in enumerate(crowd.TARGETS))
        spec = ImportSpec(columns=columns, header=True, known="overwrite", reject_roles=True, **more)
        job = self.product.imports.submit(
            account=self.account, login=None, contact_list=to or self.list, upload=upload, spec=spec, label=file.name
        )
        return job.id

    def run(self, file: Path, *, measure_memory: bool = False) -> Done:
        """Import a file: see `finish`."""
        return self.finish(self.submit(file), measure_memory=measure_memory)

    def finish(self, number: int, *, measure_memory: bool = False) -> Done:
        """A worker is started, does the job and is stopped. Ends the program unless it is completed."""
        # What others have written shall not be on its way to the disk meanwhile.
        os.sync()
        with self._worker() as process:
            memory = Memory(process.pid) if measure_memory else None
            while not (job := self._job(number)).over:
                if process.poll() is not None:
                    raise SystemExit(f"the worker ended:\n{self._log.read_text()}")
                time.sleep(PACE)
            most = memory.stop() if memory else 0
        if job.state != "completed" or job.started_at is None or job.finished_at is None:
            raise SystemExit(f"the job is {job.state}: {job.error}\n{self._log.read_text()}")
        if job.attempt != 1:
            raise SystemExit(f"the job took {job.attempt} attempts:\n{self._log.read_text()}")
        return Done(job=job, seconds=(job.finished_at - job.started_at).total_seconds(), memory=most)

    @contextmanager
    def workers(self, count: int) -> Iterator[None]:
        """Have so many workers, of one job at a time each, run in the block."""
        os.sync()
        with ExitStack() as running:
            for _ in range(count):
                running.enter_context(self._worker("--workers", "1"))
            yield

    def wait(self, *numbers: int) -> None:
        """Wait for the end of jobs. Ends the program unless they are completed at the first attempt."""
        while not all(self._job(number).over for number in numbers):
            time.sleep(PACE)
        if any((job := self._job(number)).state != "completed" or job.attempt != 1 for number in numbers):
            raise SystemExit(f"not all jobs were completed at once:\n{self._log.read_text()}")

    @property
    def _log(self) -> Path:
        return self.folder / "worker.log"

    def _job(self, number: int) -> Job:
        job = self.product.jobs.get(None, number)
        assert job is not None
        return job

    @contextmanager
    def _worker(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "soapstone", "worker", "--data", str(self.folder), *options]
        environment = {**os.environ, "SOAPSTONE_DATABASE_URL": self._settings.database_url, **self._environment}
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if self._core is not None:
            os.sched_setaffinity(process.pid, {self._core})
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Memory:
    """Watches what a process and its descendants hold in memory together, until `stop` tells the most."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The most so far, in bytes."""
        self._over.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._over.wait(MEMORY_PACE):
            self._most = max(self._most, _memory(self._process))


def _memory(process: int) -> int:
    """Bytes that a process and its descendants hold; 0 for one that is gone."""
    folder = Path(f"/proc/{process}")
    if not folder.parent.exists():
        return _memory_by_ps(process)
    try:
        held = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        lists = [found.read_text() for found in folder.glob("task/*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return held + sum(_memory(int(number)) for text in lists for number in text.split())


def _memory_by_ps(process: int) -> int:
    """The same where the system has no /proc."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    held, children = {}, {}
    for line in listed.splitlines():
        number, parent, size = map(int, line.split())
        held[number] = size * 1024
        children.setdefault(parent, []).append(number)
    waiting, total = [process], 0
    while waiting:
        number = waiting.pop()
        total += held.get(number, 0)
        waiting += children.get(number, [])
    return total
