"""what a sender needs: messages of every kind, sends, and a ledger of handing over by SMTP"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

from soapstone.store.timestamps import Instant

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("job", sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("job", sa.Column("passes", sa.Boolean(), server_default=sa.false(), nullable=False))
    # Both tables are made anew, the ledger first, which points to the messages: SQLite can neither change a check nor
    # let go of NOT NULL.
    for table in ("delivery", "message"):
        op.execute(f"CREATE TABLE {table}_copy AS SELECT * FROM {table}")
        op.drop_table(table)
    _message()
    _copy_messages()
    _delivery()
    _copy_deliveries()
    for table in ("delivery", "message"):
        op.drop_table(f"{table}_copy")
    op.create_table(
        "send",
        sa.Column("job_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=True),
        sa.Column("list_id", ID, nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("is_test", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_send_account_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_send_job_id")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_send_message_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_send")),
    )
    op.create_index(op.f("ix_send_message_id"), "send", ["message_id"], unique=False)
    op.create_index(op.f("ix_send_source_id"), "send", ["source_id"], unique=False)
    op.create_index("ix_send_account_id_list_id", "send", ["account_id", "list_id"], unique=False)
    number = _number("job.request", "message_id")
    op.execute(
        "INSERT INTO send (job_id, account_id, message_id, list_id, purpose)"
        f" SELECT job.id, job.account_id, {number}, job.list_id,"
        " CASE WHEN job.kind = 'send_to_file' THEN 'file' ELSE 'list' END"
        " FROM job WHERE job.kind IN ('send_to_list', 'send_to_file')"
    )


def _postgresql() -> bool:
    return bool(context.get_context().dialect.name == "postgresql")


def _number(document: str, name: str) -> str:
    if _postgresql():
        return f"CAST({document} ->> '{name}' AS BIGINT)"
    return f"json_extract({document}, '$.{name}')"


def _text(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text(f"'{default}'"), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)


def _message() -> None:
    op.create_table(
        "message",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        _text("name"),
        sa.Column("public_id", sa.Text(), nullable=False),
        _text("subject"),
        _text("from_name"),
        _text("from_address"),
        _text("reply_address"),
        _text("to_name"),
        _text("html"),
        _text("plain"),
        _text("charset", "utf-8"),
        sa.Column("campaign_id", ID, nullable=True),
        sa.Column("category_id", ID, nullable=True),
        _flag("archived"),
        _flag("hidden"),
        _flag("has_own_links"),
        sa.Column("extras", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("login_id", ID, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.CheckConstraint("kind IN ('saved', 'transactional', 'magnetmail', 'send')", name=op.f("ck_message_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_message_account_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_message_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("public_id", name=op.f("uq_message_public_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_message_account_id"), "message", ["account_id"], unique=False)
    op.create_index(op.f("ix_message_list_id"), "message", ["list_id"], unique=False)


def _copy_messages() -> None:
    token = "replace(CAST(gen_random_uuid() AS TEXT), '-', '')" if _postgresql() else "lower(hex(randomblob(16)))"
    same = "subject, from_name, from_address, reply_address, to_name, html, plain"
    op.execute(
        f"INSERT INTO message (id, account_id, list_id, kind, public_id, {same}, created_at, updated_at)"
        f" SELECT id, account_id, list_id, CASE WHEN saved THEN 'saved' ELSE 'send' END, {token}, {same},"
        " created_at, created_at FROM message_copy ORDER BY id"
    )
    _go_on_counting("message")


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("fields", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _text("reason"),
        sa.Column("handed_at", Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("doubts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _text("reply"),
        sa.Column("next_try_at", Instant(), nullable=True),
        _flag("is_test"),
        sa.CheckConstraint(
            "state IN ('chosen', 'skipped', 'built', 'handing', 'handed', 'deferred', 'uncertain', 'failed',"
            " 'bounced')",
            name=op.f("ck_delivery_state"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_delivery_account_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_delivery_job_id")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_delivery_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_delivery_job_id_email_key", "delivery", ["job_id", "email_key"], unique=False)
    op.create_index("ix_delivery_message_id_email_key", "delivery", ["message_id", "email_key"], unique=False)
    op.create_index("ix_delivery_contact_id", "delivery", ["contact_id"], unique=False)
    waiting = sa.text("next_try_at IS NOT NULL")
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["job_id", "next_try_at"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _copy_deliveries() -> None:
    same = "id, account_id, job_id, message_id, contact_id, email, email_key, fields, state, reason, handed_at"
    op.execute(f"INSERT INTO delivery ({same}) SELECT {same} FROM delivery_copy ORDER BY id")
    _go_on_counting("delivery")


def _go_on_counting(table: str) -> None:
    # SQLite goes on after the largest number by itself.
    if _postgresql():
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) IS NOT NULL"
        )
