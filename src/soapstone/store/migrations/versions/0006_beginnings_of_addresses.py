"""beginnings of addresses, on PostgreSQL"""

from alembic import op

revision = "0006"
down_revision = "0005"

NAME = "ix_contact_account_id_email_beginning"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        ops = {"email_key": "text_pattern_ops"}
        op.create_index(NAME, "contact", ["account_id", "email_key"], postgresql_ops=ops)
