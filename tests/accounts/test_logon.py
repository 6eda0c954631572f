"""Names, passwords, locks and sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from soapstone.accounts.account import Account, Accounts
from soapstone.accounts.logon import AddressProhibitedError, InvalidLogonError, LoginLockedError, Logons
from soapstone.accounts.sessions import Sessions
from soapstone.clock import now
from soapstone.errors import NameTakenError, NotFoundError
from soapstone.store.database import Database
from soapstone.store.tables import logins, logon_failures, sessions


@pytest.fixture
def logons(database: Database, account: Account) -> Logons:
    Accounts(database).add_login(account, "Ann", "secret")
    return Logons(database)


def test_passwords_are_argon2id(database: Database, logons: Logons) -> None:
    with database.read() as connection:
        assert connection.execute(select(logins.c.password_hash)).scalar_one().startswith("$argon2id$")


def test_identify(logons: Logons) -> None:
    for _ in range(2):
        found = logons.identify("ANN", "secret", "192.0.2.1")
        assert (found.account.name, found.login.name) == ("ACME", "Ann")


@pytest.mark.parametrize(("name", "password"), [("Ann", "Secret"), ("Bob", "secret"), ("", ""), ("Ann", "")])
def test_wrong_names_and_passwords(logons: Logons, name: str, password: str) -> None:
    with pytest.raises(InvalidLogonError):
        logons.identify(name, password, None)


def test_a_changed_password_counts_at_once(database: Database, logons: Logons) -> None:
    logons.identify("ann", "secret", None)
    assert Accounts(database).set_password("ann", "other")
    with pytest.raises(InvalidLogonError):
        logons.identify("ann", "secret", None)
    logons.identify("ann", "other", None)
    assert not Accounts(database).set_password("nobody", "other")


def age(database: Database, by: timedelta) -> None:
    with database.write() as connection:
        for row in connection.execute(select(logon_failures)).all():
            earlier = row.failed_at - by
            connection.execute(update(logon_failures).where(logon_failures.c.id == row.id).values(failed_at=earlier))


def test_lock_and_its_end(database: Database, logons: Logons) -> None:
    """lk-13: after 10 failures within 15 minutes, for 15 minutes."""
    for _ in range(9):
        with pytest.raises(InvalidLogonError):
            logons.identify("ann", "wrong", None)
    logons.identify("ann", "secret", None)
    with pytest.raises(InvalidLogonError):
        logons.identify("ann", "wrong", None)
    with pytest.raises(LoginLockedError):
        logons.identify("ann", "secret", None)
    age(database, timedelta(minutes=14))
    with pytest.raises(LoginLockedError):
        logons.identify("ann", "secret", None)
    age(database, timedelta(minutes=1, seconds=1))
    logons.identify("ann", "secret", None)


def test_slow_failures_do_not_lock(database: Database, logons: Logons) -> None:
    """lk-13: ten failures over more than 15 minutes are no lock."""
    for _ in range(12):
        with pytest.raises(InvalidLogonError):
            logons.identify("ann", "wrong", None)
        age(database, timedelta(minutes=2))
    logons.identify("ann", "secret", None)


def test_unknown_logins_lock_too(logons: Logons) -> None:
    """The answer does not tell whether a login exists."""
    for _ in range(10):
        with pytest.raises(InvalidLogonError):
            logons.identify("nobody", "wrong", None)
    with pytest.raises(LoginLockedError):
        logons.identify("nobody", "wrong", None)


def test_allowed_addresses(database: Database, account: Account, logons: Logons) -> None:
    """lk-9, lk-12"""
    accounts = Accounts(database)
    accounts.allow_addresses(account, ["192.0.2.0/24", "2001:db8::/32"])
    for peer in ("192.0.2.77", "2001:db8::1", "::ffff:192.0.2.1", None):
        logons.identify("ann", "secret", peer)
    for peer in ("198.51.100.1", "2001:db9::1", "not an address", ""):
        with pytest.raises(AddressProhibitedError):
            logons.identify("ann", "secret", peer)
    with pytest.raises(ValueError, match="192"):
        accounts.allow_addresses(account, ["192.0.2.1/8"])
    accounts.allow_addresses(account, [])
    logons.identify("ann", "secret", "198.51.100.1")


def test_sessions(database: Database, logons: Logons) -> None:
    """mm-13"""
    opened = Sessions(database, "magnetmail", timedelta(minutes=60))
    token = opened.open(logons.identify("ann", "secret", None))
    found = opened.find(token, None)
    assert found is not None
    assert found.login.name == "Ann"
    assert Sessions(database, "console", timedelta(minutes=60)).find(token, None) is None
    with database.write() as connection:
        assert connection.execute(select(sessions.c.token_hash)).scalar_one() != token
        connection.execute(update(sessions).values(last_used_at=now() - timedelta(minutes=59)))
    assert opened.find(token, None) is not None
    with database.write() as connection:
        assert now() - connection.execute(select(sessions.c.last_used_at)).scalar_one() < timedelta(minutes=1)
        connection.execute(update(sessions).values(last_used_at=now() - timedelta(minutes=61)))
    assert opened.find(token, None) is None


def test_a_closed_session_is_gone(database: Database, logons: Logons) -> None:
    opened = Sessions(database, "console", timedelta(minutes=60))
    identity = logons.identify("ann", "secret", None)
    one, two = opened.open(identity), opened.open(identity)
    opened.close(one)
    assert opened.find(one, None) is None
    assert opened.find(two, None) is not None


def test_a_session_ends_by_time_alone(database: Database, logons: Logons, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-13: also when nothing in the records has changed since it was found last."""
    opened = Sessions(database, "magnetmail", timedelta(minutes=60))
    token = opened.open(logons.identify("ann", "secret", None))
    assert opened.find(token, None) is not None
    monkeypatch.setattr("soapstone.accounts.sessions.now", lambda: now() + timedelta(minutes=61))
    assert opened.find(token, None) is None


def test_a_new_password_ends_the_sessions(database: Database, logons: Logons) -> None:
    opened = Sessions(database, "magnetmail", timedelta(minutes=60))
    token = opened.open(logons.identify("ann", "secret", None))
    assert Accounts(database).set_password("ann", "other")
    assert opened.find(token, None) is None


def test_names_are_taken_once(database: Database, account: Account, logons: Logons) -> None:
    accounts = Accounts(database)
    with pytest.raises(NameTakenError):
        accounts.create("acme", time_zone="UTC")
    with pytest.raises(NameTakenError):
        accounts.add_login(account, "ANN", "x")
    with pytest.raises(NotFoundError):
        accounts.create("child", time_zone="UTC", parent="nobody")
