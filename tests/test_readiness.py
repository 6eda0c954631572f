"""`/readyz`: 503 while the server cannot do its work, with what is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore
from sqlalchemy import update
from tests.conftest import Served

from soapstone.clock import now
from soapstone.jobs.heartbeats import LIVES, Heartbeats
from soapstone.product import Product
from soapstone.readiness import Readiness
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store.bucket import Bucket
from soapstone.store.database import POOL_SIZE, POOL_TIMEOUT, Database
from soapstone.store.tables import workers

NO_WORKER = "No worker has sent a heartbeat in the last 60 seconds: start one with soapstone serve or soapstone worker."


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    return Product.open(Settings(data_dir=tmp_path), database)


def ready(product: Product) -> tuple[int, Any]:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Application(product))
        async with httpx.AsyncClient(transport=transport, base_url="http://server.example") as client:
            return await client.get("/readyz")

    answer = asyncio.run(ask())
    content = answer.json()
    # They have a test of their own, and are left out where the database cannot be asked.
    assert ("figures" in content) == ("database" not in content["missing"])
    return answer.status_code, {name: value for name, value in content.items() if name != "figures"}


def test_no_worker_lives(product: Product) -> None:
    assert ready(product) == (503, {"ready": False, "missing": {"worker": NO_WORKER}})
    heartbeats = Heartbeats(product.database)
    heartbeats.begin("one")
    assert ready(product) == (200, {"ready": True, "missing": {}})
    with product.database.write() as connection:
        connection.execute(update(workers).values(beat_at=heartbeats.all()[0].at - LIVES))
    assert ready(product) == (503, {"ready": False, "missing": {"worker": NO_WORKER}})
    # Any other will do, on whatever machine.
    heartbeats.beat("two")
    assert ready(product)[0] == 200
    heartbeats.end("two")
    assert ready(product)[0] == 503


def test_figures_tell_of_workers_queue_and_connections(product: Product) -> None:
    heartbeats = Heartbeats(product.database)
    for worker in ("one", "two"):
        heartbeats.begin(worker) if worker == "one" else heartbeats.beat(worker)
    account = product.accounts.create("ACME", time_zone="UTC")
    readiness = Readiness(product)
    assert readiness.figures()["queue_seconds"] == 0
    with product.database.write(durable=True) as connection:
        for due in (timedelta(minutes=-2), timedelta(hours=1)):
            product.jobs.add(connection, account_id=account.id, kind="import", due_at=now() + due)
    figures = readiness.figures()
    assert 120 <= figures["queue_seconds"] < 150
    assert [0 <= seconds < 30 for seconds in figures["heartbeat_seconds"]] == [True, True]
    assert figures["connections"].keys() == {"in_use", "idle"}
    with product.database.read():
        assert readiness.figures()["connections"]["in_use"] == 1


def test_a_pool_without_a_free_connection_is_not_ready_at_once(product: Product) -> None:
    Heartbeats(product.database).begin("one")
    readiness = Readiness(product)
    with ExitStack() as stack:
        for _ in range(2 * POOL_SIZE):
            stack.enter_context(product.database.connect())
        began = time.monotonic()
        assert readiness.missing().keys() == {"database"}
        assert time.monotonic() - began < POOL_TIMEOUT / 2
    assert readiness.missing() == {}


def test_the_data_folder_is_gone(product: Product) -> None:
    Heartbeats(product.database).begin("one")
    shutil.rmtree(product.settings.blobs)
    missing = {"folder": "No file can be stored in the data folder."}
    assert ready(product) == (503, {"ready": False, "missing": missing})


def test_the_bucket_is_away_or_hangs(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    Heartbeats(product.database).begin("one")
    product.bucket = Bucket(MemoryStore())
    ends: list[str] = []
    product.bucket.on_request = ends.append
    assert ready(product) == (200, {"ready": True, "missing": {}})
    refused = {"ready": False, "missing": {"bucket": "No file can be stored in the bucket."}}
    calm = threading.Event()

    def put(*given: object, **named: object) -> None:
        if not calm.wait(0 if calls else 20):
            raise GenericError("a bucket that is away")

    calls: list[int] = []
    monkeypatch.setattr(obstore, "put", put)
    # One check hangs, and no further one begins.
    readiness = Readiness(product)
    for _ in range(2):
        assert readiness.missing() == refused["missing"]
    assert ends == ["answered"]
    calm.set()
    deadline = time.monotonic() + 20
    while readiness.missing():
        assert time.monotonic() < deadline
    calm.clear()
    calls.append(1)
    assert ready(product) == (503, refused)


def test_all_that_is_missing_is_named(product: Product) -> None:
    shutil.rmtree(product.settings.blobs)
    assert ready(product)[1]["missing"].keys() == {"folder", "worker"}
    with product.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    # Who lives stands in the database.
    assert ready(product)[1]["missing"].keys() == {"database", "folder"}


@pytest.fixture(scope="module")
def served(served_process: Served) -> Served:
    return served_process


def wait_for(served: Any, status: int, words: str = "") -> httpx.Response:
    end = time.monotonic() + 90
    while True:
        answer = httpx.get(f"{served.base}/readyz")
        if answer.status_code == status and words in answer.text:
            return answer
        assert time.monotonic() < end, (answer.text, served.log())
        time.sleep(0.1)


def test_a_worker_that_dies_again_and_again(served: Any) -> None:
    for _ in range(3):
        before = served.log().count("the worker ended with code")
        end = time.monotonic() + 60
        while served.log().count("the worker ended with code") == before:
            assert time.monotonic() < end
            try:
                os.kill(served.worker(), signal.SIGKILL)
            except (StopIteration, ProcessLookupError):
                time.sleep(0.05)
            time.sleep(0.1)
    answer = wait_for(served, 503, "again and again")
    assert answer.json()["missing"] == {"worker": "The worker ends again and again: jobs do not get on."}
    assert "THE WORKER ENDS AGAIN AND AGAIN, 3 times within 120 s" in served.log()
    assert httpx.get(f"{served.base}/healthz").status_code == 200


def test_a_web_process_without_a_worker(tmp_path: Path) -> None:
    """It answers calls, and says that nothing works off their jobs, until a worker comes."""
    data = str(tmp_path / "data")
    command = [sys.executable, "-m", "soapstone"]
    with (tmp_path / "log").open("wb") as log:
        web = subprocess.Popen([*command, "web", "--port", "0", "--data", data], stdout=subprocess.PIPE, stderr=log)
        worker = None
        try:
            assert web.stdout is not None
            base = next(line for line in web.stdout if b"serves on" in line).split()[-1].decode()
            end = time.monotonic() + 60
            while True:
                try:
                    answer = httpx.get(f"{base}/readyz")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < end
            assert (answer.status_code, answer.json()["missing"]) == (503, {"worker": NO_WORKER})
            assert httpx.get(f"{base}/healthz").status_code == 200
            worker = subprocess.Popen([*command, "worker", "--data", data], stderr=log)
            while httpx.get(f"{base}/readyz").status_code != 200:
                assert time.monotonic() < end + 60, (tmp_path / "log").read_text()
                time.sleep(0.1)
            worker.terminate()
            assert worker.wait(60) == 0
            # It said good-bye.
            assert httpx.get(f"{base}/readyz").status_code == 503
        finally:
            for process in (web, worker):
                if process is not None:
                    process.kill()
                    process.wait()
            assert web.stdout is not None
            web.stdout.close()
