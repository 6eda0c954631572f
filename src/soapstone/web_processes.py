"""Several web processes on one port: they accept from one listening socket, which outlives each of them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from soapstone.supervisor import Supervisor

# Seconds between two looks at the worker.
PAUSE = 1.0


@dataclass(frozen=True)
class WebProcess:
    """One of the processes, by its number from 1. `folder` is shared by all of them, and lasts as long as they do."""

    number: int
    folder: Path

    @property
    def name(self) -> str:
        """The name in logs and metrics."""
        return f"web-{self.number}"

    @property
    def fails(self) -> bool:
        """Whether the server's own worker has ended repeatedly of late."""
        return _failing(self.folder).exists()


class WebProcesses:
    """Keeps `count` web processes that serve from `listener`, and tells them how the `worker` is.

    `arguments` and `environment` are those of `soapstone web`.
    """

    def __init__(
        self,
        count: int,
        listener: socket.socket,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        worker: Supervisor | None,
    ) -> None:
        self._count = count
        self._listener = listener
        self._arguments = arguments
        self._environment = environment
        self._worker = worker

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal ends it; call `ready` once all processes serve."""
        ended = threading.Event()
        before = signal.signal(signal.SIGTERM, lambda *_: ended.set())
        told, telling = os.pipe()
        try:
            with tempfile.TemporaryDirectory(prefix="soapstone-") as folder:
                supervisors = [self._supervisor(number, Path(folder), telling) for number in range(1, self._count + 1)]
                try:
                    for each in supervisors:
                        each.start()
                    waiting = threading.Thread(target=_await, args=(told, self._count, ready), daemon=True)
                    waiting.start()
                    while not ended.wait(PAUSE):
                        self._tell_of_worker(Path(folder))
                finally:
                    # All at once: each gives its calls some seconds.
                    for each in supervisors:
                        each.ask()
                    for each in supervisors:
                        each.stop()
        finally:
            os.close(telling)
            signal.signal(signal.SIGTERM, before)

    def _supervisor(self, number: int, folder: Path, telling: int) -> Supervisor:
        listener = self._listener.fileno()
        arguments = [*self._arguments, "--process", f"{number}:{listener}:{telling}:{folder}"]
        # The library for metrics reads its folder from this variable.
        environment = {**self._environment, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        inherited = (listener, telling)
        return Supervisor(arguments, environment, command="web", name=f"web process {number}", inherited=inherited)

    def _tell_of_worker(self, folder: Path) -> None:
        if self._worker is not None and self._worker.fails:
            _failing(folder).touch()
        else:
            _failing(folder).unlink(missing_ok=True)


def _await(told: int, count: int, ready: Callable[[], None]) -> None:
    """Call `ready` when that many processes have written a byte each; do nothing if they end before."""
    with os.fdopen(told, "rb", buffering=0) as pipe:
        while count > 0 and (read := pipe.read(count)):
            count -= len(read)
        if count == 0:
            ready()
            # A process that takes the place of another one writes again.
            while pipe.read(64):
                pass


def end_with_parent() -> None:
    """End this process by a signal when its parent ends, however it does: standard input is a pipe from there."""

    def watch() -> None:
        # Without Python's buffer, whose lock a waiting thread would hold when the interpreter ends.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _failing(folder: Path) -> Path:
    return folder / "worker-fails"
