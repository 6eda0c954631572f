"""The check of references finds what the keys of the database would have refused, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, text, update

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.lists.lists import Lists
from soapstone.store.database import Database
from soapstone.store.references import Fault, faults
from soapstone.store.tables import accounts, contacts, memberships, messages


@pytest.fixture
def unguarded(database: Database, account: Account) -> Database:
    """Records whose database lacks some keys."""
    with database.connect() as connection:
        if database.kind == "postgresql":
            with connection.begin():
                for table, key in (
                    ("membership", "fk_membership_contact_id"),
                    ("membership", "fk_membership_account_id"),
                    ("account", "fk_account_parent_id"),
                ):
                    connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {key}"))
                connection.execute(text("DROP INDEX ix_message_account_id_unique_name"))
        else:
            driver: Any = connection.connection.driver_connection
            driver.execute("DROP INDEX ix_message_account_id_unique_name")
    return database


def found(database: Database) -> list[Fault]:
    with database.read() as connection:
        return list(faults(connection))


def change(database: Database, *statements: Any) -> None:
    with database.connect() as connection:
        if database.kind == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")
        with database.write(connection=connection):
            for statement in statements:
                connection.execute(statement)
        if database.kind == "sqlite":
            driver.execute("PRAGMA foreign_keys=ON")


def member(account: Account, list_id: int, contact_id: int) -> Any:
    return insert(memberships).values(
        list_id=list_id, contact_id=contact_id, account_id=account.id, number=1, state="subscribed", added_at=now()
    )


def test_sound_records_have_no_faults(database: Database, account: Account) -> None:
    home = Lists(database).create(account.id, "News")
    with database.write() as connection:
        made = insert(contacts).values(account_id=account.id, email="a@example.org", created_at=now(), updated_at=now())
        contact = connection.execute(made.returning(contacts.c.id)).scalar_one()
        connection.execute(member(account, home.id, contact))
    assert found(database) == []


def test_orphans_are_found(unguarded: Database, account: Account) -> None:
    home = Lists(unguarded).create(account.id, "News")
    change(unguarded, member(account, home.id, 77), member(account, home.id, 78))
    assert found(unguarded) == [Fault("orphan", "membership", ("contact_id",), "contact", 2, [(77,), (78,)])]


def test_a_table_that_refers_to_itself(unguarded: Database, account: Account) -> None:
    change(unguarded, update(accounts).values(parent_id=account.id))
    assert found(unguarded) == []
    change(unguarded, update(accounts).values(parent_id=999))
    assert found(unguarded) == [Fault("orphan", "account", ("parent_id",), "account", 1, [(999,)])]


def test_duplicates_are_found(unguarded: Database, account: Account) -> None:
    def message(public: str, name: str | None) -> Any:
        times = {"created_at": now(), "updated_at": now()}
        given = {"account_id": account.id, "kind": "saved", "public_id": public, "unique_name": name}
        return insert(messages).values(**given, **times)

    change(unguarded, message("a", None), message("b", None), message("c", "x"))
    assert found(unguarded) == []
    change(unguarded, message("d", "x"), message("e", "x"))
    expected = Fault("duplicate", "message", ("account_id", "unique_name"), "", 2, [(account.id, "x")])
    assert found(unguarded) == [expected]
