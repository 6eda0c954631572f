"""The supervisor: keeps one worker process beside the web process."""

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

log = logging.getLogger(__name__)

# A worker that exits by itself within these seconds is restarted with a delay; a killed one is restarted at once.
SHORT_LIFE = 2.0
LONGEST_PAUSE = 10.0
# A worker that exits by itself this many times within these seconds counts as failing.
MOST_ENDS = 3
ENDS_SECONDS = 120.0


class Supervisor:
    """Runs `soapstone worker` with these arguments and restarts it whenever it ends, until `stop`.

    The worker's standard input is the other end of a pipe: however this process dies, the worker
    reads its end and stops too.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", "soapstone", "worker", "--supervised", *arguments]
        self._environment = {**os.environ, **environment}
        self._stop = threading.Event()
        # Times at which the last workers ended, on the monotonic clock.
        self._ends: deque[float] = deque(maxlen=MOST_ENDS)
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def start(self) -> None:
        """Start the worker and watch it."""
        self._thread.start()

    @property
    def fails(self) -> bool:
        """Whether the worker has ended repeatedly of late."""
        ends = list(self._ends)
        return len(ends) == MOST_ENDS and time.monotonic() - ends[0] < ENDS_SECONDS

    def stop(self, timeout: float = 30.0) -> None:
        """Let the worker finish its current chunks, then end it; kill it after `timeout` seconds."""
        self._stop.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                log.warning("the worker did not end in time and is killed; its jobs go on at the next start")
                process.kill()
        self._thread.join()

    def _watch(self) -> None:
        pause = 0.1
        while not self._stop.is_set():
            began = time.monotonic()
            # The command is our own interpreter with our own arguments.
            self._process = subprocess.Popen(self._command, env=self._environment, stdin=subprocess.PIPE)  # noqa: S603
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
            log.warning("the worker ended with code %d; starting another in %.1f s", code, pause)
            if self.fails:
                log.error(
                    "THE WORKER ENDS AGAIN AND AGAIN, %d times within %.0f s: jobs do not get on; see the lines above",
                    MOST_ENDS,
                    ENDS_SECONDS,
                )
            self._stop.wait(pause)
