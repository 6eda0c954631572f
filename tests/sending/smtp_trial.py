"""A send by SMTP whose worker is killed and whose server is restarted, and what may be seen of that afterwards."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from soapstone.accounts.account import Accounts
from soapstone.clock import now
from soapstone.contacts.suppressions import Suppressions
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import Lists
from soapstone.sending.messages.message import Draft, Message
from soapstone.sending.sends import Sends
from soapstone.store import schema
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries, memberships

SINK = Path(__file__).with_name("sink.py")
HTML = "<p>Dear {{ First_Name }} {{ Last_Name }} of {{ City }}</p>" + "<p>News of the day, and more of it.</p>" * 20


def message_uid(message: Message, delivery_id: int) -> str:
    """The Message-ID of a recipient's mail: the same for every attempt."""
    return f"<{message.public_id}.{delivery_id}@{message.from_address.rpartition('@')[2]}>"


class Sink:
    """The sink as a process that is started again on the same port."""

    def __init__(self, log: Path, *options: str) -> None:
        self.log = log
        self._options = options
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it; it listens when this returns."""
        command = [sys.executable, str(SINK), "--port", str(self.port), "--log", str(self.log), *self._options]
        for _ in range(50):
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert self._process.stdout is not None
            if line := self._process.stdout.readline():
                self.port = int(line)
                return
            # The port is not free yet.
            self.stop()
            time.sleep(0.05)
        raise AssertionError("the sink does not start")

    def stop(self) -> None:
        """End it at once, with all its connections."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def accepted(self) -> Counter[str]:
        """Message-ID → how often it was accepted."""
        return Counter(line["id"] for line in self.lines())

    def lines(self) -> list[dict[str, Any]]:
        """What was accepted, in order. The sink may be within a line, so only whole ones count."""
        whole, _, _ = self.log.read_bytes().rpartition(b"\n") if self.log.exists() else (b"", b"", b"")
        return [json.loads(line) for line in whole.splitlines()]


@dataclass(frozen=True)
class Verdict:
    """What came out: recipients by final state, and mails that were accepted twice."""

    states: dict[str, int]
    repeats: int
    doubtful: int
    kills: int
    restarts: int
    seconds: float


