"""which key signs a link, and what tells these records from those of other installations"""

import secrets

import sqlalchemy as sa
from alembic import op

from soapstone.clock import now
from soapstone.store.timestamps import Instant

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    key = op.create_table(
        "link_key",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("first_delivery", sa.BigInteger(), nullable=False),
        sa.Column("last_delivery", sa.BigInteger()),
        sa.Column("first_contact", sa.BigInteger(), nullable=False),
        sa.Column("last_contact", sa.BigInteger()),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_link_key")),
    )
    connection = op.get_bind()
    in_use = connection.scalar(sa.text("SELECT count(*) FROM account")) > 0
    # Links of mails that were sent before are signed with the secret itself, and stay good.
    salt = "" if in_use else secrets.token_urlsafe(32)
    first = {"number": 1, "salt": salt, "first_delivery": 0, "first_contact": 0, "created_at": now()}
    op.bulk_insert(key, [first])
    statement = sa.text("INSERT INTO secret (name, value) VALUES ('records', :value)")
    connection.execute(statement, {"value": secrets.token_hex(16)})
