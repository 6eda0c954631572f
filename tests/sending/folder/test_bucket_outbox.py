"""Mails in a bucket: each is stored before the ledger says so."""

from __future__ import annotations

from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from tests.sending.folder.conftest import BucketOffice

from soapstone.jobs.worker import Worker

PEOPLE = 20


def test_a_send_waits_while_the_bucket_is_away(bucket_office: BucketOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger names no mail that the bucket does not hold, and all are there in the end."""
    office, real, asked = bucket_office, obstore.put, list[str]()

    def failing(store: Any, key: str, *given: Any, **named: Any) -> Any:
        asked.append(key)
        if 5 <= len(asked) <= 12:
            raise GenericError("a bucket that is away")
        return real(store, key, *given, **named)

    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    monkeypatch.setattr(obstore, "put", failing)
    worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05, shortest_wait=0.05)
    worker.run(until=lambda: office.job(ticket).over)
    assert office.job(ticket).state == "completed"
    assert {state for _, state, _ in office.ledger(ticket)} == {"handed"}
    assert len(office.mails()) == PEOPLE
    assert len(asked) > PEOPLE
    assert office.left_over() == []


def test_who_left_while_a_mail_was_stored_gets_none(
    bucket_office: BucketOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket fails for one of two mails; the other is taken back when its recipient leaves before the retry."""
    office, real = bucket_office, obstore.put
    first, second = (office.contact(f"p{number}@example.com") for number in range(2))
    ticket = office.to_list()
    failures: list[str] = []

    def failing(store: Any, key: str, *given: Any, **named: Any) -> Any:
        if not failures and key.endswith(f"{office.rows(ticket)[1].id:010}.eml"):
            failures.append(key)
            raise GenericError("a bucket that is away")
        return real(store, key, *given, **named)

    monkeypatch.setattr(obstore, "put", failing)
    worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05, shortest_wait=0.5)

    def leave_once() -> bool:
        if failures and office.job(ticket).state == "queued" and len(failures) == 1:
            failures.append("left")
            assert len(list(office.mail.iterdir())) == 1
            leave(office, first)
        return office.job(ticket).over

    worker.run(until=leave_once)
    assert [(address, state) for address, state, _ in office.ledger(ticket)] == [
        ("p0@example.com", "skipped"),
        ("p1@example.com", "handed"),
    ]
    assert list(office.mails()) == ["p1@example.com"]
    assert second


def leave(office: BucketOffice, contact_id: int) -> None:
    from sqlalchemy import update

    from soapstone.store.tables import memberships

    with office.database.write() as connection:
        mine = memberships.c.contact_id == contact_id
        connection.execute(update(memberships).where(mine).values(state="unsubscribed"))
