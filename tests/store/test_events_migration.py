"""Mails that were sent before events were recorded are events afterwards, and numbers go on from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import make_url, select, text

from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import bounces, deliveries
from soapstone.tracking import figures
from soapstone.tracking.recording import FinalResult, record_results
from soapstone.tracking.reports import EventReports, MailEvent
from soapstone.vocabulary.tracking import BounceClass, MailEventKind

THEN = 1_700_000_000_000_000
SECOND = 1_000_000


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    """A database as the version before had it."""
    if database_url.startswith("sqlite"):
        Path(str(make_url(database_url).database)).unlink()
    database = Database(database_url)
    with database.write() as connection:
        if database.kind == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    config = schema.migrations()
    with database.write() as connection:
        config.attributes |= {"connection": connection, "database": database}
        command.upgrade(config, "0016")
        _fill(connection)
    yield database
    database.close()


def _insert(connection: Any, table: str, **values: Any) -> None:
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"), values)


def _fill(connection: Any) -> None:
    _insert(connection, "account", name="A", time_zone="UTC", created_at=THEN)
    _insert(connection, "list", account_id=1, name="News", created_at=THEN)
    for number in (1, 2):
        times = {"created_at": THEN, "updated_at": THEN}
        _insert(connection, "contact", account_id=1, email=f"{number}@example.com", **times)
        _insert(connection, "message", account_id=1, kind="send", public_id=f"p{number}", **times)
    for job in (1, 2, 3):
        times = {"submitted_at": THEN, "due_at": THEN, "started_at": THEN}
        _insert(connection, "job", account_id=1, kind="send", list_id=1, state="completed", steps=3, **times,
                finished_at=THEN + 100 * SECOND)  # fmt: skip
        _insert(connection, "send", job_id=job, account_id=1, message_id=1 if job < 3 else 2, list_id=1,
                purpose="test" if job == 2 else "list", is_test=job == 2)  # fmt: skip
    for row in (
        # Later than the next one.
        {"job_id": 1, "message_id": 1, "contact_id": 1, "state": "handed", "handed_at": THEN + 9 * SECOND},
        {"job_id": 1, "message_id": 1, "contact_id": None, "state": "handed", "handed_at": THEN + 5 * SECOND},
        # Refused by the server.
        {"job_id": 1, "message_id": 1, "contact_id": 2, "state": "failed", "attempts": 1, "reply": "550 5.1.1 No"},
        # Too large to be built.
        {"job_id": 1, "message_id": 1, "contact_id": 2, "state": "failed"},
        {"job_id": 1, "message_id": 1, "contact_id": 2, "state": "skipped"},
        {"job_id": 2, "message_id": 1, "contact_id": 1, "state": "handed", "handed_at": THEN, "is_test": True},
        {"job_id": 3, "message_id": 2, "contact_id": 2, "state": "handed", "handed_at": THEN + 7 * SECOND},
    ):
        _insert(connection, "delivery", account_id=1, email="x@example.com", email_key="x@example.com", **row)


def test_mails_of_before_are_events(old: Database) -> None:
    schema.upgrade(old)
    schema.check(old)
    reports = EventReports(old)

    def events(message: int, kind: MailEventKind, **how: Any) -> list[int | None]:
        page = reports.of_message(1, message, kind, **how)
        assert page.total == len(page.events)
        return [event.delivery_id for event in page.events]

    def account(kind: MailEventKind) -> list[MailEvent]:
        return reports.of_account(1, kind).events

    assert events(1, MailEventKind.SENT) == [2, 1, 3]
    assert events(1, MailEventKind.SENT, is_test=True) == [6]
    assert events(2, MailEventKind.SENT) == [7]
    assert events(1, MailEventKind.BOUNCE) == [3]
    assert [event.delivery_id for event in account(MailEventKind.SENT)] == [7, 1, 3]
    assert [(found.sent, found.bounced) for found in figures.of_sends(old, [1, 2, 3]).values()] == [
        (3, 1),
        (1, 0),
        (1, 0),
    ]
    with old.read() as connection:
        bounce = connection.execute(select(bounces)).mappings().one()
    assert (bounce["delivery_id"], bounce["class"], bounce["detail"]) == (3, BounceClass.UNKNOWN, "550 5.1.1 No")

    with old.write() as connection:
        connection.execute(deliveries.update().where(deliveries.c.id == 5).values(state="handed"))
        record_results(connection, [FinalResult(delivery_id=5)])
    assert events(1, MailEventKind.SENT) == [2, 1, 3, 5]
    assert [event.delivery_id for event in account(MailEventKind.SENT)] == [7, 1, 3, 5]
    dates = [event.at for event in account(MailEventKind.SENT)]
    assert dates == sorted(dates)
