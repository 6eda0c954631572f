"""`soapstone db move`: an installation goes on in PostgreSQL as if nothing had happened."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from tests.api.conftest import Within
from tests.contracts.calls import ADDRESS, TABLES, Ground
from tests.postgresql import Databases
from tests.rights.test_routes import ROUTES
from tests.sending.smtp_trial import SmtpTrial
from typer.testing import CliRunner

from soapstone.api.app import rest
from soapstone.cli import app
from soapstone.clock import clock
from soapstone.commands.common import opened
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.settings import Settings
from soapstone.store.move import Move
from soapstone.store.tables import deliveries, jobs

PUBLIC = "https://mail.example.com"
BASE = "http://127.0.0.1/api/v1"


@pytest.fixture
def target(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.bare() as url:
        yield url


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


@contextmanager
def product_of(data: Path, url: str = "") -> Iterator[Product]:
    settings = Settings(data_dir=data, database_url=url, public_url=PUBLIC)
    with opened(settings, upgrade=True) as product:
        yield product


def seen_by(ground: Ground, product: Product) -> Ground:
    """The same two accounts on other records."""
    there = copy.copy(ground)
    there.product = product
    return there


def client_of(product: Product) -> httpx.Client:
    return httpx.Client(transport=Within(rest(product)), base_url=BASE, auth=("ann", "secret"))


def content(answer: httpx.Response) -> Any:
    """What an answer says; PostgreSQL keeps the members of a document in an order of its own."""
    if "json" in answer.headers["content-type"]:
        return answer.json()
    # One event, with a digest of the document's text in its id.
    return json.loads(answer.text.partition("data: ")[2]) if answer.text.startswith("id: ") else answer.content


def said(answer: Any) -> str:
    """An answer, without names that are drawn by lot and the clock's time."""
    return re.sub("[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "*", repr(answer))


def test_all_answers_are_the_same(tmp_path: Path, target: str) -> None:
    """Every operation of both contracts and every read of REST, on the records as they were and as they were moved."""
    data, before = tmp_path / "data", tmp_path / "before"
    with product_of(data) as product:
        ground = Ground(product)
        link = product.contact_tokens.make(ground.mine.contact)
    shutil.copytree(data, before)
    output = run("db", "move", "--to", target, "--data", str(data), "--json")
    # The progress is on standard error, which is here as well.
    told = json.loads(output[output.index("{") :])
    assert told["rows"]["delivery"] > 6
    assert told["files"] == str(data)
    # Links of mails that are out are those of the same key.
    with product_of(before) as old, product_of(data, target) as new, clock(lambda: datetime(2030, 1, 1, tzinfo=UTC)):
        assert new.contact_tokens.make(ground.mine.contact) == link
        there = [seen_by(ground, product) for product in (old, new)]
        clients = [
            httpx.Client(transport=Within(rest(each)), base_url=BASE, auth=("ann", "secret")) for each in (old, new)
        ]
        for things in (ground.mine, ground.hidden):
            for route, asked in ROUTES.items():
                if route.startswith("GET "):
                    one, other = (client.get(asked(things)[0]) for client in clients)
                    assert one.status_code == 200, route
                    assert (route, other.status_code, content(other)) == (route, one.status_code, content(one))
        for contract, (calls, others, available) in TABLES.items():
            for operation in sorted(available, key=lambda name: (name.startswith("Delete"), name)):
                make = calls[operation][0] if operation in calls else others[operation]
                for things in (ground.mine, ground.foreign):
                    first, second = (
                        said(each.call(contract, operation, ground.ann, make(things, each))) for each in there
                    )
                    assert (operation, second) == (operation, first)
        for client in clients:
            client.close()
    assert "All rows that others name are there" in run("db", "check", "--references", "--database", target)


# A worker that dies as by kill -9, behind the given number of chunks.
DYING = """
import os, sys
from contextlib import contextmanager
from soapstone.cli import main
from soapstone.jobs.run import Run

left, chunk = int(sys.argv.pop(1)), Run.chunk

@contextmanager
def counted(self, **options):
    global left
    with chunk(self, **options) as its:
        yield its
    left -= 1
    if not left:
        os._exit(9)

Run.chunk = counted
sys.argv[0] = "soapstone"
main()
"""


@pytest.mark.parametrize("chunks", [1, 2])
def test_jobs_go_on_in_the_target(tmp_path: Path, target: str, chunks: int) -> None:
    """One that its worker's death left running, and one that waits: with their numbers, rows and rejects."""
    data = tmp_path / "data"
    with product_of(data) as product:
        account = product.accounts.create("ACME", time_zone="UTC")
        numbers = []
        for name in ("first", "second"):
            upload = product.blobs.new()
            upload.write("".join(f"{name}{number}@example.com\n" for number in range(3000)).encode() + b"no address\n")
            upload.close()
            made = product.lists.create(account.id, name)
            spec = ImportSpec(columns=(Column(index=0, target="email"),))
            numbers.append(
                product.imports.submit(
                    account=account, login=None, contact_list=made, upload=upload, spec=spec, label=f"{name}.csv"
                ).id
            )
    command = [sys.executable, "-c", DYING, str(chunks), "worker", "--data", str(data), "--workers", "1"]
    assert subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 9
    run("db", "move", "--to", target, "--data", str(data))
    with product_of(data, target) as product:
        states = [product.jobs.get(None, number) for number in numbers]
        assert [job.state for job in states if job is not None] == ["running", "queued"]
        with product.database.write() as connection:
            connection.execute(update(jobs).values(lease_until=datetime(2020, 1, 1, tzinfo=UTC)))
        product.jobs.expire_leases()
        worker = Worker(product.database, product.blobs, runners(product))
        worker.run(until=lambda: all(job.over for job in product.jobs.find()))
        for number in numbers:
            job = product.jobs.get(None, number)
            assert job is not None
            counts = product.imports.counts(job)
            assert (job.state, counts.total, counts.good, counts.new_contacts) == ("completed", 3001, 3000, 3000)
        assert [each.members for each in product.lists.all(account.id)] == [3000, 3000]


def test_a_send_whose_worker_was_killed_goes_on_in_the_target(tmp_path: Path, target: str) -> None:
    """Its journal is read before it is left behind: at most a mail for each connection is uncertain."""
    trial = SmtpTrial(tmp_path, people=250, connections=2)
    data, worker = tmp_path / "data", trial.worker()
    try:
        for _ in range(6000):
            if len(trial.sink.lines()) > 60:
                break
            time.sleep(0.01)
    finally:
        worker.kill()
        worker.wait(60)
    job = trial.jobs.get(None, trial.ticket.job.id)
    assert job is not None
    assert "journal" in job.checkpoint
    trial.database.close()
    run("db", "move", "--to", target, "--data", str(data))
    smtp = {"smtp_url": f"smtp://127.0.0.1:{trial.sink.port}", "smtp_connections": 2, "smtp_retry_seconds": 0.1}
    try:
        with opened(Settings(data_dir=data, database_url=target, public_url=PUBLIC, **smtp)) as product:
            product.jobs.expire_leases()
            working = Worker(product.database, product.blobs, runners(product))
            working.run(until=lambda: all(job.over for job in product.jobs.find()))
            ended = product.jobs.get(None, job.id)
            assert ended is not None
            assert (ended.state, ended.error) == ("completed", "")
            with product.database.read() as connection:
                rows = connection.execute(select(deliveries).where(deliveries.c.state != "skipped")).all()
    finally:
        trial.sink.stop()
    times = Counter(line["to"] for line in trial.sink.lines())
    assert {row.email for row in rows} == trial.eligible
    for row in rows:
        assert (row.state == "handed") <= times[row.email] <= 1 + row.doubts
    assert sum(row.doubts for row in rows) <= trial.connections


def test_killed_as_a_process(tmp_path: Path, target: str) -> None:
    """SIGKILL at ten moments by chance, behind a line of its progress; the last run ends the move."""
    data = tmp_path / "data"
    with product_of(data) as product:
        ground = Ground(product)
    chance, command = random.Random(5), [sys.executable, "-m", "soapstone", "db", "move", "--to", target]
    command += ["--data", str(data)]
    for _ in range(10):
        move = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert move.stdout is not None
        for _ in range(chance.randrange(1, 60)):
            if not move.stdout.readline():
                break
        move.kill()
        move.wait(60)
        move.stdout.close()
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    # One of the ten may have come to the end.
    assert "checksums are equal" in done.stdout or "moved already" in done.stderr
    with product_of(data, target) as product:
        answer = seen_by(ground, product).call("listrak", "GetContact", ground.ann, ADDRESS(ground.mine, ground))
        assert ground.mine.email in repr(answer)


def test_the_source_is_not_used_again(tmp_path: Path, target: str) -> None:
    data = tmp_path / "data"
    with product_of(data) as product:
        product.accounts.create("ACME", time_zone="UTC")
    given = ["--data", str(data)]
    lock = WorkerLock(Settings(data_dir=data).worker_lock)
    assert lock.acquire()
    assert "stop the server first" in run("db", "move", "--to", target, *given, code=1)
    lock.release()
    assert "must be a PostgreSQL" in run("db", "move", "--to", f"sqlite:///{tmp_path}/x.sqlite", *given, code=1)
    run("db", "move", "--to", target, *given)
    refused = run("list", "list", *given, code=1)
    assert "These records were moved to postgresql" in refused
    assert "moved already" in run("db", "move", "--to", target, *given, code=1)
    assert "No account" not in run("account", "list", *given, "--database", target)
    assert "Only records in SQLite" in run("db", "move", "--to", target, *given, "--database", target, code=1)
    # Whoever wants them back after all.
    run("db", "restored", *given)
    run("list", "list", *given)


def test_a_target_half_moved_is_not_served(tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    with product_of(data) as product:
        product.accounts.create("ACME", time_zone="UTC")

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Move, "_compare", end)
        assert "The same command goes on with it" in run("db", "move", "--to", target, "--data", str(data), code=130)
    for command in (("account", "list"), ("db", "restored")):
        told = run(*command, "--data", str(data), "--database", target, code=1)
        assert "is not complete" in told
    run("db", "move", "--to", target, "--data", str(data))
    run("account", "list", "--data", str(data), "--database", target)
