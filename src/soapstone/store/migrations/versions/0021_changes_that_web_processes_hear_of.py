"""Changes that web processes hear of

On PostgreSQL a web process answers repeated polls from memory until it hears that a row has changed on which answers
depend. Triggers tell it, so that changes by other programs and older versions count. They look at each row: a
statement that changes none, such as a worker's look for a job, tells nothing.
"""

from alembic import op

revision = "0021"
down_revision = "0020"

# Tables, with the events that count. Transactions that notify commit one after the other, so frequent ones do not where
# they change no answer that may be in memory: contact numbers are counted in the account's row, members in the list's;
# refusals are never in memory, so that neither a new session nor the end of a lock changes one.
ALL = "INSERT OR UPDATE OR DELETE"
TABLES = {
    "account": "INSERT OR DELETE OR UPDATE OF"
    " name, parent_id, identifier, time_zone, unsubscribe_type, field_labels, tracking",
    "allowed_address": ALL,
    "granted_list": ALL,
    "job": ALL,
    "list": "INSERT OR DELETE OR UPDATE OF account_id, deleted_at",
    "login": ALL,
    "login_address": ALL,
    "logon_failure": "INSERT OR UPDATE",
    "send": ALL,
    "session": "UPDATE OR DELETE",
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NOTIFY soapstone_change; RETURN NULL; END $$"
    )
    for table, events in TABLES.items():
        for name, counted, scope in (
            ("tell_of_change", events, "ROW"),
            ("tell_of_truncation", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f'CREATE TRIGGER {name} AFTER {counted} ON "{table}" FOR EACH {scope} EXECUTE FUNCTION tell_of_change()'
            )
