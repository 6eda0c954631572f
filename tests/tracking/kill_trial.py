"""A trial: server and worker, which records, are killed at random moments while people click; what was answered, and
what is recorded in the end."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import select
from tests.conftest import Served
from tests.tracking.ledger import send

from soapstone.accounts.account import Accounts
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import mail_events

# The agent of httpx is a known program.
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"}
# Most clicks between two kills.
CLICKS = 600
PATIENCE = 120


@dataclass(frozen=True)
class Trial:
    """Mails whose link was asked for, those of them whose click got its redirect, and clicks that are recorded by mail;
    kills by process."""

    asked: list[int]
    answered: list[int]
    recorded: Counter[int]
    kills: Counter[str]

    def wrong(self) -> list[str]:
        """What must not be. A request without an answer may be recorded: its record was written before."""
        found = [f"mail {mail}: a click is lost" for mail in self.answered if not self.recorded[mail]]
        found += [f"mail {mail}: {times} clicks, not one" for mail, times in self.recorded.items() if times != 1]
        return found + [f"mail {mail}: nobody clicked" for mail in self.recorded.keys() - set(self.asked)]


def clicked(database: Database) -> Counter[int]:
    """Recorded clicks by mail."""
    with database.read() as connection:
        query = select(mail_events.c.delivery_id).where(mail_events.c.kind == "click")
        return Counter(connection.execute(query).scalars())


def hold(data: Path, *, kills: int, seed: int = 1, database_url: str = "") -> Trial:
    """Kill server and worker so many times in turn; each mail is clicked once. The schema is made by the server."""
    chance = random.Random(seed)

    def serve() -> Served:
        return Served(data, database_url=database_url, demo=False, machine_click_seconds="0")

    served = serve()
    database = Database(database_url or f"sqlite:///{data / 'soapstone.sqlite'}")
    mails = CLICKS * (kills + 1)
    sent = send(database, Accounts(database).create("ACME", time_zone="UTC"), mails, links=3)
    stems = Product.open(Settings(data_dir=data), database).stems
    left = [(mail, f"/c/{stems.make(sent.message_id, mail)}/{mail % 3 + 1}") for mail in sent.mails]
    asked: list[int] = []
    answered: list[int] = []
    killed: Counter[str] = Counter()
    over = threading.Event()

    def click() -> None:
        while not over.is_set():
            with suppress(httpx.TransportError), httpx.Client(base_url=served.base, headers=BROWSER) as client:
                while not over.is_set() and left:
                    mail, path = left.pop()
                    asked.append(mail)
                    if client.get(path).status_code == 302:
                        answered.append(mail)
            over.wait(0.02)

    clickers = [threading.Thread(target=click) for _ in range(3)]
    for each in clickers:
        each.start()
    try:
        for kill in range(kills):
            some = len(answered) + chance.randint(1, CLICKS)
            end = time.monotonic() + PATIENCE
            while len(answered) < some:
                assert time.monotonic() < end, (len(answered), served.log())
                time.sleep(0.01)
            if kill % 2:
                served.process.kill()
                served.stop()
                served = serve()
                killed["server"] += 1
            else:
                with suppress(StopIteration, ProcessLookupError):
                    os.kill(served.worker(), signal.SIGKILL)
                    killed["worker"] += 1
        some = len(answered) + CLICKS // 2
        end = time.monotonic() + PATIENCE
        while len(answered) < some and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        over.set()
        for each in clickers:
            each.join()
    end = time.monotonic() + PATIENCE
    while set(answered) - clicked(database).keys() and time.monotonic() < end:
        time.sleep(0.1)
    recorded = clicked(database)
    database.close()
    served.stop()
    return Trial(asked, answered, recorded, killed)