class SmtpTrial:
    """One send on a database of its own. Eight recipients in a hundred must get nothing."""

    def __init__(self, folder: Path, database_url: str = "", *, people: int, connections: int = 8) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._data.mkdir(parents=True)
        self._url = database_url or f"sqlite:///{self._data / 'soapstone.sqlite'}"
        self.database = Database(self._url)
        schema.upgrade(self.database)
        self.jobs = Jobs(self.database)
        self.connections = connections
        self.eligible: set[str] = set()
        self._submit(people)
        self.sink = Sink(folder / "accepted.jsonl", "--deferred", "5", "--refused", "1")

    def _submit(self, people: int) -> None:
        account = Accounts(self.database).create("ACME", time_zone="UTC")
        settings = {"from_name": "Ann", "from_address": "ann@example.com", "removal_link": True}
        contact_list = Lists(self.database).create(account.id, "Newsletter", settings=settings)
        rows, members = [], []
        for number in range(1, people + 1):
            email = f"p{number}@d{number % 97}.example"
            rows.append(
                {
                    "id": number,
                    "account_id": account.id,
                    "email": email,
                    "email_key": email,
                    "unique_email": email,
                    "first_name": f"Zoë {number}",
                    "last_name": "Example",
                    "city": "Rome",
                    "created_at": now(),
                    "updated_at": now(),
                }
            )
            state = {0: "unsubscribed", 1: "waiting"}.get(number % 25, "subscribed")
            members.append(
                {
                    "list_id": contact_list.id,
                    "contact_id": number,
                    "account_id": account.id,
                    "number": number,
                    "state": state,
                    "added_at": now(),
                }
            )
            if state == "subscribed":
                self.eligible.add(email)
        with self.database.write() as connection:
            connection.execute(insert(contacts), rows)
            connection.execute(insert(memberships), members)
        blocks = Suppressions(self.database)
        for number in range(7, min(people, 2_000), 100):
            blocks.add(account.id, str(rows[number - 1]["email"]), kind="banned" if number % 200 == 7 else "suppressed")
            self.eligible.discard(str(rows[number - 1]["email"]))
        sends = Sends(self.database, Blobs(self._data / "blobs"), self.jobs)
        draft = Draft(subject="News for {{ First_Name }}", html=HTML)
        self.ticket = sends.to_list(account=account, login=None, contact_list=contact_list, message=draft)

    def worker(self) -> subprocess.Popen[bytes]:
        """A worker, as an operator starts it."""
        environment = {
            **os.environ,
            "SOAPSTONE_DATABASE_URL": self._url,
            "SOAPSTONE_PUBLIC_URL": "https://lists.example",
            "SOAPSTONE_SMTP_URL": f"smtp://127.0.0.1:{self.sink.port}",
            "SOAPSTONE_SMTP_CONNECTIONS": str(self.connections),
            "SOAPSTONE_SMTP_RETRY_SECONDS": "0.5",
            "SOAPSTONE_SMTP_HOSTNAME": "client.example",
        }
        command = [sys.executable, "-m", "soapstone", "worker", "--data", str(self._data)]
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def run(self, *, kills: int, restarts: int, seed: int, patience: float) -> Verdict:
        """Let it go on under kills and restarts, at random moments while mails are on their way, to its end."""
        chance, begun = random.Random(seed), time.monotonic()
        disturbances = ["kill"] * kills + ["restart"] * restarts
        chance.shuffle(disturbances)
        wanted = len(disturbances)
        done = Counter[str]()
        worker = self.worker()
        try:
            while not self._over():
                assert time.monotonic() < begun + patience, f"the send does not end: {self._job()}"
                assert worker.poll() is None, (self.folder / "worker.log").read_text()[-3000:]
                # Spread over three quarters of the send: the next one comes when its share of the mails has gone. On a
                # busy machine this looks late, and the rest of the mails must not have gone meanwhile.
                share = len(self.eligible) * (wanted - len(disturbances) + 1) / (wanted + 1)
                if disturbances and len(self.sink.lines()) >= share * 0.75 + chance.random() * 5:
                    what = disturbances.pop()
                    done[what] += 1
                    if what == "kill":
                        worker.kill()
                        worker.wait()
                        worker = self.worker()
                    else:
                        self.sink.stop()
                        time.sleep(chance.random() * 0.3)
                        self.sink.start()
                time.sleep(0.01)
        finally:
            worker.kill()
            worker.wait()
            self.sink.stop()
        return self._verdict(done["kill"], done["restart"], time.monotonic() - begun)

    def _job(self) -> object:
        return self.jobs.get(None, self.ticket.job.id)

    def _over(self) -> bool:
        job = self.jobs.get(None, self.ticket.job.id)
        assert job is not None
        return job.over

    def _verdict(self, kills: int, restarts: int, seconds: float) -> Verdict:
        """Compare the ledger with what the sink accepted; raises AssertionError for whatever does not fit."""
        job = self.jobs.get(None, self.ticket.job.id)
        assert job is not None
        assert (job.state, job.step, job.error) == ("completed", job.steps, "")
        query = select(deliveries).where(deliveries.c.job_id == job.id)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        chosen = [row for row in rows if row.state != "skipped"]
        # Nobody is missing, nobody is there twice, nobody is there who must not be.
        assert len(chosen) == len(self.eligible)
        assert {row.email for row in chosen} == self.eligible
        states = Counter(row.state for row in chosen)
        assert set(states) <= {"handed", "failed", "uncertain"}, states
        assert not [row for row in chosen if row.next_try_at is not None]
        counted = {name: job.counters.get(name, 0) for name in ("handed", "failed", "uncertain", "deferred")}
        assert counted == {name: states[name] for name in counted}
        accepted = self.sink.accepted()
        mine = {message_uid(self.ticket.message, row.id): row for row in chosen}
        assert accepted.keys() <= mine.keys()
        for message_id, row in mine.items():
            times = accepted[message_id]
            if row.state == "handed":
                assert 1 <= times <= 1 + row.doubts, (row, times)
            else:
                assert times <= row.doubts, (row, times)
        repeats = sum(times - 1 for times in accepted.values() if times > 1)
        doubtful = sum(row.doubts > 0 for row in chosen)
        assert repeats <= doubtful <= self.connections * (kills + restarts)
        # Replies are told.
        assert all(row.reply.startswith("250 ") for row in chosen if row.state == "handed")
        assert all(row.reply.startswith("550 ") for row in chosen if row.state == "failed")
        return Verdict(dict(states), repeats, doubtful, kills, restarts, seconds)
