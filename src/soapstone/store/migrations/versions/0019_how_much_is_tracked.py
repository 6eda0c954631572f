"""how much is recorded of the recipients of mails"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("account", sa.Column("tracking", sa.Text(), server_default="full", nullable=False))
    op.add_column("list", sa.Column("tracking", sa.Text(), server_default="", nullable=False))
