"""numbers that somebody chose, and the right to choose them"""

import sqlalchemy as sa
from alembic import op

from soapstone.store.timestamps import Instant

revision = "0014"
down_revision = "0013"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("login", sa.Column("may_choose_numbers", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "chosen_number",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", ID, nullable=False, autoincrement=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_chosen_number_account_id"),
        sa.PrimaryKeyConstraint("kind", "number", name="pk_chosen_number"),
        sqlite_with_rowid=False,
    )
