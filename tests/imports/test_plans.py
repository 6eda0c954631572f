"""How PostgreSQL works off a chunk: row by row, whatever its statistics say of the list and the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from tests.postgresql import Databases

from soapstone.accounts.account import Account, Accounts
from soapstone.imports.spec import Column, ImportSpec, OptOut
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList, Lists
from soapstone.lists.profiles import Profiles
from soapstone.store.database import Database

PEOPLE, ROWS, OTHERS = 1_000, 100, 6_000
# No step of a plan may handle more rows than this; one that goes through the list for each row handles 100,000.
MOST = 10 * (PEOPLE + ROWS)
TABLES = ("contact", "membership", "list", "account", "opt_out", "suppression", "contact_event")

EMAIL, CUSTOM_ID, NAME = (Column(index=n, target=name) for n, name in enumerate(("email", "custom_id", "first_name")))
ADD = ImportSpec(columns=(EMAIL, CUSTOM_ID, NAME), known="overwrite")
OPT_OUTS = (OptOut(index=4, heading="unsubscribed"),)
CASES = {
    "add": ADD,
    "skip": replace(ADD, blocked="skip"),
    "update": replace(ADD, action="update", known="update"),
    "remove": replace(ADD, action="remove"),
    "remove with profile": replace(ADD, action="remove_with_profile"),
    "replace": replace(ADD, replace=True),
    "opt-outs": replace(ADD, opt_outs=OPT_OUTS),
    "opt-outs without a list": replace(ADD, opt_outs=OPT_OUTS),
    "by address": replace(ADD, identified_by="email"),
    "remove by address": replace(ADD, identified_by="email", action="remove"),
}


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


@pytest.mark.parametrize(
    ("people", "analyzed"),
    [
        ("by address", "empty"),
        ("by address", "with one member"),
        ("by custom id", "with one member"),
        ("by custom id", "empty"),
        ("with double mailboxes", "empty"),
        # Autovacuum may come at any moment.
        ("by address", "vacuumed while empty"),
        ("by custom id", "vacuumed while empty"),
        ("by custom id", "vacuumed with one member"),
        ("by custom id", "vacuumed before the import"),
        # The statistics are right, and know nothing of a new account.
        ("by address", "with another account"),
        ("by custom id", "with another account"),
        ("with double mailboxes", "with another account"),
    ],
)
@pytest.mark.parametrize("case", CASES)
def test_no_step_goes_through_a_list_or_an_account_for_each_row(
    database: Database, run_file: Callable[..., Job], case: str, analyzed: str, people: str
) -> None:
    identifier = "custom_id" if people == "by custom id" else "email"
    account = Accounts(database).create("ACME", time_zone="UTC", identifier=identifier)
    here = Lists(database).create(account.id, "News")
    header = Profiles(database).add_header(account.id, here.id, "About")
    attribute = Profiles(database).add_attribute(account.id, here.id, header, "Text", max_length=8)
    columns = (EMAIL, CUSTOM_ID, NAME, Column(index=3, target=f"attribute:{attribute}"))
    filling = ImportSpec(columns=columns)
    without = case == "opt-outs without a list"
    spec, target = (CASES[case], None) if without else (replace(CASES[case], columns=columns), here)
    forget(database)
    if analyzed.endswith("with one member"):
        run_file(account, here, lines(0, 1, "old"), filling)
    if analyzed in ("vacuumed while empty", "vacuumed with one member"):
        vacuum(database)
    if analyzed == "with another account":
        other = Accounts(database).create("Others", time_zone="UTC", identifier=identifier)
        add_contacts(database, other, Lists(database).create(other.id, "Others"))
    analyze(database)
    run_file(account, here, lines(0, PEOPLE, "old"), filling)
    if analyzed == "vacuumed before the import":
        vacuum(database)
    if people == "with double mailboxes":
        with database.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO contact (account_id, email, email_key, double_of, created_at, updated_at)"
                f" SELECT {account.id}, email, email_key, id, 0, 0 FROM contact WHERE mod(id, 10) = 0"
            )
    with explained(database) as steps:
        job = run_file(account, target, lines(PEOPLE // 2, ROWS, "new"), spec)
    forget(database)
    assert job.state == "completed"
    assert sum(handled(plan) for _, plan in steps) > ROWS
    for statement, plan in steps:
        assert handled(plan) <= MOST, f"{statement}\n" + "\n".join(outline(plan))


def lines(first: int, rows: int, value: str) -> bytes:
    """Rows of people from number `first` on; two of three have opted out, if the import asks."""
    return "".join(
        f"p{n}@x.com,c{n},{value},{value},{'unsubscribed' if n % 3 else ''}\n" for n in range(first, first + rows)
    ).encode()


def add_contacts(database: Database, account: Account, contact_list: ContactList) -> None:
    """Add contacts with so long addresses and custom ids that an index of these has one level more than one of ids."""
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO contact (account_id, email, email_key, unique_email, custom_id, created_at, updated_at)"
            f" SELECT {account.id}, long, long, {'long' if account.identifier == 'email' else 'NULL'}, long, 0, 0 FROM"
            f" (SELECT n || repeat('x', 200) || '@x.com' AS long FROM generate_series(1, {OTHERS}) AS n) AS people"
        )
        connection.exec_driver_sql(
            "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at)"
            f" SELECT {contact_list.id}, id, account_id, id, 'subscribed', 0 FROM contact"
            f" WHERE account_id = {account.id}"
        )


def forget(database: Database) -> None:
    """Bring the statistics back to those of a new database."""
    with database.write() as connection:
        for table in TABLES:
            number = f"'{table}'::regclass"
            indexes = f"SELECT indexrelid FROM pg_index WHERE indrelid = {number}"
            connection.exec_driver_sql(f"DELETE FROM pg_statistic WHERE starelid = {number}")
            connection.exec_driver_sql(
                "UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0"
                f" WHERE oid = {number} OR oid IN ({indexes})"
            )


def analyze(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f"ANALYZE {', '.join(TABLES)}")


def vacuum(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"VACUUM {', '.join(TABLES)}")


@contextmanager
def explained(database: Database) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The plans of all statements, with what their steps handled; each is tried and undone before it is run."""
    found: list[tuple[str, dict[str, Any]]] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if many or not statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            return
        if connection.connection.driver_connection.autocommit:
            # A short read of one row; there is nothing to undo it by.
            return
        with connection.connection.driver_connection.cursor() as own:
            own.execute("SAVEPOINT explaining")
            # A plan that would take longer fails the test in time.
            own.execute("SET LOCAL statement_timeout = '20s'")
            own.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
            found.append((statement, own.fetchone()[0][0]["Plan"]))
            own.execute("ROLLBACK TO explaining")

    event.listen(database.engine, "before_cursor_execute", explain)
    yield found
    event.remove(database.engine, "before_cursor_execute", explain)


def handled(step: dict[str, Any]) -> float:
    """The most rows that a step of the plan looked at, in all its loops."""
    removed = sum(count for name, count in step.items() if name.startswith("Rows Removed"))
    own: float = step["Actual Loops"] * (1 + step["Actual Rows"] + removed)
    return max([own, *map(handled, step.get("Plans", []))])


def outline(step: dict[str, Any], depth: int = 0) -> Iterator[str]:
    named = ("Node Type", "Relation Name", "Index Name", "Index Cond", "Join Filter", "Actual Loops", "Actual Rows")
    yield "  " * depth + " | ".join(str(step[name]) for name in named if name in step)
    for below in step.get("Plans", []):
        yield from outline(below, depth + 1)
