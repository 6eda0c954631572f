"""Changes that web processes hear of

On PostgreSQL a web process answers repeated polls from memory until it hears that a row has changed on which answers
depend. Triggers tell it, so that changes by other programs and older versions count. They look at each row: a
statement that changes none, such as a worker's look for a job, tells nothing.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Tables, with the columns whose changes count where others change with every contact: contact numbers are counted in
# the account's row, members in the list's.
TABLES = {
    "account": "name, parent_id, identifier, time_zone, unsubscribe_type, field_labels, tracking",
    "allowed_address": "",
    "granted_list": "",
    "job": "",
    "list": "account_id, deleted_at",
    "login": "",
    "login_address": "",
    "logon_failure": "",
    "send": "",
    "session": "",
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NOTIFY soapstone_change; RETURN NULL; END $$"
    )
    for table, columns in TABLES.items():
        update = f"UPDATE OF {columns}" if columns else "UPDATE"
        for name, events, scope in (
            ("tell_of_change", f"INSERT OR DELETE OR {update}", "ROW"),
            ("tell_of_truncation", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f'CREATE TRIGGER {name} AFTER {events} ON "{table}" FOR EACH {scope} EXECUTE FUNCTION tell_of_change()'
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION tell_of_change() CASCADE")
