"""The ledger of a send, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from soapstone.store.database import Database
from soapstone.store.tables import deliveries


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """One recipient: `state` is one of DeliveryState, `reason` one of SkipReason for one that was skipped.

    `reply` is the last one of the mail server, or why no mail could be made; "" for none.
    """

    id: int
    email: str
    state: str
    reason: str
    reply: str
    handed_at: datetime | None


class Ledger:
    """Reads ledgers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, job_id: int, *, state: str | None = None, reason: str | None = None, offset: int = 0, limit: int = 100
    ) -> list[LedgerRow]:
        """Return recipients of a send by address; `state` and `reason` pick some of them."""
        columns = [deliveries.c[name] for name in LedgerRow.__dataclass_fields__]
        # By address, since that is how the ledger is indexed.
        order = (deliveries.c.email_key, deliveries.c.id)
        query = select(*columns).where(deliveries.c.job_id == job_id).order_by(*order).offset(offset).limit(limit)
        if state is not None:
            query = query.where(deliveries.c.state == state)
        if reason is not None:
            query = query.where(deliveries.c.reason == reason)
        with self._database.read() as connection:
            return [LedgerRow(**row) for row in connection.execute(query).mappings()]
