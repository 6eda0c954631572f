"""The audit trail: what is in it, and that no caller fills the disk with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from soapstone.accounts import audit
from soapstone.accounts.account import Account
from soapstone.accounts.audit import MOST, MOST_FROM_ONE_ADDRESS, Actor, Audit, AuditAction, AuditEntry, record
from soapstone.accounts.logon import LogonError
from soapstone.accounts.sessions import Sessions
from soapstone.clock import now
from soapstone.logs import LineFormatter
from soapstone.product import Product
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import audit_entries

HOME = "192.0.2.7"


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    return Product.open(Settings(data_dir=tmp_path), database)


@pytest.fixture
def ann(product: Product, account: Account) -> Actor:
    return Actor(product.accounts.add_login(account, "Ann", "secret").id, "Ann", HOME)


def told(product: Product, account: Account, *actions: AuditAction) -> list[tuple[str, str, str]]:
    """Login, detail and address of the entries about these actions."""
    found = product.audit.last(account.id, 10_000)
    return [(each.login_name, each.detail, each.address) for each in found if each.action in actions]


def test_changed_rights_are_recorded(product: Product, account: Account, ann: Actor) -> None:
    accounts = product.accounts
    accounts.add_login(account, "bob", "secret", may_see_analytics=False, may_use_console=False, by=ann)
    accounts.permit(account, "bob", may_see_analytics=True, by=ann)
    accounts.permit(account, "bob", disabled=True, by=ann)
    accounts.permit(account, "nobody", disabled=True, by=ann)
    accounts.set_password("bob", "other")
    accounts.allow_addresses(account, ["192.0.2.0/24"], by=ann)
    bob = next(login for login, _ in accounts.logins(account) if login.name == "bob")
    token, _ = product.tokens.add(account, bob, "program", by=ann)
    product.tokens.revoke(bob.id, token.id, by=ann)
    product.tokens.revoke(bob.id, token.id, by=ann)
    accounts.delete_login(account, "bob", by=ann)
    rights = "may_call_api=True, may_see_analytics={}, may_use_console={}, may_choose_numbers=False, lists=all"
    assert told(product, account, AuditAction.RIGHTS) == [
        ("", "account ACME is created", ""),
        ("", "login Ann is added: " + rights.format(True, True), ""),
        ("Ann", "login bob is added: " + rights.format(False, False), HOME),
        ("Ann", "login bob is changed: may_see_analytics=True", HOME),
        ("Ann", "login bob is changed: disabled=True", HOME),
        ("", "login bob has a new password", ""),
        ("Ann", "logins may come from 192.0.2.0/24", HOME),
        ("Ann", f"login bob has token {token.id}, program", HOME),
        ("Ann", f"token {token.id} is revoked", HOME),
        ("Ann", "login bob is deleted", HOME),
    ]


def test_logons_with_sessions_are_recorded_each(product: Product, account: Account, ann: Actor) -> None:
    for purpose in ("console", "magnetmail"):
        for _ in range(2):
            identity = product.logons.identify("ann", "secret", HOME)
            Sessions(product.database, purpose, timedelta(hours=1)).open(identity)
    assert told(product, account, AuditAction.LOGON) == [
        ("Ann", purpose, HOME) for purpose in ("console", "console", "magnetmail", "magnetmail")
    ]


def test_logons_of_each_call_are_recorded_once_a_day(
    product: Product, account: Account, ann: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By login, interface and address; also after a restart."""
    other = Actor(ann.login_id, ann.name, "192.0.2.8")
    for trail in (product.audit, Audit(product.database)):
        for _ in range(3):
            trail.call(account.id, ann, "REST")
            trail.call(account.id, ann, "Listrak")
            trail.call(account.id, other, "REST")
    rows = [("Ann", "REST", HOME), ("Ann", "Listrak", HOME), ("Ann", "REST", "192.0.2.8")]
    assert told(product, account, AuditAction.LOGON) == rows
    monkeypatch.setattr("soapstone.accounts.audit.now", lambda: now() + timedelta(days=1))
    product.audit.call(account.id, ann, "REST")
    assert told(product, account, AuditAction.LOGON) == [*rows, rows[0]]


def test_failed_logons_make_no_rows_and_the_lock_of_a_login_makes_one(
    product: Product, account: Account, ann: Actor
) -> None:
    before = len(product.audit.last(account.id, 100))
    for name in ("ann", "nobody"):
        for _ in range(product.settings.lock_failures + 5):
            with pytest.raises(LogonError):
                product.logons.identify(name, "wrong", "198.51.100.66")
    assert told(product, account, AuditAction.LOCK) == [("Ann", "too many failed logons", "198.51.100.66")]
    assert len(product.audit.last(account.id, 100)) == before + 1
    with product.database.read() as connection:
        assert len(connection.execute(select(audit_entries)).all()) == before + 1


def _of(actor: Actor, address: str) -> Actor:
    return Actor(actor.login_id, actor.name, address)


