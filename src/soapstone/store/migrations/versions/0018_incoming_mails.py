"""mails that came in about sent mails"""

import sqlalchemy as sa
from alembic import op

from soapstone.store.timestamps import Instant

revision = "0018"
down_revision = "0017"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = ("bounce", "delay", "success", "complaint", "receipt", "auto_reply", "reply")
OUTCOMES = ("recorded", "repeated", "waiting", "nothing", "unsigned", "expired", "not_sent")


def upgrade() -> None:
    op.create_table(
        "incoming_mail",
        sa.Column("id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("account_id", ID),
        sa.Column("delivery_id", ID),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("code", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.CheckConstraint(f"kind IN {KINDS!r}", name="ck_incoming_mail_kind"),
        sa.CheckConstraint(f"outcome IN {OUTCOMES!r}", name="ck_incoming_mail_outcome"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_incoming_mail_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_incoming_mail"),
        sa.UniqueConstraint("digest", name="uq_incoming_mail_digest"),
        sqlite_autoincrement=True,
    )
    signed = sa.text("delivery_id IS NOT NULL")
    op.create_index(
        "ix_incoming_mail_delivery_id",
        "incoming_mail",
        ["delivery_id"],
        sqlite_where=signed,
        postgresql_where=signed,
    )
    op.create_index("ix_incoming_mail_outcome", "incoming_mail", ["outcome", "received_at"])
