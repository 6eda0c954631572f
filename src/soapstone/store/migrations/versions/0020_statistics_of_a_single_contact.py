"""PostgreSQL takes no account for one with few contacts

Statistics of a table that holds a single contact say that each contact has an account of its own. With them PostgreSQL
goes through all contacts of the account for each row of an import, until it gathers statistics again.
"""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE contact ALTER COLUMN account_id SET (n_distinct = 1)")
