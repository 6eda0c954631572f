"""heartbeats of workers"""

import sqlalchemy as sa
from alembic import op

from soapstone.store.timestamps import Instant

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("beat_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_worker"),
    )
