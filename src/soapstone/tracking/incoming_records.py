"""What was made of mails that came in, for the people who look after them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select

from soapstone.store.repository import Repository
from soapstone.store.tables import incoming_mails
from soapstone.vocabulary.tracking import IncomingOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingRecord:
    """A mail that came in, for one sent mail that it is about; `delivery_id` is None if it names none.

    `source` is the way in. `address`, `code` and `detail` are what it says: the recipient, the status, and the server's
    words or the feedback type. `has_content` says whether the beginning of the mail is kept.
    """

    id: int
    received_at: datetime
    source: str
    kind: str
    outcome: str
    delivery_id: int | None
    address: str
    code: str
    detail: str
    has_content: bool


class IncomingRecords(Repository):
    """Reads incoming mails of one account, or with account None of all accounts and of none."""

    def after(
        self, account_id: int | None, after: int = 0, limit: int = 100, *, outcome: IncomingOutcome | None = None
    ) -> list[IncomingRecord]:
        """Return incoming mails above a number, ascending."""
        table = incoming_mails.c
        names = [name for name in IncomingRecord.__dataclass_fields__ if name != "has_content"]
        query = select(*(table[name] for name in names), table.content.is_not(None).label("has_content"))
        query = query.where(table.id > after, *_of(account_id))
        if outcome is not None:
            query = query.where(table.outcome == outcome.value)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(table.id).limit(limit)).mappings()
            return [IncomingRecord(**{**row, "has_content": bool(row["has_content"])}) for row in rows]

    def content(self, account_id: int | None, number: int) -> bytes | None:
        """Return the kept beginning of a mail; None if the mail is unknown, or nothing of it is kept."""
        query = select(incoming_mails.c.content).where(incoming_mails.c.id == number, *_of(account_id))
        with self._database.read() as connection:
            packed = connection.execute(query).scalar_one_or_none()
        return None if packed is None else zlib.decompress(packed)


def _of(account_id: int | None) -> tuple[ColumnElement[bool], ...]:
    return () if account_id is None else (incoming_mails.c.account_id == account_id,)
