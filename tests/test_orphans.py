"""What the tests' databases are searched for after each test finds rows whose parents are missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete
from tests.orphans import ORPHANS
from tests.postgresql import Databases

from soapstone.accounts.account import Account
from soapstone.contacts.changes import Changes
from soapstone.lists.lists import Lists
from soapstone.store.database import Database
from soapstone.store.tables import WITHOUT_KEYS, contacts, metadata


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


def test_rows_without_parents_are_found(database: Database, account: Account) -> None:
    here = Lists(database).create(account.id, "News")
    with Changes(database).begin(account) as change:
        contact_id = change.add(email="ann@example.com")
        change.log("changed", contact_id)
        change.join(here.id, contact_id)
    with database.connect() as connection, connection.begin() as undone:
        assert connection.exec_driver_sql(ORPHANS).all() == []
        connection.execute(delete(contacts))
        connection.exec_driver_sql(
            "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at)"
            " VALUES (7, 8, 9, 1, 'subscribed', 0)"
        )
        connection.exec_driver_sql(
            "INSERT INTO contact (account_id, email, created_at, updated_at) VALUES (9, '', 0, 0)"
        )
        found = set(connection.exec_driver_sql(ORPHANS).scalars())
        assert found == {
            "contact.account_id: 9",
            "membership.list_id: 7",
            "membership.contact_id: 8",
            "membership.account_id: 9",
            f"membership.contact_id: {contact_id}",
            f"contact_event.contact_id: {contact_id}",
        }
        undone.rollback()


def test_each_column_names_a_table() -> None:
    named = [metadata.tables[table].c[column] for table, columns in WITHOUT_KEYS.items() for column in columns]
    assert all(column.foreign_keys for column in named)
    assert ORPHANS.count("SELECT '") == len(named)
