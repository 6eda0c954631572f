"""A supervised worker starts beside the preparation of the records, and touches nothing before they are ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from soapstone import early_worker
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


def test_the_first_one_loads_its_modules_before_its_arguments_are_known(tmp_path: Path) -> None:
    lock = tmp_path / "data/worker.lock"
    early_worker.begin(["--port", "0"])
    (begun,) = early_worker._waiting
    supervisor = Supervisor(["--data", str(lock.parent)], {"SOAPSTONE_LOG_FORMAT": "json"})
    supervisor.start()
    try:
        supervisor.tell_ready()
        until(lock.exists)
        assert supervisor._process is begun
        assert early_worker._waiting == []
        # The next one is started as usual.
        lock.unlink()
        os.kill(begun.pid, signal.SIGKILL)
        until(lock.exists)
        assert supervisor._process is not begun
    finally:
        supervisor.stop()


@pytest.mark.parametrize("option", ["--test", "--test-on-any-address", "--seed=x", "--shadow=http://x", "--help", "-h"])
def test_no_worker_is_started_early_where_none_is_needed(option: str) -> None:
    early_worker.begin(["--port", "0", option])
    assert early_worker._waiting == []


def test_an_early_one_that_is_not_needed_ends() -> None:
    early_worker.begin([])
    (begun,) = early_worker._waiting
    early_worker.end_unused()
    assert begun.returncode == -signal.SIGKILL
    # Also when the server cannot end it any more; it has loaded what jobs need, and says nothing.
    command = [sys.executable, "-X", "importtime", "-m", "soapstone", early_worker.COMMAND]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"soapstone.runners" in done.stderr
    assert all(line.startswith(b"import time:") for line in done.stderr.splitlines())
