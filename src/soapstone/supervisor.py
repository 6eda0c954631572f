"""The supervisor: keeps a process beside this one, such as the worker."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from soapstone import early_worker

log = logging.getLogger(__name__)

# A process that exits by itself within these seconds is restarted with a delay; a killed one is restarted at once.
SHORT_LIFE = 2.0
LONGEST_PAUSE = 10.0
# A process that exits by itself this many times within these seconds counts as failing.
MOST_ENDS = 3
ENDS_SECONDS = 120.0


class Supervisor:
    """Runs `soapstone COMMAND` with these arguments and restarts it whenever it ends, until `stop`.

    The process's standard input is the other end of a pipe: however this process dies, that one reads its end and stops
    too. A byte in it says that the records are ready: a worker starts beside their preparation, and then waits for it.
    The process inherits the open files of these numbers.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        command: str = "worker",
        name: str = "worker",
        inherited: Sequence[int] = (),
    ) -> None:
        self._name = name
        self._command = [sys.executable, "-m", "soapstone", command, "--supervised", *arguments]
        self._changes = environment
        self._environment = {**os.environ, **environment}
        self._inherited = inherited
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._records_are_ready = False
        # Times at which the last processes ended, on the monotonic clock.
        self._ends: deque[float] = deque(maxlen=MOST_ENDS)
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name=f"supervisor of a {self._name}")

    def start(self) -> None:
        """Start the process and watch it."""
        self._thread.start()

    def tell_ready(self) -> None:
        """Tell the process, and those that take its place, that the records are ready."""
        with self._lock:
            self._records_are_ready = True
            self._write_ready()

    @property
    def fails(self) -> bool:
        """Whether the process has ended repeatedly of late."""
        ends = list(self._ends)
        return len(ends) == MOST_ENDS and time.monotonic() - ends[0] < ENDS_SECONDS

    def ask(self) -> None:
        """Ask the process to end, and start no other one."""
        self._stop.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)

    def stop(self, timeout: float = 30.0) -> None:
        """Let the process finish what it does, then end it; kill it after `timeout` seconds."""
        self.ask()
        process = self._process
        if process is not None and process.poll() is None:
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                log.warning("the %s did not end in time and is killed; its jobs go on at the next start", self._name)
                process.kill()
        self._thread.join()

    def _watch(self) -> None:
        pause = 0.1
        while not self._stop.is_set():
            began = time.monotonic()
            with self._lock:
                self._process = self._begun()
                self._write_ready()
            if self._stop.is_set():
                self._process.send_signal(signal.SIGTERM)
            code = self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._stop.is_set():
                return
            killed, short = code < 0, time.monotonic() - began < SHORT_LIFE
            pause = min(pause * 2, LONGEST_PAUSE) if short and not killed else 0.1
            self._ends.append(time.monotonic())
            log.warning("the %s ended with code %d; starting another in %.1f s", self._name, code, pause)
            if self.fails:
                log.error(
                    "THE %s ENDS AGAIN AND AGAIN, %d times within %.0f s: see the lines above",
                    self._name.upper(),
                    MOST_ENDS,
                    ENDS_SECONDS,
                )
            self._stop.wait(pause)

    def _begun(self) -> subprocess.Popen[bytes]:
        if not self._inherited:
            early = early_worker.take(self._command[3:], self._changes)
            if early is not None:
                return early
        # The command is our own interpreter with our own arguments.
        return subprocess.Popen(  # noqa: S603
            self._command, env=self._environment, stdin=subprocess.PIPE, pass_fds=self._inherited, bufsize=0
        )

    def _write_ready(self) -> None:
        if self._records_are_ready and self._process is not None and self._process.stdin is not None:
            # It may have ended: the next one is told.
            with suppress(OSError, ValueError):
                self._process.stdin.write(b".")
