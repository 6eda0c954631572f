"""Logins that are deleted: what they made stays, and their names are free again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from soapstone.accounts.account import Account
from soapstone.accounts.audit import AuditAction
from soapstone.accounts.logon import InvalidLogonError
from soapstone.accounts.sessions import Sessions
from soapstone.errors import NameTakenError
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import api_tokens, granted_lists, idempotent_answers, logins, sessions


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    return Product.open(Settings(data_dir=tmp_path), database)


def test_what_a_deleted_login_made_keeps_its_number(product: Product, account: Account) -> None:
    contact_list = product.lists.create(account.id, "News", settings={"from_address": "news@example.com"})
    login = product.accounts.add_login(account, "bob", "secret", lists=[contact_list.id])
    identity = product.logons.identify("bob", "secret", None)
    for purpose in ("magnetmail", "console"):
        Sessions(product.database, purpose, timedelta(hours=1)).open(identity)
    product.tokens.add(account, login, "program")
    product.idempotency_keys.begin(login, "key", "hash")
    group = product.list_categories.add(account.id, "Clubs", login_id=login.id)

    with product.database.write(durable=True) as connection:
        number = product.jobs.add(
            connection, account_id=account.id, login_id=login.id, kind="import", list_id=contact_list.id, request={}
        )
    assert product.accounts.delete_login(account, "Bob")
    assert not product.accounts.delete_login(account, "bob")
    found = product.jobs.get([account.id], number)
    assert found is not None
    assert (found.login_id, found.state) == (login.id, "queued")
    assert [each.login_id for each in product.list_categories.all(account.id)] == [group.login_id]
    assert product.accounts.logins(account) == []
    assert not product.accounts.has_login("bob")
    assert not product.accounts.set_password("bob", "other")
    assert not product.accounts.permit(account, "bob", may_call_api=True)
    with product.database.read() as connection:
        for table in (sessions, api_tokens, granted_lists, idempotent_answers):
            count = select(func.count()).where(table.c.login_id == login.id)
            assert connection.execute(count).scalar_one() == 0, table.name
        row = connection.execute(select(logins).where(logins.c.id == login.id)).one()
    assert (row.name, row.password_hash, row.all_lists, row.may_use_console) == ("bob", "", False, False)


def test_the_name_of_a_deleted_login_is_free_again(product: Product, account: Account) -> None:
    first = product.accounts.add_login(account, "Bob", "secret")
    with pytest.raises(NameTakenError):
        product.accounts.add_login(account, "BOB", "secret")
    assert product.accounts.delete_login(account, "bob")
    second = product.accounts.add_login(account, "BOB", "other")
    assert second.id != first.id
    assert product.logons.identify("bob", "other", None).login.id == second.id
    # The key of the deleted row is no name.
    assert product.accounts.delete_login(account, "bob")
    for name in (f"DELETED {first.id}", f"deleted {first.id}"):
        assert not product.accounts.has_login(name)
        with pytest.raises(InvalidLogonError):
            product.logons.identify(name, "", None)


def test_a_login_of_another_account_is_not_deleted(product: Product, account: Account) -> None:
    other = product.accounts.create("OTHER", time_zone="UTC")
    product.accounts.add_login(other, "olaf", "secret")
    assert not product.accounts.delete_login(account, "olaf")
    assert not product.accounts.permit(account, "olaf", disabled=True)
    assert product.accounts.has_login("olaf")
    assert [each.detail for each in product.audit.last(account.id, 10) if each.action == AuditAction.RIGHTS] == [
        "account ACME is created"
    ]
