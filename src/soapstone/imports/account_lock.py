"""How a chunk of an import holds its account: alone, or beside other imports of the account (PostgreSQL only).

Single changes of contacts lock the account's row FOR UPDATE, so they wait for imports and imports for them, either way.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, select, text

from soapstone.store.tables import accounts

# Seconds that an import leaves to those that wait for an account, before each chunk, and between two looks.
GIVE_WAY, PAUSE = 0.5, 0.01
# Who waits for a row holds the row's place in the queue. Imports would overtake it without end.
_QUEUE = text(
    "SELECT 1 FROM pg_locks WHERE locktype = 'tuple' AND granted AND relation = 'account'::regclass"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1"
)


def hold(connection: Connection, account_id: int, *, shared: bool) -> None:
    """Hold the account until the transaction ends; `shared` lets other imports hold it too."""
    query = select(accounts.c.id).where(accounts.c.id == account_id)
    if not shared:
        connection.execute(query.with_for_update())
        return
    end = time.monotonic() + GIVE_WAY
    while connection.execute(_QUEUE).first() is not None and time.monotonic() < end:
        time.sleep(PAUSE)
    connection.execute(query.with_for_update(read=True, key_share=True))
