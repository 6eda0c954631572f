"""Several web processes on one port: one may die under its clients, and all of them count, log and lock as one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Served
from tests.postgresql import Databases
from typer.testing import CliRunner

from soapstone.cli import app
from soapstone.web_processes import WebProcess

TOKEN = "a token for monitors, of many characters".replace(" ", "-")
LOCK = 6
POLL = """<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>
<WSUser xmlns="http://webservices.listrak.com/v31/"><UserName>demo</UserName><Password>{}</Password></WSUser></s:Header>
<s:Body><GetProcessStatus xmlns="http://webservices.listrak.com/v31/"><ProcessID>1</ProcessID></GetProcessStatus></s:Body>
</s:Envelope>"""
CLIENTS = 6


@pytest.fixture(params=["sqlite", "postgresql"])
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A demo server with two web processes."""
    if request.param == "sqlite":
        with two_processes(tmp_path / "data") as served:
            yield served
        return
    databases: Databases = request.getfixturevalue("postgresql_databases")
    with databases.fresh() as url, two_processes(tmp_path / "data", url) as served:
        yield served


@contextmanager
def two_processes(data: Path, url: str = "") -> Iterator[Served]:
    options = ("--web-workers", "2")
    served = Served(data, database_url=url, options=options, metrics_token=TOKEN, lock_failures=str(LOCK))
    try:
        yield served
    finally:
        served.stop()


def processes(served: Served) -> dict[str, int]:
    """The process ids of the web processes, by their numbers."""
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(rf"^ *(\d+) +{served.process.pid} .*--process (\d+):", listed, re.MULTILINE)
    return {number: int(pid) for pid, number in found}


def poll(served: Served, password: str = "demo") -> str:
    headers = {"Content-Type": "text/xml", "SOAPAction": '"http://webservices.listrak.com/v31/GetProcessStatus"'}
    url = f"{served.base}/v31/IntegrationService.asmx"
    # A connection of its own: it may reach any process.
    return httpx.post(url, content=POLL.format(password), headers=headers, timeout=60).text


def metrics(served: Served) -> dict[str, float]:
    page = httpx.get(f"{served.base}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60).text
    return {name: float(value) for name, value in re.findall(r"^([^#\s]+(?:\{.*\})?) (\S+)$", page, re.MULTILINE)}


def wait_for(reached: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 90
    while not reached():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def wait_for_more(results: Counter[str], count: int) -> None:
    """Wait until so many more polls are answered."""
    known = results["right"]
    wait_for(lambda: results["right"] > known + count, "polls are not answered")


def polls(known: dict[str, float]) -> float:
    return known.get('soapstone_call_seconds_count{contract="listrak",operation="GetProcessStatus"}', 0.0)


def test_one_is_killed_under_its_clients(serving: Served) -> None:
    """Only calls that it had accepted are lost; the others are answered, and a new process takes its place."""
    expected = poll(serving)
    assert "<GetProcessStatusResult>" in expected or "GetProcessStatusResponse" in expected
    before = processes(serving)
    assert before.keys() == {"1", "2"}
    results: Counter[str] = Counter()
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            try:
                results["right" if poll(serving) == expected else "wrong"] += 1
            except httpx.TransportError:
                results["lost"] += 1

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    try:
        for number in ("1", "2"):
            wait_for_more(results, 20)
            os.kill(processes(serving)[number], signal.SIGKILL)
            wait_for(lambda: processes(serving).keys() == {"1", "2"}, "no other process is started")
            wait_for_more(results, 20)
    finally:
        stopping.set()
        for each in clients:
            each.join()
    assert results["wrong"] == 0
    assert results["lost"] <= 2 * CLIENTS
    after = processes(serving)
    assert after["1"] != before["1"]
    assert after["2"] != before["2"]
    # What the killed ones had counted counts on, and each tells the sum.
    wait_for(lambda: len([name for name in metrics(serving) if name.startswith("process_start")]) == 2, "not counted")
    counted = {polls(metrics(serving)) for _ in range(10)}
    assert len(counted) == 1
    # A call is counted right behind its answer: each of the two may have died in between.
    assert counted.pop() >= results["right"] + 1 - 2
    assert httpx.get(f"{serving.base}/readyz", timeout=60).status_code == 200
    assert "the web process 1 ended with code -9" in serving.log()
    # A lock counts the failures of all processes (lk-13).
    told = [re.findall(r"\[(\w+)\]", poll(serving, "wrong"))[0] for _ in range(LOCK + 2)]
    left = told.count("InvalidLogonAttempt")
    # An attempt counts before its password is checked: each of the two may have died meanwhile.
    assert LOCK - 2 <= left <= LOCK
    assert told == ["InvalidLogonAttempt"] * left + ["LoginAttemptsExceeded"] * (len(told) - left)
    assert {"process=web-1", "process=web-2"} >= {*re.findall(r"process=\S+", serving.log())}
    # SIGTERM ends all of them, and their folder.
    folder = re.search(r"--process \d+:\d+:\d+:(\S+)", _arguments(serving))
    assert folder is not None
    assert Path(folder[1]).is_dir()
    serving.process.terminate()
    assert serving.process.wait(60) is not None
    wait_for(lambda: not any(_lives(pid) for pid in after.values()), "a process is left")
    assert not Path(folder[1]).exists()
    with pytest.raises(httpx.ConnectError):
        poll(serving)


def test_they_end_with_their_parent(tmp_path: Path) -> None:
    """However it dies."""
    served = Served(tmp_path / "data", options=("--web-workers", "2"))
    try:
        there = [*processes(served).values(), served.worker()]
        assert len(there) == 3
        served.process.kill()
        wait_for(lambda: not any(_lives(pid) for pid in there), "a process is left")
    finally:
        served.stop()


def test_they_know_that_the_worker_fails(tmp_path: Path) -> None:
    process = WebProcess(1, tmp_path)
    assert not process.fails
    (tmp_path / "worker-fails").touch()
    assert process.fails


@pytest.mark.parametrize("other", [["--test"], ["--shadow", "http://127.0.0.1:1/"]])
def test_what_has_one_process(other: list[str]) -> None:
    result = CliRunner().invoke(app, ["serve", "--web-workers", "2", *other])
    assert result.exit_code == 1
    assert "leave out --web-workers" in result.output


def _arguments(served: Served) -> str:
    command = ["ps", "-A", "-ww", "-o", "ppid=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in listed.splitlines() if line.split()[0] == str(served.process.pid))


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
