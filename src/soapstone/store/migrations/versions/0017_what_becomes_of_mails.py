"""events of sent mails, their links, bounces and figures"""

import sqlalchemy as sa
from alembic import op

from soapstone.store.timestamps import Instant

revision = "0017"
down_revision = "0016"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = ("sent", "bounce", "open", "read", "click", "machine_open", "machine_click")
CLASSES = ("user", "domain", "hard", "full", "size", "block", "content", "transient", "unknown")
SEND_FIGURES = (
    "sent",
    "bounced",
    "opens",
    "openers",
    "readers",
    "clicks",
    "clickers",
    "repeat_clickers",
    "complaints",
    "machine_opens",
    "machine_clicks",
    "erased_departures",
)
LINK_FIGURES = ("clicks", "clickers", "machine_clicks")

# Mails that were sent before events were recorded. A refusal had no date, so it gets that of its send's end. Its class
# is not known either.
FINAL = "(delivery.state IN ('handed', 'bounced') OR (delivery.state = 'failed' AND delivery.attempts > 0))"
DATED = f"""
    SELECT delivery.*, COALESCE(handed_at, job.finished_at, job.started_at, job.submitted_at) AS final_at
    FROM delivery JOIN job ON job.id = delivery.job_id WHERE {FINAL}
"""
EVENTS = f"""
    INSERT INTO mail_event (message_id, is_test, kind, number, account_id, at, job_id, delivery_id, account_number)
    SELECT message_id, is_test, '%(kind)s',
        row_number() OVER (PARTITION BY message_id, is_test ORDER BY final_at, id),
        account_id, final_at, job_id, id,
        CASE WHEN contact_id IS NULL OR is_test THEN NULL ELSE
            sum(CASE WHEN contact_id IS NULL OR is_test THEN 0 ELSE 1 END)
            OVER (PARTITION BY account_id ORDER BY final_at, id) END
    FROM ({DATED}) AS dated WHERE %(condition)s
"""
BOUNCES = f"""
    INSERT INTO bounce (delivery_id, account_id, at, class, reason, code, detail, contact_bounces)
    SELECT id, account_id, final_at, 'unknown', 'General Bounce', '', reply, 1 FROM ({DATED}) AS dated
    WHERE state <> 'handed'
"""
COUNTERS = (
    """
    INSERT INTO event_counter (scope, scope_id, kind, last, last_at)
    SELECT CASE WHEN is_test THEN 'test' ELSE 'message' END, message_id, kind, max(number), max(at)
    FROM mail_event GROUP BY 1, 2, 3
    """,
    """
    INSERT INTO event_counter (scope, scope_id, kind, last, last_at)
    SELECT 'account', account_id, kind, max(account_number), max(at)
    FROM mail_event WHERE account_number IS NOT NULL GROUP BY 1, 2, 3
    """,
)
FIGURES = """
    INSERT INTO send_figure (job_id, account_id, sent, bounced)
    SELECT job_id, min(account_id), sum(CASE WHEN kind = 'sent' THEN 1 ELSE 0 END),
        sum(CASE WHEN kind = 'bounce' THEN 1 ELSE 0 END)
    FROM mail_event GROUP BY job_id
"""


def upgrade() -> None:
    op.create_table(
        "tracked_link",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("is_dynamic", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_tracked_link_account_id"),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name="fk_tracked_link_message_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tracked_link"),
        sa.UniqueConstraint("message_id", "position", name="uq_tracked_link_message_id_position"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mail_event",
        sa.Column("message_id", ID, autoincrement=False, nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("delivery_id", ID),
        sa.Column("account_number", ID),
        sa.Column("previous_at", Instant()),
        sa.Column("first_number", ID),
        sa.Column("link_id", ID),
        sa.Column("link_number", ID),
        sa.CheckConstraint(f"kind IN {KINDS!r}", name="ck_mail_event_kind"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_mail_event_account_id"),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name="fk_mail_event_message_id"),
        sa.PrimaryKeyConstraint("message_id", "is_test", "kind", "number", name="pk_mail_event"),
        sqlite_with_rowid=False,
    )
    _unique("ix_mail_event_account_id_kind", ["account_id", "kind", "account_number"], "account_number IS NOT NULL")
    _unique("ix_mail_event_first_number", ["message_id", "is_test", "kind", "first_number"], "first_number IS NOT NULL")
    _unique("ix_mail_event_link_id", ["link_id", "is_test", "kind", "link_number"], "link_number IS NOT NULL")
    op.create_index("ix_mail_event_delivery_id", "mail_event", ["delivery_id", "kind"])
    op.create_table(
        "event_counter",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "scope_id", "kind", name="pk_event_counter"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery_activity",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("opened_at", Instant()),
        sa.Column("last_opened_at", Instant()),
        sa.Column("read_at", Instant()),
        sa.Column("last_read_at", Instant()),
        sa.Column("clicked_at", Instant()),
        sa.Column("last_clicked_at", Instant()),
        _count("opens"),
        _count("clicks"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_delivery_activity_account_id"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_delivery_activity_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_delivery_activity"),
    )
    op.create_table(
        "bounce",
        sa.Column("delivery_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("code", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("contact_bounces", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(f"class IN {CLASSES!r}", name="ck_bounce_class"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_bounce_account_id"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_bounce_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_bounce"),
    )
    op.create_table(
        "send_figure",
        sa.Column("job_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        *(_count(name) for name in SEND_FIGURES),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_send_figure_account_id"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_send_figure_job_id"),
        sa.PrimaryKeyConstraint("job_id", name="pk_send_figure"),
    )
    op.create_table(
        "link_figure",
        sa.Column("link_id", ID, autoincrement=False, nullable=False),
        sa.Column("job_id", ID, autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        *(_count(name) for name in LINK_FIGURES),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_link_figure_account_id"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_link_figure_job_id"),
        sa.ForeignKeyConstraint(["link_id"], ["tracked_link.id"], name="fk_link_figure_link_id"),
        sa.PrimaryKeyConstraint("link_id", "job_id", name="pk_link_figure"),
    )
    op.create_table(
        "spool_position",
        sa.Column("spool", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("spool", "segment", name="pk_spool_position"),
    )
    op.create_index(
        "ix_contact_event_message_id",
        "contact_event",
        ["message_id", "kind", "id"],
        sqlite_where=sa.text("message_id IS NOT NULL"),
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    for kind, condition in (("sent", "true"), ("bounce", "state <> 'handed'")):
        op.execute(EVENTS % {"kind": kind, "condition": condition})
    op.execute(BOUNCES)
    for statement in COUNTERS:
        op.execute(statement)
    op.execute(FIGURES)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _unique(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "mail_event", columns, unique=True, sqlite_where=where, postgresql_where=where)
