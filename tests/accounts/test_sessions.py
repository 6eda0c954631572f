"""A session ends with the right that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from soapstone.accounts.account import Account, Accounts
from soapstone.accounts.logon import InvalidLogonError, Logons
from soapstone.accounts.sessions import Sessions
from soapstone.accounts.tokens import Tokens
from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import sessions

HOUR = timedelta(hours=1)
HOME = "192.0.2.7"


@pytest.fixture
def accounts(database: Database, account: Account) -> Accounts:
    found = Accounts(database)
    found.add_login(account, "Ann", "secret")
    return found


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[Accounts]:
    """The same records in another process, where rights are taken away."""
    database = Database(database_url)
    yield Accounts(database)
    database.close()


@pytest.mark.parametrize(("purpose", "right"), [("magnetmail", "may_call_api"), ("console", "may_use_console")])
def test_a_session_ends_with_its_right(
    database: Database, account: Account, accounts: Accounts, elsewhere: Accounts, purpose: str, right: str
) -> None:
    """mm-13: and does not come back with it."""
    logons, opened = Logons(database), Sessions(database, purpose, HOUR)
    token = opened.open(logons.identify("ann", "secret", HOME))
    other = {"may_call_api", "may_use_console", "may_see_analytics"} - {right}
    assert elsewhere.permit(account, "ann", **dict.fromkeys(other, False))  # type: ignore[arg-type]
    assert opened.find(token, HOME) is not None
    assert elsewhere.permit(account, "ann", **{right: False})  # type: ignore[arg-type]
    assert opened.find(token, HOME) is None
    # Opened by a logon that was checked before.
    late = opened.open(logons.identify("ann", "secret", HOME))
    assert opened.find(late, HOME) is None
    assert elsewhere.permit(account, "ann", **{right: True})  # type: ignore[arg-type]
    assert opened.find(token, HOME) is None


@pytest.mark.parametrize("purpose", ["magnetmail", "console"])
def test_a_session_is_no_good_from_where_its_account_allows_no_calls(
    database: Database, account: Account, accounts: Accounts, elsewhere: Accounts, purpose: str
) -> None:
    """lk-9, mm-13"""
    opened = Sessions(database, purpose, HOUR)
    token = opened.open(Logons(database).identify("ann", "secret", HOME))
    assert opened.find(token, HOME) is not None
    elsewhere.allow_addresses(account, ["198.51.100.0/24"])
    assert opened.find(token, HOME) is None
    assert opened.find(token, "not an address") is None
    assert opened.find(token, "198.51.100.1") is not None
    assert opened.find(token, None) is not None


def _disable(accounts: Accounts, account: Account) -> bool:
    return accounts.permit(account, "ann", disabled=True)


def _delete(accounts: Accounts, account: Account) -> bool:
    return accounts.delete_login(account, "ANN")


@pytest.mark.parametrize("shut", [_disable, _delete])
def test_nothing_is_left_to_a_login_that_is_disabled_or_deleted(
    database: Database,
    account: Account,
    accounts: Accounts,
    elsewhere: Accounts,
    shut: Callable[[Accounts, Account], bool],
) -> None:
    logons, tokens = Logons(database), Tokens(database)
    identity = logons.identify("ann", "secret", HOME)
    kinds = [Sessions(database, purpose, HOUR) for purpose in ("magnetmail", "console")]
    opened = [each.open(identity) for each in kinds]
    _, secret = tokens.add(identity.account, identity.login, "program")
    assert shut(elsewhere, account)
    assert [each.find(token, HOME) for each, token in zip(kinds, opened, strict=True)] == [None, None]
    assert tokens.identify(secret, HOME) is None
    with pytest.raises(InvalidLogonError):
        logons.identify("ann", "secret", HOME)
    # What a logon or a call that was checked before still makes is worth nothing.
    late = [each.open(identity) for each in kinds]
    assert [each.find(token, HOME) for each, token in zip(kinds, late, strict=True)] == [None, None]
    _, secret = tokens.add(identity.account, identity.login, "late")
    assert tokens.identify(secret, HOME) is None


def test_an_enabled_login_has_its_tokens_again_and_no_session(
    database: Database, account: Account, accounts: Accounts
) -> None:
    logons, tokens, opened = Logons(database), Tokens(database), Sessions(database, "magnetmail", HOUR)
    identity = logons.identify("ann", "secret", HOME)
    token, (_, secret) = opened.open(identity), tokens.add(identity.account, identity.login, "program")
    assert accounts.permit(account, "ann", disabled=True)
    assert accounts.permit(account, "ann", disabled=False)
    assert opened.find(token, HOME) is None
    assert tokens.identify(secret, HOME) is not None
    assert logons.identify("ann", "secret", HOME).login.disabled is False


def test_a_busy_session_of_the_console_ends_after_twelve_hours(
    database: Database, account: Account, accounts: Accounts
) -> None:
    """Sessions of MagnetMail go on while they are used (mm-13)."""
    identity = Logons(database).identify("ann", "secret", HOME)
    console, magnetmail = (Sessions(database, purpose, HOUR) for purpose in ("console", "magnetmail"))
    page, program = console.open(identity), magnetmail.open(identity)

    def age(hours: float) -> None:
        with database.write() as connection:
            moment = now()
            values = {"created_at": moment - timedelta(hours=hours), "last_used_at": moment}
            connection.execute(update(sessions).values(**values))

    age(11.9)
    assert console.find(page, HOME) is not None
    age(12.1)
    assert console.find(page, HOME) is None
    assert magnetmail.find(program, HOME) is not None
