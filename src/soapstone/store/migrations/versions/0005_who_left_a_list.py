"""who left a list, by date"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

REMOVED = sa.text("removed_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_membership_list_id_removed_at",
        "membership",
        ["list_id", "removed_at", "contact_id"],
        sqlite_where=REMOVED,
        postgresql_where=REMOVED,
    )
