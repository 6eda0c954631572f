"""what people are found by lies in the order of its characters, on PostgreSQL"""

from alembic import op

revision = "0007"
down_revision = "0006"

NAME = "ix_contact_account_id_email_beginning"
KEYS = {
    "contact": ("email_key", "unique_email", "custom_id"),
    "suppression": ("email_key",),
    "review_address": ("email_key",),
    "delivery": ("email_key",),
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # The unique index finds beginnings now.
        op.drop_index(NAME, "contact")
        _collate('"C"')


def _collate(collation: str) -> None:
    # One statement for each table, so that each is written anew once.
    for table, columns in KEYS.items():
        changes = ", ".join(f"ALTER COLUMN {name} TYPE text COLLATE {collation}" for name in columns)
        op.execute(f"ALTER TABLE {table} {changes}")
