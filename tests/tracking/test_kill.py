"""Server and worker are killed while people click: each redirect that was answered is recorded once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from tests.conftest import Served
from tests.tracking.ledger import send

from soapstone.accounts.account import Accounts
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import mail_events

MAILS = 6_000
# The agent of httpx is a known program.
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"}


def clicked(database: Database) -> Counter[int]:
    with database.read() as connection:
        query = select(mail_events.c.delivery_id).where(mail_events.c.kind == "click")
        return Counter(connection.execute(query).scalars())


@pytest.mark.long
def test_each_answered_click_is_recorded_once(tmp_path: Path) -> None:
    data = tmp_path / "data"

    def serve() -> Served:
        return Served(data, demo=False, machine_click_seconds="0")

    served = serve()
    database = Database(f"sqlite:///{data / 'soapstone.sqlite'}")
    sent = send(database, Accounts(database).create("ACME", time_zone="UTC"), MAILS, links=3)
    stems = Product.open(Settings(data_dir=data), database).stems
    left = [(mail, f"/c/{stems.make(sent.message_id, mail)}/{mail % 3 + 1}") for mail in sent.mails]
    asked: list[int] = []
    answered: list[int] = []
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
        for kill in range(4):
            some = len(answered) + 300
            end = time.monotonic() + 60
            while len(answered) < some:
                assert time.monotonic() < end, (len(answered), served.log())
                time.sleep(0.01)
            if kill % 2:
                served.process.kill()
                served.stop()
                served = serve()
            else:
                with suppress(StopIteration, ProcessLookupError):
                    os.kill(served.worker(), signal.SIGKILL)
    finally:
        over.set()
        for each in clickers:
            each.join()
    end = time.monotonic() + 60
    while set(answered) - clicked(database).keys() and time.monotonic() < end:
        time.sleep(0.1)
    found = clicked(database)
    database.close()
    served.stop()
    assert set(found.values()) == {1}
    assert len(answered) == len(set(answered)) >= 1200
    # A request without an answer may be recorded: its record was written before.
    assert set(answered) <= found.keys() <= set(asked)
