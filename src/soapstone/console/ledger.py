"""The ledger of a send, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from soapstone.store.repository import Repository
from soapstone.store.tables import bounces, deliveries, delivery_activities


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """One recipient: `state` is one of DeliveryState, `reason` one of SkipReason for one that was skipped.

    `reply` is the last one of the mail server, or why no mail could be made; "" for none. Of a mail that came back,
    `bounce` is the class of the bounce and `words` what the other server said; "" for others.
    """

    id: int
    email: str
    state: str
    reason: str
    reply: str
    handed_at: datetime | None
    bounce: str
    words: str
    opened_at: datetime | None
    clicks: int


class Ledger(Repository):
    """Reads ledgers."""

    def page(
        self, job_id: int, *, state: str | None = None, reason: str | None = None, offset: int = 0, limit: int = 100
    ) -> list[LedgerRow]:
        """Return recipients of a send by address; `state` and `reason` pick some of them."""
        columns = [deliveries.c[name] for name in ("id", "email", "state", "reason", "reply", "handed_at")]
        bounce = [
            func.coalesce(bounces.c["class"], "").label("bounce"),
            func.coalesce(bounces.c.detail, "").label("words"),
        ]
        did = [delivery_activities.c.opened_at, func.coalesce(delivery_activities.c.clicks, 0).label("clicks")]
        # By address, since that is how the ledger is indexed.
        order = (deliveries.c.email_key, deliveries.c.id)
        query = (
            select(*columns, *bounce, *did)
            .select_from(deliveries)
            .join(bounces, bounces.c.delivery_id == deliveries.c.id, isouter=True)
            .join(delivery_activities, delivery_activities.c.delivery_id == deliveries.c.id, isouter=True)
            .where(deliveries.c.job_id == job_id)
            .order_by(*order)
            .offset(offset)
            .limit(limit)
        )
        if state is not None:
            query = query.where(deliveries.c.state == state)
        if reason is not None:
            query = query.where(deliveries.c.reason == reason)
        return self._database.records(LedgerRow, query)
