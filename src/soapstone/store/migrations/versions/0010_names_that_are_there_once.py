"""names of MagnetMail's messages are kept apart by an index; later messages of a name get another one"""

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

log = logging.getLogger("soapstone.migrations")

PAGE = 2000
LONGEST_KEY = 500


def upgrade() -> None:
    op.add_column("message", sa.Column("unique_name", sa.Text().with_variant(TEXT(collation="C"), "postgresql")))
    op.create_index("ix_message_account_id_unique_name", "message", ["account_id", "unique_name"], unique=True)
    _name_messages(op.get_bind())


def downgrade() -> None:
    op.drop_index("ix_message_account_id_unique_name", "message")
    op.drop_column("message", "unique_name")


def _name_messages(connection: sa.Connection) -> None:
    """Give messages their keys by number: the first one keeps its name, and each later one is named in the log."""
    query = sa.text(
        f"SELECT id, account_id, name FROM message WHERE kind = 'magnetmail' AND id > :after ORDER BY id LIMIT {PAGE}"
    )
    taken = sa.text("SELECT 1 FROM message WHERE account_id = :account AND unique_name = :key")
    keep = sa.text("UPDATE message SET name = :name, unique_name = :key WHERE id = :id")
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        after = rows[-1].id
        for row in rows:
            name, number = row.name, 1
            while (key := _key(name)) and connection.execute(taken, {"account": row.account_id, "key": key}).first():
                number += 1
                name = f"{row.name[:240]} ({number})"
            connection.execute(keep, {"id": row.id, "name": name, "key": key or None})
            if name != row.name:
                log.warning("message %d has the name of another one and is now named %r", row.id, name)


def _key(name: str) -> str:
    return name.strip().casefold()[:LONGEST_KEY]
