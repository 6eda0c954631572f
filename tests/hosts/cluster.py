"""An installation on several hosts: one PostgreSQL server, a folder that all share, workers and web processes."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
from sqlalchemy import insert, select, update
from tests.hosts.network import Host
from tests.kills.assignments import ASSIGNMENTS, submit_all, whole
from tests.kills.picture import picture
from tests.tracking.ledger import Sent, send

from soapstone.clock import now
from soapstone.jobs.job import Job
from soapstone.product import Product
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries, jobs, lists, memberships

PORT = 8080
TEN = tuple(ASSIGNMENTS[place] for place in (0, 2, 3, 6, 8, 9, 10, 11, 12, 13))
USER, PASSWORD = "mail", "secret"


@dataclass
class Running:
    """A process on a host, and where its log is."""

    host: Host
    process: Popen[bytes]
    log: Path

    @property
    def base(self) -> str:
        """The URL of a web process."""
        return f"http://{self.host.address}:{PORT}"

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()


class Cluster:
    """The records and the folder, opened from the host where this runs, and what runs elsewhere."""

    # Seconds that anything may take.
    patience = 300.0

    def __init__(self, data: Path, url: str) -> None:
        data.mkdir(parents=True)
        self.data, self.url = data, url
        settings = Settings(data_dir=data, database_url=url)
        self.database = Database(settings.database)
        schema.upgrade(self.database)
        self.product = Product.open(settings, self.database)
        self.workers: list[Running] = []
        self.webs: list[Running] = []
        self.imports: list[int] = []
        self.sends: list[int] = []
        self.rows = 0

    def submit(self, *, people: int, mails: int, seed: int) -> None:
        """Queue ten imports of all kinds and two sends."""
        self.imports = submit_all(self.product, people, seed, TEN)
        self.rows = whole(people, TEN)
        account = self.product.accounts.named("MAIL")
        assert account is not None
        self.product.accounts.add_login(account, USER, PASSWORD)
        sender = self.product.accounts.create("SENDER", time_zone="UTC")
        settings = {"from_name": "Ann", "from_address": "ann@sender.example"}
        for place in range(2):
            here = self.product.lists.create(sender.id, f"News {place}", settings=settings)
            rows, members = [], []
            for number in range(1 + place * mails, 1 + (1 + place) * mails):
                email = f"p{number}@sender.example"
                person = {"account_id": sender.id, "email": email, "email_key": email, "unique_email": email}
                rows.append({**person, "id": 1_000_000 + number, "created_at": now(), "updated_at": now()})
                member = {"list_id": here.id, "contact_id": 1_000_000 + number, "account_id": sender.id}
                members.append({**member, "number": number, "state": "subscribed", "added_at": now()})
            with self.database.write() as connection:
                connection.execute(insert(contacts), rows)
                connection.execute(insert(memberships), members)
                connection.execute(update(lists).where(lists.c.id == here.id).values(members=mails, subscribed=mails))
            draft = Draft(subject="News", html="<p>Dear {{ Email }}</p>")
            ticket = self.product.sends.to_list(account=sender, login=None, contact_list=here, message=draft)
            self.sends.append(ticket.job.id)

    def clickable(self, mails: int) -> list[tuple[int, str]]:
        """Store a send whose links are clicked; return its mails, each with the path of a link."""
        account = self.product.accounts.create("CLICKED", time_zone="UTC")
        sent: Sent = send(self.database, account, mails, links=3)
        stems = self.product.stems
        return [(mail, f"/c/{stems.make(sent.message_id, mail)}/{mail % 3 + 1}") for mail in sent.mails]

    def start_worker(self, host: Host) -> None:
        """Run `soapstone worker` on a host."""
        self.workers.append(self._start(host, ["worker", "--workers", "3"]))

    def start_web(self, host: Host) -> None:
        """Run `soapstone web` on a host."""
        self.webs.append(self._start(host, ["web", "--host", host.address, "--port", str(PORT)]))

    def wait_for_webs(self) -> None:
        """Wait until all web processes answer."""
        self.wait(lambda: all(map(_answers, self.webs)), "a web host does not answer")

    def _start(self, host: Host, arguments: Sequence[str]) -> Running:
        log = self.data.parent / f"{self.data.name}-{host.name}.log"
        command = [sys.executable, "-m", "soapstone", *arguments, "--data", str(self.data)]
        settings = {"SOAPSTONE_DATABASE_URL": self.url, "SOAPSTONE_MACHINE_CLICK_SECONDS": "0"}
        return Running(host, host.start(command, log, **settings), log)

    def open_jobs(self) -> list[Job]:
        """Jobs that are not over, by number."""
        query = select(jobs).where(jobs.c.finished_at.is_(None)).order_by(jobs.c.id)
        with self.database.read() as connection:
            return [Job.of(row) for row in connection.execute(query).mappings()]

    def share(self) -> float:
        """How much of all imports is done, from 0 to 1."""
        query = select(jobs.c.counters).where(jobs.c.id.in_(self.imports))
        with self.database.read() as connection:
            return sum(sum(counters.values()) for counters in connection.execute(query).scalars()) / self.rows

    def jobs_of(self, worker: Running) -> list[Job]:
        """The jobs that a worker runs."""
        pid = str(worker.process.pid)
        return [job for job in self.open_jobs() if job.state == "running" and job.worker.split(":")[1] == pid]

    def wait(self, condition: Callable[[], Any], trouble: str) -> Any:
        """Wait until the condition holds, and return what it returns."""
        end = time.monotonic() + self.patience
        while not (found := condition()):
            assert time.monotonic() < end, f"{trouble}\n{self.open_jobs()}\n{self.logs()}"
            time.sleep(0.05)
        return found

    def logs(self) -> str:
        """The ends of all logs."""
        found = sorted(self.data.parent.glob(f"{self.data.name}-*.log"))
        return "\n".join(f"== {each.name}\n{each.read_text(errors='replace')[-3000:]}" for each in found)

    def state(self) -> dict[str, list[Any]]:
        """What the jobs left, times and ids aside."""
        found = picture(self.product, self.imports)
        query = select(deliveries.c.email, deliveries.c.state).order_by(deliveries.c.email)
        for job_id in self.sends:
            with self.database.read() as connection:
                found[f"send {job_id}"] = [
                    tuple(row) for row in connection.execute(query.where(deliveries.c.job_id == job_id))
                ]
            job = self.product.jobs.get(None, job_id)
            assert job is not None
            found[f"send {job_id} as a job"] = [(job.state, job.error, sorted(job.counters.items()))]
        # One file for each recipient, whatever its name.
        texts = [path.read_bytes() for path in (self.data / "mail").rglob("*.eml")]
        addressed = [re.search(rb"^To: .*?([^\s<>]+@[^\s<>]+)", text, re.MULTILINE) for text in texts]
        found["mails"] = sorted(to[1].decode() for to in addressed if to is not None)
        return found

    def close(self) -> None:
        """End all processes that run."""
        for each in (*self.webs, *self.workers):
            if each.process.poll() is None:
                each.stop()
        self.database.close()


def kill(running: Running) -> None:
    """Kill a process, and wait for its end."""
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()


def _answers(web: Running) -> bool:
    try:
        return httpx.get(f"{web.base}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
