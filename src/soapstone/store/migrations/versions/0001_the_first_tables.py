"""the first tables"""

import re

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

from soapstone.store.timestamps import Instant

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("identifier", sa.Text(), server_default=sa.text("'email'"), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("identifier IN ('email', 'custom_id')", name=op.f("ck_account_identifier")),
        sa.ForeignKeyConstraint(["parent_id"], ["account.id"], name=op.f("fk_account_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "logon_failure",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("failed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logon_failure")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_logon_failure_name_key_failed_at", "logon_failure", ["name_key", "failed_at"], unique=False)

    op.create_table(
        "allowed_address",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_allowed_address_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allowed_address")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_allowed_address_account_id"), "allowed_address", ["account_id"], unique=False)

    op.create_table(
        "contact",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("email", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("email_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("unique_email", sa.Text(), nullable=True),
        sa.Column("custom_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("first_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("last_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("phone", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("fax", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("address", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("address2", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("city", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("zip", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("company", sa.Text(), server_default=sa.text("''"), nullable=False),
        *(sa.Column(f"custom{n}", sa.Text(), server_default=sa.text("''"), nullable=False) for n in range(1, 31)),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_contact_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("account_id", "unique_email", name=op.f("uq_contact_account_id_unique_email")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_contact_account_id_custom_id",
        "contact",
        ["account_id", "custom_id"],
        unique=False,
        sqlite_where=sa.text("custom_id <> ''"),
        postgresql_where=sa.text("custom_id <> ''"),
    )
    op.create_index(
        "ix_contact_account_id_email_key",
        "contact",
        ["account_id", "email_key"],
        unique=False,
        sqlite_where=sa.text("unique_email IS NULL"),
        postgresql_where=sa.text("unique_email IS NULL"),
    )

    op.create_table(
        "list",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("settings", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("visible", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("on_subscription_page", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("members", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("subscribed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=True),
        sa.Column("updated_by", ID, nullable=True),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_list_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_list_account_id"), "list", ["account_id"], unique=False)

    op.create_table(
        "login",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("may_call_api", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("may_see_analytics", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("all_lists", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_login_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
        sa.UniqueConstraint("name_key", name=op.f("uq_login_name_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_login_account_id"), "login", ["account_id"], unique=False)

    op.create_table(
        "suppression",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("kind IN ('suppressed', 'banned')", name=op.f("ck_suppression_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_suppression_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint(
            "account_id", "email_key", "kind", "list_id", name=op.f("uq_suppression_account_id_email_key_kind_list_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "granted_list",
        sa.Column("login_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_granted_list_list_id")),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_granted_list_login_id")),
        sa.PrimaryKeyConstraint("login_id", "list_id", name=op.f("pk_granted_list")),
    )
    op.create_table(
        "job",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("login_id", ID, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("list_id", ID, nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("step", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("steps", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("request", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("checkpoint", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("counters", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("blob_size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("submitted_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("worker", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint(
            "(finished_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled'))", name=op.f("ck_job_finished")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_job_state")
        ),
        sa.CheckConstraint("step >= 0 AND step <= steps", name=op.f("ck_job_step")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_job_account_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_job_list_id")),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_job_login_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_account_id_kind_list_id", "job", ["account_id", "kind", "list_id"], unique=False)
    op.create_index(
        "ix_job_open",
        "job",
        ["state", "list_id"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )

    op.create_table(
        "membership",
        sa.Column("list_id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("added_at", Instant(), nullable=False),
        sa.Column("added_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("removed_at", Instant(), nullable=True),
        sa.Column("removed_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("last_job", ID, nullable=True),
        sa.Column("profile", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("state IN ('subscribed', 'unsubscribed', 'waiting')", name=op.f("ck_membership_state")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_membership_account_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_membership_contact_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_membership_list_id")),
        sa.PrimaryKeyConstraint("list_id", "contact_id", name=op.f("pk_membership")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_membership_contact_id", "membership", ["contact_id"], unique=False)

    op.create_table(
        "message",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.Column("saved", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("from_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("from_address", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reply_address", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("to_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("plain", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_message_account_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_message_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_message_list_id"), "message", ["list_id"], unique=False)

    op.create_table(
        "profile_header",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_profile_header_account_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_profile_header_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_header")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_profile_header_list_id"), "profile_header", ["list_id"], unique=False)

    op.create_table(
        "session",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("login_id", ID, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_session_login_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_session_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_session_login_id"), "session", ["login_id"], unique=False)

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
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("handed_at", Instant(), nullable=True),
        sa.CheckConstraint("state IN ('chosen', 'skipped', 'built', 'handed')", name=op.f("ck_delivery_state")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_delivery_account_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_delivery_job_id")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_delivery_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_delivery_job_id_email_key", "delivery", ["job_id", "email_key"], unique=False)
    op.create_index("ix_delivery_message_id", "delivery", ["message_id"], unique=False)

    op.create_table(
        "job_event",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_event_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_job_event_job_id"), "job_event", ["job_id"], unique=False)

    op.create_table(
        "profile_attribute",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.Column("header_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("max_length", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_profile_attribute_account_id")),
        sa.ForeignKeyConstraint(["header_id"], ["profile_header.id"], name=op.f("fk_profile_attribute_header_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_profile_attribute_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_attribute")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_profile_attribute_header_id"), "profile_attribute", ["header_id"], unique=False)
    op.create_index(op.f("ix_profile_attribute_list_id"), "profile_attribute", ["list_id"], unique=False)

    op.create_table(
        "rejected_row",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fields", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_rejected_row_job_id")),
        sa.PrimaryKeyConstraint("job_id", "line", name=op.f("pk_rejected_row")),
        sqlite_with_rowid=False,
    )

    guards = context.config.attributes["database"].statement("guards")
    for statement in re.split(r"\n\n(?=--|CREATE)", guards):
        op.get_bind().exec_driver_sql(statement)
