"""A message that was sent to simulator addresses, for tests of what became of it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.simulator import DOMAIN
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import deliveries


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    """A product that knows its own address, so that it tracks mails."""
    return Product.open(Settings(data_dir=tmp_path / "data", public_url="http://127.0.0.1"), database)


def new_list(api: httpx.Client, *locals_: str) -> int:
    """A new list with these simulator addresses."""
    made = api.post("/lists", json={"name": str(uuid4()), "from_name": "Ann", "from_address": "news@example.com"})
    number = int(made.json()["id"])
    for local in locals_:
        answer = api.post(f"/lists/{number}/subscriptions", json={"email": f"{local}@{DOMAIN}"})
        assert answer.status_code == 200, answer.text
    return number


def new_message(api: httpx.Client, list_id: int, *urls: str) -> int:
    """A new message with these links in its HTML body."""
    html = "<p>Hello</p>" + "".join(f'<a href="{escape(url)}">See</a>' for url in urls)
    answer = api.post("/messages", json={"list_id": list_id, "subject": "News", "html": html, "plain": "Hello"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def send(api: httpx.Client, product: Product, message: int, to: dict[str, Any]) -> dict[str, Any]:
    """Send a message with the simulator; return the send."""
    answer = api.post("/sends", json={"message_id": message, "to": to, "unsubscribe": "none"})
    assert answer.status_code == 202, answer.text
    (made,) = answer.json()["sends"]
    work(product)
    found: dict[str, Any] = api.get(f"/sends/{made['id']}").json()
    assert found["state"] == "completed"
    return found


def work(product: Product) -> None:
    """Run all jobs with the mail simulator."""
    worker = Worker(product.database, product.blobs, runners(product, simulates=True), idle=0.01)
    worker.run(until=lambda: all(job.over for job in product.jobs.find(limit=1000)))


def mails(product: Product, send_id: int) -> dict[str, int]:
    """Local part of the address → number of the recipient."""
    query = select(deliveries.c.email, deliveries.c.id).where(deliveries.c.job_id == send_id)
    with product.database.read() as connection:
        return {row.email.partition("@")[0]: row.id for row in connection.execute(query)}
