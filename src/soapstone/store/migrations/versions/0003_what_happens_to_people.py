"""what happens to people, categories, saved searches, events, and keys of the REST API"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from soapstone.store.timestamps import Instant

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secret")),
    )
    op.create_table(
        "list_category",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("login_id", ID, nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_list_category_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_category")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_list_category_account_id"), "list_category", ["account_id"], unique=False)
    op.create_table(
        "message_category",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("login_id", ID, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_message_category_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_category")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_message_category_account_id"), "message_category", ["account_id"], unique=False)
    op.create_table(
        "object_mapping",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("own_type", sa.Text(), nullable=False),
        sa.Column("own_id", ID, nullable=False),
        sa.Column("own_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("login_id", ID, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_object_mapping_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object_mapping")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_object_mapping_account_id"), "object_mapping", ["account_id"], unique=False)
    op.create_table(
        "occasion",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_occasion_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occasion")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_occasion_account_id"), "occasion", ["account_id"], unique=False)
    op.create_table(
        "saved_search",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("login_id", ID, nullable=True),
        sa.Column("criteria", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_saved_search_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_saved_search_account_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_token",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("login_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_api_token_account_id")),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_api_token_login_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_api_token_login_id"), "api_token", ["login_id"], unique=False)
    op.create_table(
        "campaign",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_campaign_account_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_campaign_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_campaign_list_id"), "campaign", ["list_id"], unique=False)
    op.create_table(
        "contact_event",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("message_category_id", ID, nullable=True),
        sa.Column("list_category_id", ID, nullable=True),
        sa.Column("external_event_id", ID, nullable=True),
        sa.Column("part_of", ID, nullable=True),
        sa.Column("detail", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('added', 'changed', 'joined', 'left', 'subscribed', 'waiting', 'unsubscribed', 'profile',"
            " 'suppressed', 'released', 'complained', 'raised')",
            name=op.f("ck_contact_event_kind"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_contact_event_account_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_contact_event_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_event")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_contact_event_account_id_kind_at", "contact_event", ["account_id", "kind", "at"], unique=False)
    op.create_index("ix_contact_event_contact_id_id", "contact_event", ["contact_id", "id"], unique=False)
    op.create_table(
        "external_event",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_external_event_account_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_external_event_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_external_event_list_id"), "external_event", ["list_id"], unique=False)
    op.create_table(
        "idempotent_answer",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("login_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_idempotent_answer_account_id")),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_idempotent_answer_login_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotent_answer")),
        sa.UniqueConstraint("login_id", "key", name=op.f("uq_idempotent_answer_login_id_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_idempotent_answer_created_at"), "idempotent_answer", ["created_at"], unique=False)
    op.create_table(
        "opt_out",
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("kind IN ('list', 'list_category', 'message_category')", name=op.f("ck_opt_out_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_opt_out_account_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_opt_out_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", "kind", "target_id", name=op.f("pk_opt_out")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "review_address",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("list_id", ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_review_address_account_id")),
        sa.ForeignKeyConstraint(["list_id"], ["list.id"], name=op.f("fk_review_address_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_address")),
        sa.UniqueConstraint("list_id", "email_key", name=op.f("uq_review_address_list_id_email_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sign_up",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("occasion_id", ID, nullable=False),
        sa.Column("call_id", ID, nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("last_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reference", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("answers", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_sign_up_account_id")),
        sa.ForeignKeyConstraint(["occasion_id"], ["occasion.id"], name=op.f("fk_sign_up_occasion_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_up")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sign_up_occasion_id"), "sign_up", ["occasion_id"], unique=False)
    op.add_column("account", sa.Column("unsubscribe_type", sa.Text(), server_default=sa.text("'all'"), nullable=False))
    op.add_column("account", sa.Column("field_labels", DOCUMENT, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("contact", sa.Column("text_only", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("contact", sa.Column("unsubscribed_at", Instant(), nullable=True))
    op.add_column("contact", sa.Column("channels_shut", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("contact", sa.Column("suppressed_at", Instant(), nullable=True))
    op.create_index("ix_contact_account_id_id", "contact", ["account_id", "id"], unique=False)
    op.add_column("list", sa.Column("category_id", ID, nullable=True))
