"""names of MagnetMail's messages are kept apart by an index; later messages of a name get another one"""

import logging
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

revision = "0012"
down_revision = "0011"

log = logging.getLogger("soapstone.migrations")

PAGE = 2000
LONGEST_KEY = 500
# Characters of a name that stay before its number: a name has at most 255.
LONGEST_START = 240


def upgrade() -> None:
    op.add_column("message", sa.Column("unique_name", sa.Text().with_variant(TEXT(collation="C"), "postgresql")))
    op.create_index("ix_message_account_id_unique_name", "message", ["account_id", "unique_name"], unique=True)
    _name_messages(op.get_bind())


def _name_messages(connection: sa.Connection) -> None:
    """Give messages their keys. The first one of a name keeps it; the log names each later one."""
    taken = sa.text("SELECT 1 FROM message WHERE account_id = :account AND unique_name = :key")
    keep = sa.text("UPDATE message SET name = :name, unique_name = :key WHERE id = :id")

    def is_taken(account_id: int, name: str) -> bool:
        return connection.execute(taken, {"account": account_id, "key": _key(name)}).first() is not None

    for row in _messages(connection):
        if _key(row.name) and not is_taken(row.account_id, row.name):
            connection.execute(keep, {"id": row.id, "name": row.name, "key": _key(row.name)})
    # Now all names that messages have already are known.
    for row in _messages(connection):
        if not _key(row.name):
            continue
        number = 2
        while is_taken(row.account_id, name := f"{row.name.strip()[:LONGEST_START]} ({number})"):
            number += 1
        connection.execute(keep, {"id": row.id, "name": name, "key": _key(name)})
        log.warning("message %d has the name of another one and is now named %r", row.id, name)


def _messages(connection: sa.Connection) -> Iterator[sa.Row[Any]]:
    """The messages without a key by number; they may be changed meanwhile."""
    query = sa.text(
        "SELECT id, account_id, name FROM message WHERE kind = 'magnetmail' AND unique_name IS NULL AND id > :after"
        f" ORDER BY id LIMIT {PAGE}"
    )
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        yield from rows
        after = rows[-1].id


def _key(name: str) -> str:
    return name.strip().casefold()[:LONGEST_KEY]
