"""The worker is killed at nine random moments of a send, which ends once and as if nothing had happened."""

from __future__ import annotations

import base64
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.conftest import Served

from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import deliveries

# Fewer than make the server give a job up that got no further.
KILLS = 9
MAILED = 4_000

SPEC = ImportSpec(columns=(Column(index=0, target="email"),), known="overwrite", reject_roles=True)


class Site:
    """A server whose worker can be killed, with the records open beside it."""

    def __init__(self, served: Any) -> None:
        self.served = served
        self.product = open_product(served.data)
        self.jobs = Jobs(self.product.database)
        account = self.product.accounts.named("DEMO")
        assert account is not None
        self.account = account
        self.list = self.product.lists.create(account.id, "Killed", settings={"from_address": "news@example.com"})

    def close(self) -> None:
        self.product.database.close()

    def job(self, number: int) -> Job:
        job = self.jobs.get(None, number)
        assert job is not None
        return job

    def disturb(self, number: int, seed: int) -> None:
        """Kill the worker at random moments while it runs the job, then wait for the end."""
        chance = random.Random(seed)
        attempt = kills = 0
        end = time.monotonic() + 300
        while not (job := self.job(number)).over:
            assert time.monotonic() < end, f"the job does not end: {job}\n{self.served.log()}"
            if job.state == "running" and job.attempt > attempt and kills < KILLS:
                attempt = job.attempt
                time.sleep(chance.uniform(0, 0.15))
                # Host, process and moment of its worker.
                os.kill(int(job.worker.split(":")[1]), signal.SIGKILL)
                kills += 1
            time.sleep(0.005)
        assert kills == KILLS, f"the job ended after {kills} kills"
        assert job.attempt == KILLS + 1
        assert job.state == "completed", job.error
        assert [event.state for event in self.jobs.events(number)].count("completed") == 1

    def mails(self, number: int) -> Counter[str]:
        parser = BytesParser(policy=policy.default)
        found: Counter[str] = Counter()
        for path in self.served.data.joinpath("mail").glob(f"{number:08}-*.eml"):
            with path.open("rb") as file:
                found[str(parser.parse(file, headersonly=True)["To"])] += 1
        return found

    def ledger(self, number: int) -> Counter[tuple[str, str]]:
        query = select(deliveries.c.state, deliveries.c.reason).where(deliveries.c.job_id == number)
        with self.product.database.read() as connection:
            return Counter((state, reason) for state, reason in connection.execute(query))


def open_product(data: Path) -> Product:
    data.mkdir(exist_ok=True)
    settings = Settings(data_dir=data)
    database = Database(settings.database)
    schema.upgrade(database)
    return Product.open(settings, database)


def submit(product: Product, list_id: int, content: bytes) -> int:
    account = product.accounts.named("DEMO")
    assert account is not None
    upload = product.blobs.new()
    upload.write(content)
    upload.close()
    found = product.lists.get(account.id, list_id)
    job = product.imports.submit(
        account=account, login=None, contact_list=found, upload=upload, spec=SPEC, label="people.csv"
    )
    return job.id


@pytest.fixture(scope="module")
def site(served_process: Served) -> Iterator[Site]:
    opened = Site(served_process)
    yield opened
    opened.close()


@pytest.mark.parametrize("call", ["SendToList", "SendToFile"])
def test_a_send_survives(site: Site, call: str) -> None:
    domain = f"{call}.example".lower()
    addresses = [f"person{number}@{domain}" for number in range(MAILED)]
    target = site.product.lists.create(site.account.id, call, settings={"from_address": "news@example.com"})
    if call == "SendToList":
        submit(site.product, target.id, "\n".join(addresses).encode())
        site.served.settle()
        file = ""
    else:
        rows = [f"{address},{number}" for number, address in enumerate(addresses)]
        rows += [f"{addresses[0].upper()},again", "no address,x"]
        encoded = base64.b64encode("\n".join(["EmailAddress,Number", *rows]).encode()).decode()
        file = f'<File Name="people.csv" HasColumnNames="true">{encoded}</File>'
    body = f"""<{call}><UserName>demo</UserName><Password>demo</Password><ListID>{target.id}</ListID>
        <Message><Subject>Hello {{{{ Email }}}}</Subject><HTMLBody>&lt;p&gt;Hello&lt;/p&gt;</HTMLBody></Message>
        {file}</{call}>"""
    answer = httpx.post(f"{site.served.base}/xml/{call}", content=body, headers={"Content-Type": "application/xml"})
    assert answer.status_code == 200, answer.text
    number = int(answer.text.partition("<StatusID>")[2].partition("<")[0])
    site.disturb(number, seed=2 if file else 3)
    assert site.mails(number) == Counter(addresses)
    expected = Counter({("handed", ""): MAILED})
    if file:
        expected += Counter({("skipped", "repeated"): 1, ("skipped", "malformed"): 1})
    assert site.ledger(number) == expected
    assert list(site.served.data.joinpath("drafts").rglob("*.eml")) == []
