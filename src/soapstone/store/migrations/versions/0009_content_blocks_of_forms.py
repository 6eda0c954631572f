"""which content blocks of a profile the person may have written, so that they are no HTML"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "membership", sa.Column("form_values", sa.JSON(none_as_null=True).with_variant(JSONB(), "postgresql"))
    )
