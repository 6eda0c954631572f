"""A whole server inside this process: it serves, does its jobs, ends, and does not meet others."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import pytest

from soapstone.jobs.lock import WorkerLock
from soapstone.listening import PortTaken
from soapstone.local_server import local_server
from soapstone.settings import Settings


def test_it_is_ready_and_does_its_jobs(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with local_server(Settings(data_dir=tmp_path / "data"), demo=True) as server:
        answer = httpx.get(f"{server.base}/readyz").json()
        assert (answer["ready"], answer["missing"]) == (True, {})
        end = time.monotonic() + 60
        while not all(job.over for job in server.product.jobs.find()):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert {job.state for job in server.product.jobs.find()} == {"completed"}
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left.isdisjoint({"web", "worker", "lease"})
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.base}/healthz")


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    with (
        local_server(Settings(data_dir=tmp_path / "one"), demo=True) as one,
        local_server(Settings(data_dir=tmp_path / "two")) as two,
    ):
        assert one.base != two.base
        basic = ("demo", "demo")
        assert httpx.get(f"{one.base}/api/v1/lists", auth=basic).json()["items"][0]["name"] == "Newsletter"
        assert httpx.get(f"{two.base}/api/v1/lists", auth=basic).status_code == 401


def test_what_hinders_a_start(tmp_path: Path) -> None:
    """Nothing of the attempt stays: the next one works."""
    settings = Settings(data_dir=tmp_path / "data")
    with local_server(settings) as running:
        with pytest.raises(RuntimeError, match="Another worker"), local_server(settings):
            pass
        port = int(running.base.rpartition(":")[2])
        with pytest.raises(PortTaken), local_server(Settings(data_dir=tmp_path / "other"), port=port):
            pass
    with local_server(settings):
        assert WorkerLock(settings.worker_lock).held()
    assert not WorkerLock(settings.worker_lock).held()
