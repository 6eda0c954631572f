"""Campaigns, which group messages of a list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from soapstone.clock import now
from soapstone.lists.names import checked_name
from soapstone.store.numbers import add_row
from soapstone.store.repository import Repository
from soapstone.store.tables import campaigns, messages


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign of a list, with the number of its messages."""

    id: int
    account_id: int
    list_id: int
    name: str
    created_at: datetime
    messages: int


class Campaigns(Repository):
    """All campaigns of one installation."""

    def add(self, account_id: int, list_id: int, name: str, *, number: int | None = None) -> Campaign:
        """Create a campaign of a list; `number` as for add_row. Raises InvalidError and ConflictError."""
        name = checked_name(name, "campaign")
        values = {"account_id": account_id, "list_id": list_id, "name": name, "created_at": now()}
        with self._database.write() as connection:
            return Campaign(**add_row(connection, campaigns, values, number), messages=0)

    def all(self, list_id: int) -> list[Campaign]:
        """Return the campaigns of a list by number."""
        query = select(campaigns).where(campaigns.c.list_id == list_id).order_by(campaigns.c.id)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
            accounts = {row["account_id"] for row in found}
            # Once through the messages of the account, not once for each campaign.
            counted = select(messages.c.campaign_id, func.count()).where(messages.c.account_id.in_(accounts))
            counted = counted.where(messages.c.campaign_id.is_not(None)).group_by(messages.c.campaign_id)
            sizes: dict[int, int] = dict(connection.execute(counted).all()) if found else {}
        return [Campaign(**row, messages=sizes.get(row["id"], 0)) for row in found]

    def rename(self, account_id: int, campaign_id: int, name: str) -> bool:
        """Rename a campaign; False for an unknown one. Raises InvalidError."""
        here = (campaigns.c.account_id == account_id) & (campaigns.c.id == campaign_id)
        query = update(campaigns).where(here).values(name=checked_name(name, "campaign"))
        with self._database.write() as connection:
            return connection.execute(query).rowcount == 1

    def delete(self, account_id: int, campaign_id: int) -> bool:
        """Delete a campaign; its messages then belong to none. False for an unknown one."""
        here = (campaigns.c.account_id == account_id) & (campaigns.c.id == campaign_id)
        with self._database.write() as connection:
            if connection.execute(delete(campaigns).where(here)).rowcount != 1:
                return False
            connection.execute(update(messages).where(messages.c.campaign_id == campaign_id).values(campaign_id=None))
            return True