def test_a_login_does_not_fill_the_table(product: Product, account: Account, ann: Actor) -> None:
    """A day's rows of one action are bounded, from one address first, so that others are still seen."""
    with product.database.write() as connection:
        for _ in range(MOST_FROM_ONE_ADDRESS + 5):
            record(connection, account.id, ann, AuditAction.LOGON, "magnetmail")
        record(connection, account.id, ann, AuditAction.SEND, "send 1")
        record(connection, account.id, _of(ann, "198.51.100.1"), AuditAction.LOGON, "magnetmail")
    rows = told(product, account, AuditAction.LOGON)
    assert len(rows) == MOST_FROM_ONE_ADDRESS + 1
    assert rows[-1] == ("Ann", "magnetmail", "198.51.100.1")
    assert len(told(product, account, AuditAction.SEND)) == 1
    with product.database.write() as connection:
        for n in range(MOST):
            record(connection, account.id, _of(ann, f"2001:db8::{n:x}"), AuditAction.LOGON, "magnetmail")
    assert len(told(product, account, AuditAction.LOGON)) == MOST


def test_changed_rights_are_not_hidden_behind_others(product: Product, account: Account, ann: Actor) -> None:
    with product.database.write() as connection:
        for n in range(MOST_FROM_ONE_ADDRESS + 5):
            record(connection, account.id, ann, AuditAction.RIGHTS, f"change {n}")
    assert told(product, account, AuditAction.RIGHTS)[-1] == ("Ann", f"change {MOST_FROM_ONE_ADDRESS + 4}", HOME)


def test_many_lists_hide_no_other_change(product: Product, account: Account, ann: Actor) -> None:
    lists = [product.lists.create(account.id, f"List {n}").id for n in range(200)]
    product.accounts.add_login(account, "bob", "secret", by=ann)
    product.accounts.permit(account, "bob", may_use_console=True, disabled=False, lists=lists, by=ann)
    begin = "login bob is changed: may_use_console=True, disabled=False, lists=[1, 2, "
    assert told(product, account, AuditAction.RIGHTS)[-1][1].startswith(begin)


def test_texts_are_bounded_and_stay_on_their_line(
    product: Product, account: Account, ann: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "soapstone.accounts.audit")
    strange = Actor(ann.login_id, "A\nn\x00n\x1b[31m" + "x" * 300, "y" * 5000)
    product.audit.add(account.id, strange, AuditAction.EXPORT, "list \ud800\r\n" + "z" * 5000)
    found = product.audit.last(account.id, 1)[0]
    assert found.login_name == "A n n [31m" + "x" * 245
    assert (found.address, found.detail) == ("y" * 64, "list    " + "z" * 492)
    line = LineFormatter("text").format(caplog.records[-1])
    assert f': audit address={"y" * 64} action=export login="A n n [31mx' in line
    assert len(line) < 1100
    assert line.isprintable()


def test_a_call_is_answered_while_its_logon_cannot_be_stored(
    product: Product, account: Account, ann: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has it then, once."""
    with product.database.write() as connection:
        if product.database.kind == "postgresql":
            connection.execute(text("LOCK TABLE audit_entry IN EXCLUSIVE MODE"))
        for _ in range(3):
            product.audit.call(account.id, ann, "REST")
    lines = [line for line in caplog.messages if "is not stored" in line]
    assert len(lines) == 1
    (record,) = [record.__dict__ for record in caplog.records if "is not stored" in record.message]
    assert (record["address"], record["action"], record["login"], record["detail"]) == (HOME, "logon", "Ann", "REST")
    assert told(product, account, AuditAction.LOGON) == []


def test_sends_are_recorded_with_their_login(product: Product, account: Account, ann: Actor) -> None:
    contact_list = product.lists.create(
        account.id, "News", settings={"from_name": "News", "from_address": "news@example.com"}
    )
    draft = Draft(subject="Hello", plain="Dear all")
    login = product.logons.identify("ann", "secret", HOME).login
    sent = product.sends.to_list(account=account, login=login, contact_list=contact_list, message=draft)
    typed = product.sends.to_list(account=account, login=None, contact_list=contact_list, message=draft)
    assert told(product, account, AuditAction.SEND) == [
        ("Ann", f"send {sent.job.id} (list) of message {sent.message.id} to list {contact_list.id}", HOME),
        ("", f"send {typed.job.id} (list) of message {typed.message.id} to list {contact_list.id}", ""),
    ]


def test_entries_are_read_by_account_and_forgotten_after_a_year(product: Product, account: Account, ann: Actor) -> None:
    other = product.accounts.create("OTHER", time_zone="UTC")
    for n in range(3):
        product.audit.add(account.id, ann, AuditAction.EXPORT, f"export {n}")
    read: Callable[[list[AuditEntry]], list[str]] = lambda found: [each.detail for each in found]  # noqa: E731
    mine = product.audit.last(account.id, 100)
    assert read(mine)[-3:] == ["export 0", "export 1", "export 2"]
    assert read(product.audit.page(account.id, mine[-3].id, 1)) == ["export 1"]
    assert read(product.audit.last(other.id, 100)) == ["account OTHER is created"]
    with product.database.write() as connection:
        old = select(audit_entries.c.id).where(audit_entries.c.detail.in_(["export 0", "account OTHER is created"]))
        past = now() - audit.KEPT - timedelta(minutes=1)
        connection.execute(update(audit_entries).where(audit_entries.c.id.in_(old)).values(at=past))
    product.audit.sweep()
    assert read(product.audit.last(account.id, 2)) == ["export 1", "export 2"]
    assert read(product.audit.last(account.id, 100)).count("export 0") == 0
    assert product.audit.last(other.id, 100) == []
