"""A supervised worker starts beside the preparation of the records, and touches nothing before they are ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from soapstone.supervisor import Supervisor

PATIENCE = 60.0
WORKER = ["-m", "soapstone", "worker", "--supervised", "--data"]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_touches_nothing_before_the_records_are_ready(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-X", "importtime", *WORKER, str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as worker:
        assert worker.stdin is not None
        assert worker.stderr is not None
        # Its last modules but those that jobs need.
        assert any(line.rstrip().endswith(b"soapstone.runners") for line in worker.stderr)
        assert not data.exists()
        worker.stdin.write(b".")
        until((data / "worker.lock").exists)
        worker.stdin.close()
        worker.stderr.read()
    assert worker.returncode == 0


def test_the_one_that_takes_its_place_is_told_as_well(tmp_path: Path) -> None:
    lock = tmp_path / "data/worker.lock"
    supervisor = Supervisor(["--data", str(lock.parent)], {})
    supervisor.start()
    try:
        supervisor.tell_ready()
        until(lock.exists)
        first = supervisor._process
        assert first is not None
        lock.unlink()
        os.kill(first.pid, signal.SIGKILL)
        until(lock.exists)
        assert supervisor._process is not first
    finally:
        supervisor.stop()


def test_without_records_it_ends_with_its_parent(tmp_path: Path) -> None:
    """As when a setting is wrong: the parent says so, and the worker says nothing."""
    command = [sys.executable, *WORKER, str(tmp_path / "data")]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not (tmp_path / "data").exists()
