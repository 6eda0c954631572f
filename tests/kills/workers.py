"""A worker as a process of its own, which is killed, and what must end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

# The interpreter's arguments that start a worker.
WORKER = ("-m", "soapstone", "worker")
# Seconds after which nothing may be left of a killed worker.
ORPHAN_SECONDS = 5.0


class WorkerProcess:
    """`soapstone worker` on a data folder, or a `program` that is one in its own way."""

    def __init__(
        self,
        data: Path,
        database_url: str,
        log: Path,
        *,
        program: Sequence[str] = WORKER,
        jobs_at_once: int = 3,
        supervised: bool = False,
    ) -> None:
        arguments = ["--data", str(data), "--workers", str(jobs_at_once), *(["--supervised"] if supervised else [])]
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                env={**os.environ, "SOAPSTONE_DATABASE_URL": database_url},
                stdin=subprocess.PIPE,
                stderr=file,
            )
        if supervised and self.process.stdin is not None:
            # As its parent does once the records are ready.
            self.process.stdin.write(b".")
            self.process.stdin.flush()

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def freeze(self) -> None:
        """Stop it where it stands; whatever it holds, it goes on holding."""
        stop_threads(self.process)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> list[int]:
        """Kill a frozen worker; the processes that it had started, and that did not end within the time."""
        below = descendants(self.pid)
        self.process.kill()
        self._wait()
        end = time.monotonic() + ORPHAN_SECONDS
        while (left := [pid for pid in below if living(pid)]) and time.monotonic() < end:
            time.sleep(0.01)
        return left

    def stop(self) -> None:
        """End it in order, frozen or not."""
        self.process.terminate()
        self.thaw()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self._wait()

    def _wait(self) -> None:
        self.process.wait(10)
        assert self.process.stdin is not None
        self.process.stdin.close()


class Workers:
    """One worker after another for one database. On SQLite the next one stands by, and waits for the lock."""

    def __init__(self, data: Path, database_url: str, *, standby: bool, program: Sequence[str] = WORKER) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        self._url = database_url
        self._standby = standby
        self._program = program
        self._spare: WorkerProcess | None = None
        self._started: list[WorkerProcess] = []
        self.now = self._new()

    def next(self) -> None:
        """The worker is dead: the next one takes its place."""
        spare, self._spare = self._spare, None
        # A spare gives up when it waited for a minute.
        if spare is not None and not spare.alive():
            spare.stop()
            spare = None
        self.now = spare or self._new()

    def prepare(self) -> None:
        """Have the next one ready."""
        if self._standby and self._spare is None:
            self._spare = self._new()

    def replace(self, program: Sequence[str]) -> None:
        """End the worker in order and start one with another program."""
        self.now.stop()
        self._program = program
        self.now = self._new()

    def stop(self) -> None:
        """End all that were started, those too that a test left frozen."""
        for worker in reversed(self._started):
            worker.stop()

    def _new(self) -> WorkerProcess:
        worker = WorkerProcess(self.data, self._url, self.log, program=self._program, supervised=self._standby)
        self._started.append(worker)
        return worker


def stop_threads(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and return when all its threads stand: until its first thread has taken the signal, which lasts
    on a busy machine, the others go on."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)


def descendants(pid: int) -> list[int]:
    """All processes below this one."""
    children: dict[int, list[int]] = {}
    for line in _ps("-A", "-o", "pid=,ppid="):
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def living(pid: int) -> bool:
    """Whether the process runs; one that is dead and waits to be buried does not."""
    return any(not line.strip().startswith("Z") for line in _ps("-o", "stat=", "-p", str(pid)))


def _ps(*arguments: str) -> list[str]:
    # It ends with 1 when there is no such process.
    done = subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if line.strip()]
