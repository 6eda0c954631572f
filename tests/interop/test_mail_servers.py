"""Sends to mail servers as their packages have them: what the ledger says of each recipient is what the server did."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from tests.interop.mail_servers import BOUNCES, DOMAIN, RECIPES, USERS, Root, inside, listens
from tests.sending.smtp_trial import message_uid

from soapstone.accounts.account import Accounts
from soapstone.clock import now
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import Lists
from soapstone.sending.messages.message import Draft
from soapstone.sending.sends import Sends
from soapstone.store import schema
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries, memberships

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
PEOPLE = 300
SECONDS = 60
# Many dead addresses in a row, as in old lists, and some in between.
GONE = {*range(101, 141), *range(10, 100, 10), *range(150, 301, 15)}
# Courier answers later and later after each refusal.
FEW_GONE = {50, 51, 150, 250}
FULL, LATER = {5, 205}, {7, 77, 207}
# A line of the log about a recipient that is refused.
REFUSALS = {
    "postfix": r"NOQUEUE: reject: RCPT from .* to=<(?P<to>[^>]+)>",
    "exim": r"rejected RCPT <(?P<to>[^>]+)>: Unrouteable address",
    "opensmtpd": r'command="RCPT TO:<(?P<to>[^>]+)>" result="550 ',
    "sendmail": r": <(?P<to>[^>]+)>\.\.\. User unknown$",
    "courier": r"to=<(?P<to>[^>]+)>: 550 ",
}


class Installed:
    """One of Debian's servers, in a root of its own."""

    def __init__(self, name: str, folder: Path, state: Path, port: int) -> None:
        self.url = f"smtp://127.0.0.1:{port}"
        self._root, self._log = Root(folder, name, state), state.parent / "server.log"
        self._refusal = re.compile(REFUSALS[name], re.MULTILINE)
        self._root.prepare()
        self._pid = self._root.start(port, self._log)
        self._namespace = str(Path(f"/proc/{self._pid}/ns/pid").readlink())

    def accepted(self, user: str) -> list[str]:
        """The Message-IDs of the mails that this user has."""
        return [str(mail["Message-ID"]) for mail in self._root.mails(user)]

    def refused(self) -> Counter[str]:
        """Address → how often the server refused it, for now or for good."""
        return Counter(found["to"] for found in self._refusal.finditer(self._log.read_text(errors="replace")))

    def flush(self) -> None:
        """Deliver what waits: Exim leaves to the next queue run what comes after the tenth mail of a connection."""
        if self._root.name in ("exim", "sendmail"):
            inside(self._pid, "sendmail", "-q")

    def stop(self) -> None:
        self._root.stop()
        assert self._namespace not in namespaces(), "processes of the server are left"


class Library:
    """A server that is made of a library."""

    def __init__(self, command: list[str | Path], login: str, folder: Path, port: int) -> None:
        self.url = f"smtp://{login}127.0.0.1:{port}"
        self._log = folder / "replies.jsonl"
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [*command, str(port), self._log, ",".join(USERS)], cwd=HERE, stdin=subprocess.DEVNULL, stderr=output
            )
        end = time.monotonic() + SECONDS
        while not listens(port):
            assert self._process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < end, "the server does not listen"
            time.sleep(0.05)

    def accepted(self, user: str) -> list[str]:
        mine = (line for line in self._lines() if line["to"] == f"{user}@{DOMAIN}")
        return [line["id"] for line in mine if line["reply"].startswith("250")]

    def refused(self) -> Counter[str]:
        return Counter(line["to"] for line in self._lines() if not line["reply"].startswith("250"))

    def flush(self) -> None:
        """It keeps nothing back."""

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _lines(self) -> list[dict[str, str]]:
        # The server may be within a line, so only whole ones count.
        whole, _, _ = self._log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]


LIBRARIES: dict[str, tuple[list[str | Path], str]] = {
    "aiosmtpd": ([sys.executable, HERE / "python" / "aiosmtpd_server.py"], ""),
    "smtp-server": (["node", HERE / "node" / "smtp_server.mjs"], "user:password@"),
}


