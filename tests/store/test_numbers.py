"""Numbers that are handed out go on behind all that are known, and stay within the wire types."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.jobs.queue import Jobs
from soapstone.store.database import Database
from soapstone.store.numbers import (
    CONTACT_NUMBERS,
    CONTACT_STEP,
    LARGEST,
    STEP,
    WIDE,
    WIDE_STEP,
    handed_out,
    raise_beyond,
    stored,
)
from soapstone.store.tables import accounts, job_events, jobs, metadata


def next_job(database: Database, account: Account) -> int:
    with database.write(durable=True) as connection:
        return Jobs(database).add(connection, account_id=account.id, kind="import")


def numbers(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return handed_out(connection)


def test_every_table_with_numbers_is_counted(database: Database, account: Account) -> None:
    next_job(database, account)
    found = numbers(database)
    assert found.keys() == {t.name for t in metadata.sorted_tables if "id" in t.c} | {CONTACT_NUMBERS}
    assert (found["job"], found["account"], found["contact"]) == (1, 1, 0)


def test_a_number_that_was_deleted_still_counts(database: Database, account: Account) -> None:
    next_job(database, account)
    with database.write() as connection:
        connection.execute(job_events.delete())
        connection.execute(jobs.delete())
    assert numbers(database)["job"] == 1


def test_numbers_go_on_behind_all_that_are_known(database: Database, account: Account) -> None:
    next_job(database, account)
    with database.write() as connection:
        connection.execute(update(accounts).values(last_number=70))
        before = handed_out(connection)
        known = {"job": 5_000, "list": 7, CONTACT_NUMBERS: 70 + 12_345}
        raise_beyond(connection, known)
    after = numbers(database)
    for name, number in before.items():
        if name != CONTACT_NUMBERS:
            step = WIDE_STEP if name in WIDE else STEP
            assert after[name] == max(number, known.get(name, 0)) + step, name
    # All that any account has had since may have been this one's.
    assert after[CONTACT_NUMBERS] == 70 + 12_345 + CONTACT_STEP
    assert next_job(database, account) == after["job"] + 1
    assert Accounts(database).create("OTHER", time_zone="UTC").id == after["account"] + 1


@pytest.mark.parametrize("last", [LARGEST - 1_000, LARGEST - 1, LARGEST, LARGEST // 2])
def test_raised_numbers_stay_within_the_wire_types(database: Database, account: Account, last: int) -> None:
    """Jobs, lists and ContactIDs are 32-bit integers of the contracts (lk-35)."""
    with database.write() as connection:
        connection.execute(update(accounts).values(last_number=last))
        for _ in range(3):
            raise_beyond(connection, {"job": last})
            assert handed_out(connection)["job"] <= LARGEST
            number = connection.execute(select(accounts.c.last_number)).scalar_one()
            assert last <= number <= LARGEST


def test_what_is_stored_is_never_more_than_what_was_handed_out(database: Database, account: Account) -> None:
    """A sequence of PostgreSQL moves outside of transactions: one that was rolled back is not told of as stored."""
    next_job(database, account)
    with database.connect() as connection, connection.execution_options(writes=True, durable=True).begin() as given:
        Jobs(database).add(connection, account_id=account.id, kind="import")
        given.rollback()
    with database.read() as connection:
        assert stored(connection)["job"] == 1
        assert handed_out(connection)["job"] == (2 if database.kind == "postgresql" else 1)


def test_rows_ahead_of_their_sequence_count(database: Database, account: Account) -> None:
    """Rows that were loaded into PostgreSQL by other means need not have moved the sequence."""
    next_job(database, account)
    with database.write() as connection:
        connection.execute(insert(job_events).values(id=900, job_id=1, state="queued", step=0, attempt=0, at=now()))
        assert handed_out(connection)["job_event"] == 900
        raise_beyond(connection, {})
    assert numbers(database)["job_event"] == 900 + WIDE_STEP
