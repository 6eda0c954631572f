"""Records of the version that compared addresses in lower case only get their new keys; no contact is merged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import make_url, text

from soapstone.addresses import address_key
from soapstone.contacts.duplicates import Duplicates
from soapstone.store import schema
from soapstone.store.database import Database

THEN = 1_700_000_000_000_000
MAILBOX = "ann@xn--bcher-kva.example"


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    """A database as the version before had it, with two accounts: the second one knows people by custom ids."""
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
        command.upgrade(config, "0007")
        for number, identifier in enumerate(("email", "custom_id"), 1):
            _insert(connection, "account", name=f"A{number}", time_zone="UTC", identifier=identifier, created_at=THEN)
            _insert(connection, "list", account_id=number, name="News", created_at=THEN)
    yield database
    database.close()


def _insert(connection: Any, table: str, **values: Any) -> None:
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"), values)


def _contact(connection: Any, email: str, account_id: int = 1) -> None:
    key = email.lower()
    unique = key if account_id == 1 else None
    times = {"created_at": THEN, "updated_at": THEN}
    _insert(connection, "contact", account_id=account_id, email=email, email_key=key, unique_email=unique, **times)


def _contacts(database: Database) -> list[tuple[Any, ...]]:
    query = text("SELECT id, email_key, unique_email, double_of FROM contact ORDER BY id")
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_the_oldest_contact_of_a_mailbox_has_it_and_none_is_merged(old: Database) -> None:
    """lk-64"""
    emails = [
        "bob@example.com",
        "ann@bu\u0308cher.example",
        "Ann@XN--BCHER-KVA.example",
        "ann@bücher.example",
        "ann@ｂüｃｈｅｒ．example",
        "éva@example.com",
        "e\u0301va@Example.com",
        "zoe@münchen.example",
    ]
    with old.write() as connection:
        for email in emails:
            _contact(connection, email)
    schema.upgrade(old)
    schema.check(old)
    assert _contacts(old) == [
        (1, "bob@example.com", "bob@example.com", None),
        (2, MAILBOX, MAILBOX, None),
        (3, MAILBOX, None, 2),
        (4, MAILBOX, None, 2),
        (5, MAILBOX, None, 2),
        # Its key was right before; it is the oldest.
        (6, "éva@example.com", "éva@example.com", None),
        (7, "éva@example.com", None, 6),
        (8, "zoe@xn--mnchen-3ya.example", "zoe@xn--mnchen-3ya.example", None),
    ]
    assert Duplicates(old).counts() == {"A1": 4}
    with old.read() as connection:
        kept = connection.execute(text("SELECT email FROM contact ORDER BY id")).scalars().all()
    assert kept == emails
    assert [row[1] for row in _contacts(old)] == [address_key(email) for email in emails]


def test_a_younger_contact_gives_the_mailbox_up(old: Database) -> None:
    """lk-64: the one whose key was right all the time is not the oldest."""
    with old.write() as connection:
        for email in ("ann@bu\u0308cher.example", "ann@bücher.example", MAILBOX):
            _contact(connection, email)
    schema.upgrade(old)
    assert _contacts(old) == [(1, MAILBOX, MAILBOX, None), (2, MAILBOX, None, 1), (3, MAILBOX, None, 1)]


def test_people_with_custom_ids_share_an_address_as_before(old: Database) -> None:
    """mm-53"""
    with old.write() as connection:
        for email in ("ann@bücher.example", MAILBOX):
            _contact(connection, email, account_id=2)
    schema.upgrade(old)
    assert _contacts(old) == [(1, MAILBOX, None, None), (2, MAILBOX, None, None)]


def test_blocks_review_groups_and_ledgers_get_their_keys(old: Database) -> None:
    """lk-64: suppressions that become the same are one, as old as the oldest."""
    with old.write() as connection:
        for at, (kind, list_id, key) in enumerate(
            [
                ("suppressed", 0, MAILBOX),
                ("suppressed", 0, "ann@bücher.example"),
                ("suppressed", 1, "ann@bücher.example"),
                ("banned", 0, "ann@bücher.example"),
                ("banned", 0, "bob@example.com"),
            ]
        ):
            values = {"account_id": 1, "list_id": list_id, "kind": kind, "email_key": key, "created_at": THEN - at}
            _insert(connection, "suppression", **values)
        for email in ("Ann@bücher.example", "rev@example.com", MAILBOX):
            keys = {"email": email, "email_key": email.lower(), "created_at": THEN}
            _insert(connection, "review_address", account_id=1, list_id=1, **keys)
        times = {"created_at": THEN, "updated_at": THEN}
        _insert(connection, "message", account_id=1, kind="send", public_id="x", **times)
        job = {"submitted_at": THEN, "due_at": THEN, "finished_at": THEN, "state": "completed"}
        _insert(connection, "job", account_id=1, kind="send_to_list", **job)
        for email in ("Ann@bücher.example", "bob@example.com"):
            row = {"account_id": 1, "job_id": 1, "message_id": 1, "state": "handed", "email": email}
            _insert(connection, "delivery", email_key=email.lower(), **row)
    schema.upgrade(old)

    def rows(query: str) -> list[tuple[Any, ...]]:
        with old.read() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    blocks = rows("SELECT kind, list_id, email_key, created_at FROM suppression ORDER BY kind, list_id, email_key")
    assert blocks == [
        ("banned", 0, MAILBOX, THEN - 3),
        ("banned", 0, "bob@example.com", THEN - 4),
        ("suppressed", 0, MAILBOX, THEN - 1),
        ("suppressed", 1, MAILBOX, THEN - 2),
    ]
    assert rows("SELECT email, email_key FROM review_address ORDER BY id") == [
        ("Ann@bücher.example", MAILBOX),
        ("rev@example.com", "rev@example.com"),
    ]
    assert rows("SELECT email_key FROM delivery ORDER BY id") == [(MAILBOX,), ("bob@example.com",)]


def test_many_pages_of_contacts_are_gone_through(old: Database) -> None:
    with old.write() as connection:
        rows = [
            {"n": n, "email": f"p{n}@{'bücher' if n % 2 else 'xn--bcher-kva'}.example", "at": THEN} for n in range(5001)
        ]
        query = "INSERT INTO contact (account_id, email, email_key, unique_email, created_at, updated_at)"
        connection.execute(text(f"{query} VALUES (1, :email, :email, :email, :at, :at)"), rows)
    schema.upgrade(old)
    with old.read() as connection:
        wrong = "SELECT count(*) FROM contact WHERE email_key <> unique_email OR unique_email NOT LIKE '%xn--%'"
        assert connection.execute(text(wrong)).scalar_one() == 0
        assert connection.execute(text("SELECT count(unique_email) FROM contact")).scalar_one() == 5001
