"""addresses from which logins come in, and failed logons by digest"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

# SQLite numbers rows by itself only in a column declared exactly INTEGER.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "login_address",
        sa.Column("login_id", ID, nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name="fk_login_address_login_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("login_id", "address_key", name="pk_login_address"),
    )
    # Failures count for minutes only, so the ones that are there are not carried over.
    op.drop_table("logon_failure")
    op.create_table(
        "logon_failure",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("count_key", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_logon_failure"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_logon_failure_count_key", "logon_failure", ["count_key"])
    op.create_index("ix_logon_failure_failed_at", "logon_failure", ["failed_at"])
