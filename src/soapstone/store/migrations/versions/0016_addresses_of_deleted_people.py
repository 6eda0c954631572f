"""keyed hashes of the addresses of people who were deleted"""

import sqlalchemy as sa
from alembic import op

from soapstone.store.timestamps import Instant

revision = "0016"
down_revision = "0015"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "erased_address",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("erased_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_erased_address_account_id"),
        sa.PrimaryKeyConstraint("account_id", "address_hash", name="pk_erased_address"),
    )
