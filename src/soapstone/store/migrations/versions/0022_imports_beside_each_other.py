"""imports of one account beside each other, without a trigger for each row

Numbers that an import has taken have a table of their own, so that no other import waits for its chunk. PostgreSQL
loses the foreign keys of the tables that imports fill; `soapstone db check --references` proves them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEYS = (
    ("contact", "account_id", "account"),
    ("membership", "list_id", "list"),
    ("membership", "contact_id", "contact"),
    ("membership", "account_id", "account"),
    ("contact_event", "account_id", "account"),
    ("contact_event", "contact_id", "contact"),
)


def upgrade() -> None:
    op.create_table(
        "taken_number",
        sa.Column("job_id", ID, autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("numbers", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_taken_number_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_taken_number")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table, column, _ in KEYS:
            op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")
