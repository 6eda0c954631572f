"""Stored messages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from soapstone.sending.content import Content, check_addresses, check_storable
from soapstone.sending.message import Draft, Message
from soapstone.store.database import Database
from soapstone.store.instants import now
from soapstone.store.tables import messages


class Messages:
    """All messages of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, account_id: int, list_id: int, draft: Draft) -> Message:
        """Store a message for later use; subject, bodies and sender may still be empty.

        Raises InvalidMessage for templates that are not correct and for addresses that are none.
        """
        check_storable(draft)
        check_addresses(draft)
        Content(draft)
        with self._database.write() as connection:
            return store(connection, account_id, list_id, draft, saved=True)

    def get(self, account_id: int, message_id: int) -> Message | None:
        """The message of that number in the account."""
        query = select(messages).where(messages.c.account_id == account_id, messages.c.id == message_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _message(row)


def store(connection: Connection, account_id: int, list_id: int, draft: Draft, *, saved: bool) -> Message:
    """Store a message in the caller's transaction."""
    parts = {name: getattr(draft, name) for name in Draft.__dataclass_fields__}
    values = {"account_id": account_id, "list_id": list_id, "saved": saved, "created_at": now(), **parts}
    return _message(connection.execute(insert(messages).values(**values).returning(messages)).one())


def _message(row: Row[Any]) -> Message:
    return Message(**row._mapping)
