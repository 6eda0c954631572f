"""disabled and deleted logins, the right to use the console, the demo's login, and the audit trail"""

import sqlalchemy as sa
from alembic import op

from soapstone.store.timestamps import Instant

revision = "0013"
down_revision = "0012"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # All logins could use the console.
    op.add_column("login", sa.Column("may_use_console", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("login", sa.Column("is_demo", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("login", sa.Column("disabled_at", Instant()))
    op.add_column("login", sa.Column("deleted_at", Instant()))
    login = sa.table("login", *map(sa.column, ("account_id", "name_key", "is_demo")))
    account = sa.table("account", *map(sa.column, ("id", "name")))
    # Made by --demo, which left no mark so far.
    demo = sa.select(account.c.id).where(account.c.name == "DEMO")
    made = (login.c.name_key == "demo") & login.c.account_id.in_(demo)
    op.execute(sa.update(login).where(made).values(is_demo=sa.true()))
    op.create_table(
        "audit_entry",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("login_id", ID),
        sa.Column("login_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("address", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_audit_entry_account_id"),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name="fk_audit_entry_login_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    op.create_index("ix_audit_entry_account_id_id", "audit_entry", ["account_id", "id"])
    op.create_index("ix_audit_entry_login_id_action_at", "audit_entry", ["login_id", "action", "at"])
