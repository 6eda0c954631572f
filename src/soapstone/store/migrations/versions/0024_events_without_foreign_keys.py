"""less work on PostgreSQL for each event of a mail

The tables that the recorder fills lose their foreign keys, whose triggers ran for each row; `soapstone db check
--references` proves them. Two indexes of events leave out the events that have no such number, as on SQLite.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

KEYS = (
    ("mail_event", "message_id", "message"),
    ("mail_event", "account_id", "account"),
    ("delivery_activity", "delivery_id", "delivery"),
    ("delivery_activity", "account_id", "account"),
)
INDEXES = {
    "ix_mail_event_first_number": ["message_id", "is_test", "kind", "first_number"],
    "ix_mail_event_link_id": ["link_id", "is_test", "kind", "link_number"],
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, column, _ in KEYS:
            op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")
        _index(partial=True)


def _index(*, partial: bool) -> None:
    for name, columns in INDEXES.items():
        op.drop_index(name, "mail_event")
        where = sa.text(f"{columns[-1]} IS NOT NULL") if partial else None
        op.create_index(name, "mail_event", columns, unique=True, postgresql_where=where)
