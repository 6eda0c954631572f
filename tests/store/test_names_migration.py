"""Messages that shared a name before names were kept apart by an index: none is lost, and each is told of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import make_url, text

from soapstone.errors import NameTakenError
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.messages.messages import Messages
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.vocabulary.messages import MessageKind

THEN = 1_700_000_000_000_000


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    """A database as the version before had it, with two accounts."""
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
        command.upgrade(config, "0011")
        for name in ("A", "B"):
            _insert(connection, "account", name=name, time_zone="UTC", created_at=THEN)
    yield database
    database.close()


def _insert(connection: Any, table: str, **values: Any) -> None:
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"), values)


def test_later_messages_of_a_name_get_another_one(old: Database, caplog: pytest.LogCaptureFixture) -> None:
    """mm-96"""
    rows = [
        (1, "magnetmail", "Été"),
        (1, "magnetmail", "ÉTÉ"),
        (1, "magnetmail", "été "),
        (1, "magnetmail", "Été (3)"),
        (2, "magnetmail", "Été"),
        (1, "saved", "Été"),
        (1, "saved", "Été"),
        (1, "magnetmail", ""),
        (1, "magnetmail", " "),
        (1, "magnetmail", "x" * 255),
        (1, "magnetmail", "X" * 255),
        (1, "magnetmail", "\U0001f4e7" * 3000),
    ]
    with old.write() as connection:
        for number, (account, kind, name) in enumerate(rows, 1):
            times = {"created_at": THEN, "updated_at": THEN}
            _insert(connection, "message", account_id=account, kind=kind, name=name, public_id=str(number), **times)
    with caplog.at_level(logging.WARNING):
        schema.upgrade(old)
    schema.check(old)
    with old.read() as connection:
        names = list(connection.execute(text("SELECT name FROM message ORDER BY id")).scalars())
    kept = [name for _, _, name in rows]
    new = {1: "ÉTÉ (2)", 2: "été (4)", 10: "X" * 240 + " (2)"}
    assert names == [new.get(place, name) for place, name in enumerate(kept)]
    told = [record.getMessage() for record in caplog.records if record.name == "soapstone.migrations"]
    assert told == [
        f"message {place + 1} has the name of another one and is now named {name!r}" for place, name in new.items()
    ]
    save = Messages(old).save
    for name in ("été", "ÉTÉ (2)"):
        with pytest.raises(NameTakenError):
            save(1, None, Draft(subject="New"), kind=MessageKind.MAGNETMAIL, traits=Traits(name=name))
    save(2, None, Draft(subject="New"), kind=MessageKind.MAGNETMAIL, traits=Traits(name="ÉTÉ (2)"))
