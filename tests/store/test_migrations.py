"""Records of the version before the sender are taken along: messages, sends that are over, and sends under way."""

from __future__ import annotations

import json
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import make_url, text

from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database

THEN = 1_700_000_000_000_000


@pytest.fixture
def old(database_url: str) -> Database:
    """A database as the version before had it, with what it can hold."""
    if database_url.startswith("sqlite"):
        Path(str(make_url(database_url).database)).unlink()
    database = Database(database_url)
    if database.kind == "postgresql":
        with database.write() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    config = schema.migrations()
    with database.write() as connection:
        config.attributes |= {"connection": connection, "database": database}
        command.upgrade(config, "0003")
        _fill(connection)
    assert schema.version(database) == "0003"
    return database


def _fill(connection: Any) -> None:
    def insert(table: str, **values: Any) -> None:
        names = ", ".join(values)
        kept = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in values.items()}
        places = [f"CAST(:{n} AS JSONB)" if isinstance(v, dict) and postgresql else f":{n}" for n, v in values.items()]
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(places)})"), kept)

    postgresql = connection.dialect.name == "postgresql"
    insert("account", name="ACME", time_zone="UTC", created_at=THEN)
    sender = {"from_name": "Ann", "from_address": "ann@example.com"}
    insert("list", account_id=1, name="News", settings=sender, created_at=THEN)
    for number, name in enumerate(("ann", "bob", "cat"), 1):
        email = f"{name}@example.com"
        person = {"email": email, "email_key": email, "unique_email": email, "first_name": name.title()}
        insert("contact", account_id=1, created_at=THEN, updated_at=THEN, **person)
        state = "unsubscribed" if name == "cat" else "subscribed"
        insert("membership", account_id=1, list_id=1, contact_id=number, number=number, state=state, added_at=THEN)
    for saved, subject in ((True, "Kept"), (False, "Over"), (False, "Under way"), (False, "Waiting")):
        message = {"subject": subject, "plain": "Dear {{ First_Name }}", "from_address": "ann@example.com"}
        insert("message", account_id=1, list_id=1, saved=saved, created_at=THEN, **message)
    times = {"submitted_at": THEN, "due_at": THEN}
    common = {"account_id": 1, "list_id": 1, **times}
    over = {"state": "completed", "started_at": THEN, "finished_at": THEN, "counters": {"chosen": 1, "handed": 1}}
    insert("job", kind="send_to_file", step=4, steps=4, request={"message_id": 2}, **over, **common)
    under_way = {"state": "queued", "started_at": THEN, "counters": {"chosen": 2}, "attempt": 1}
    place: dict[str, Any] = {"phase": "build", "place": 2, "first": 3, "last": 4}
    insert("job", kind="send_to_list", step=1, steps=3, request={"message_id": 3}, checkpoint=place, **under_way,
           **common)  # fmt: skip
    insert("job", kind="send_to_list", steps=3, request={"message_id": 4}, **common)
    rows = (
        (1, 2, "zoe@example.com", "handed", ""),
        (1, 2, "nobody", "skipped", "malformed"),
        (2, 3, "ann@example.com", "chosen", ""),
        (2, 3, "bob@example.com", "chosen", ""),
    )
    for job, sent, email, state, reason in rows:
        fields: dict[str, str] = {"code": "7"} if job == 1 else {}
        known = {"ann@example.com": 1, "bob@example.com": 2}.get(email)
        handed = THEN if state == "handed" else None
        insert("delivery", account_id=1, job_id=job, message_id=sent, contact_id=known, email=email,
               email_key=email, state=state, reason=reason, fields=fields, handed_at=handed)  # fmt: skip


def test_messages_and_sends_of_before_are_taken_along_and_go_on(old: Database, tmp_path: Path) -> None:
    schema.upgrade(old)
    schema.check(old)
    product = Product.open(Settings(data_dir=tmp_path), old)
    found = product.messages.find(1)
    assert [(each.id, each.kind, each.subject, each.list_id, each.charset) for each in found] == [
        (1, "saved", "Kept", 1, "utf-8"),
        (2, "send", "Over", 1, "utf-8"),
        (3, "send", "Under way", 1, "utf-8"),
        (4, "send", "Waiting", 1, "utf-8"),
    ]
    # Links need a public id that nobody guesses, one for each message.
    assert len({each.public_id for each in found}) == 4
    assert all(len(each.public_id) == 32 for each in found)
    records = product.reports.find(1)
    assert [(each.job.id, each.message_id, each.purpose, each.is_test) for each in records] == [
        (1, 2, "file", False),
        (2, 3, "list", False),
        (3, 4, "list", False),
    ]
    over = product.reports.recipients(1, job_id=1)
    assert [(row.id, row.email, row.state, row.reason, row.attempts) for row in over] == [
        (1, "zoe@example.com", "handed", "", 0),
        (2, "nobody", "skipped", "malformed", 0),
    ]
    assert over[0].handed_at is not None
    worker = Worker(old, product.blobs, runners(product), idle=0.01)
    worker.run(until=lambda: all(job.over for job in product.jobs.find()))
    assert {(job.state, job.error) for job in product.jobs.find()} == {("completed", "")}
    mails = [message_from_bytes(path.read_bytes()) for path in (tmp_path / "mail").glob("*.eml")]
    assert sorted((mail["Subject"], str(mail["To"])) for mail in mails) == [
        (subject, f"{name}@example.com") for subject in ("Under way", "Waiting") for name in ("ann", "bob")
    ]
    # Numbers go on where they were.
    assert product.messages.save(1, 1, Draft(subject="New")).id == 5
    ticket = product.sends.to_failed(account=product.accounts.all()[0], login=None, job=records[0].job)
    assert ticket is not None
    assert ticket.job.id == 4
    old.close()