@pytest.fixture
def server(name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed | Library]:
    """The server of this name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if name in LIBRARIES:
        running: Installed | Library = Library(*LIBRARIES[name], tmp_path, port)
    else:
        assert os.getuid() == 0, "only root may mount a root of its own for a mail server"
        shared = tmp_path_factory.getbasetemp()
        shared = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "mail-servers"
        running = Installed(name, shared, tmp_path / "state", port)
    yield running
    running.stop()


class Send:
    """A send to a list, and a worker that does it, on a database of its own."""

    def __init__(self, folder: Path, users: list[str]) -> None:
        self._data, self._log = folder / "data", folder / "worker.log"
        self._data.mkdir()
        self._url = f"sqlite:///{self._data / 'soapstone.sqlite'}"
        self._database = Database(self._url)
        schema.upgrade(self._database)
        self._jobs = Jobs(self._database)
        account = Accounts(self._database).create("ACME", time_zone="UTC")
        settings = {"from_name": "Ann", "from_address": f"{BOUNCES}@{DOMAIN}"}
        contact_list = Lists(self._database).create(account.id, "Newsletter", settings=settings)
        people, members = [], []
        times = {"created_at": now(), "updated_at": now()}
        for number, user in enumerate(users, 1):
            email = f"{user}@{DOMAIN}"
            person = {"id": number, "account_id": account.id, "email": email, "email_key": email, "unique_email": email}
            people.append({**person, **times})
            member = {"list_id": contact_list.id, "contact_id": number, "account_id": account.id, "number": number}
            members.append({**member, "state": "subscribed", "added_at": now()})
        with self._database.write() as connection:
            connection.execute(insert(contacts), people)
            connection.execute(insert(memberships), members)
        draft = Draft(subject="News", html="<p>Dear {{ Email }}</p>" + "<p>News of the day.</p>" * 20)
        sends = Sends(self._database, Blobs(self._data / "blobs"), self._jobs)
        ticket = sends.to_list(account=account, login=None, contact_list=contact_list, message=draft)
        self._id, self._message = ticket.job.id, ticket.message

    def run(self, smtp_url: str, *, connections: int, patience: float) -> float:
        """Let a worker do the send to its end; return the seconds that it took."""
        environment = {
            **os.environ,
            "SOAPSTONE_DATABASE_URL": self._url,
            "SOAPSTONE_SMTP_URL": smtp_url,
            "SOAPSTONE_SMTP_CONNECTIONS": str(connections),
            "SOAPSTONE_SMTP_RETRY_SECONDS": "0.5",
            "SOAPSTONE_SMTP_HOSTNAME": "client.example",
        }
        command = [sys.executable, "-m", "soapstone", "worker", "--data", str(self._data)]
        with self._log.open("wb") as log:
            worker = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        begun = time.monotonic()
        try:
            while not self.job().over:
                assert worker.poll() is None, self._log.read_text()
                assert time.monotonic() < begun + patience, f"the send does not end: {self.job()}, {self.states()}"
                time.sleep(0.05)
        finally:
            worker.kill()
            worker.wait()
        return time.monotonic() - begun

    def job(self) -> Any:
        """The job as it is now."""
        return self._jobs.get(None, self._id)

    def ledger(self) -> dict[str, Any]:
        """User → row of the ledger. Fails when one has two."""
        query = select(deliveries).where(deliveries.c.job_id == self._id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = {row.email.partition("@")[0]: row for row in rows}
        assert len(found) == len(rows)
        return found

    def states(self) -> Counter[tuple[str, str]]:
        """State and code of the reply, of how many recipients."""
        return Counter((row.state, row.reply[:9]) for row in self.ledger().values())

    def message_id(self, row: Any) -> str:
        """The Message-ID of a recipient's mail."""
        return message_uid(self._message, row.id)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


@pytest.fixture
def send(name: str, tmp_path: Path) -> Iterator[Send]:
    """A send whose recipients this server accepts and refuses, as their names say."""
    users = [f"u{number}" for number in range(1, PEOPLE + 1)]
    for number in FEW_GONE if name == "courier" else GONE:
        users[number - 1] = f"gone{number}"
    for kind, numbers in (("full", FULL), ("later", LATER)) if name in LIBRARIES else ():
        for number in numbers:
            users[number - 1] = f"{kind}{number}"
    prepared = Send(tmp_path, users)
    yield prepared
    prepared.close()


@pytest.mark.parametrize("name", [*RECIPES, *LIBRARIES])
def test_the_ledger_says_of_each_recipient_what_the_server_did(
    name: str, server: Installed | Library, send: Send
) -> None:
    # OpenSMTPD takes a hundred mails over one connection, Courier five connections of one client.
    seconds = send.run(server.url, connections={"courier": 8, "opensmtpd": 1}.get(name, 2), patience=180)
    print(f"{name}: {seconds:.1f} s, {send.states()}")
    job, ledger = send.job(), send.ledger()
    assert (job.state, job.error) == ("completed", "")
    assert len(ledger) == PEOPLE
    refused: Counter[str] = Counter()
    for user, row in ledger.items():
        # Nothing is in doubt where no connection broke off between a mail and its reply.
        assert (row.doubts, row.next_try_at) == (0, None), (user, row.state, row.reply)
        kind = re.sub(r"\d+", "", user)
        code, state = {"u": ("250", "handed"), "gone": ("550", "failed"), "full": ("552", "failed")}.get(
            kind, ("250", "handed")
        )
        assert (row.state, row.reply[:4]) == (state, f"{code} "), (user, row.state, row.reply)
        # The limits of a connection cost no recipient a try.
        assert row.attempts == (2 if kind == "later" else 1), (user, row.attempts, row.reply)
        if kind != "u":
            refused[f"{user}@{DOMAIN}"] = 1
    assert server.refused() == refused
    end = time.monotonic() + SECONDS
    handed = {user: send.message_id(row) for user, row in ledger.items() if row.state == "handed"}
    server.flush()
    while any(not server.accepted(user) for user in handed):
        assert time.monotonic() < end, [user for user in handed if not server.accepted(user)]
        time.sleep(0.2)
    # Once to each, the right mail to each, and none came back.
    assert {user: server.accepted(user) for user in handed} == {user: [uid] for user, uid in handed.items()}
    assert [server.accepted(user) for user in [*(ledger.keys() - handed.keys()), BOUNCES]] == [
        [] for _ in range(len(ledger) - len(handed) + 1)
    ]


def namespaces() -> set[str]:
    """The process namespaces in which processes are."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/ns/pid"):
        with contextlib.suppress(OSError):
            found.add(str(place.readlink()))
    return found
