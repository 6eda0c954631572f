"""Changes that are counted, no longer notified

Transactions that notify take one lock of the whole database at their commit, and wake each listening session. Now the
triggers advance a sequence, which costs a tenth of that. A sequence moves before its transaction commits, so a reader
needs the transactions that are under way, too: see `soapstone.store.change_reader`.
"""

from alembic import op

revision = "0023"
down_revision = "0022"

# Tables, with the events that count. Left out is what changes no answer that may be in memory: contact numbers are
# counted in the account's row, members in the list's; a lease is renewed every few seconds; refusals are never in
# memory, so that neither a new session nor the end of a lock changes one. Failed logons are many, and those that lock
# are counted by the program.
ALL = "INSERT OR UPDATE OR DELETE"
TABLES = {
    "account": "INSERT OR DELETE OR UPDATE OF"
    " name, parent_id, identifier, time_zone, unsubscribe_type, field_labels, tracking",
    "allowed_address": ALL,
    "granted_list": ALL,
    "job": "INSERT OR DELETE OR UPDATE OF"
    " account_id, login_id, kind, list_id, state, step, steps, request, checkpoint, counters, blob, blob_size, label,"
    " submitted_at, due_at, started_at, finished_at, attempt, deaths, worker, cancel_asked, paused, passes, error",
    "list": "INSERT OR DELETE OR UPDATE OF account_id, deleted_at",
    "login": ALL,
    "login_address": ALL,
    "send": ALL,
    "session": "UPDATE OR DELETE",
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP FUNCTION tell_of_change() CASCADE")
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    number = f"{schema}.change_number"
    op.execute(f"CREATE SEQUENCE {number}")
    # An assignment calls the function without a query of its own.
    op.execute(
        "CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ DECLARE new_number bigint; BEGIN new_number := nextval('{number}'); RETURN NULL; END $$"
    )
    # The snapshot is taken after the number was read: each statement of a volatile function has its own. The first call
    # of nextval leaves the last value as it was.
    op.execute(
        "CREATE FUNCTION change_state() RETURNS text LANGUAGE plpgsql AS $$ DECLARE last bigint; BEGIN "
        f"SELECT last_value + is_called::integer INTO last FROM {number}; "
        "RETURN last || ' ' || pg_current_snapshot(); END $$"
    )
    for table, events in TABLES.items():
        for name, counted, scope in (
            ("count_change", events, "ROW"),
            ("count_truncation", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f'CREATE TRIGGER {name} AFTER {counted} ON "{table}" FOR EACH {scope} EXECUTE FUNCTION count_change()'
            )
