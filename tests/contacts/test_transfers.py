"""People as another service tells them, told again after something has changed over there or here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.changes import Changes
from soapstone.contacts.transfers import Departure, Place, Told, Transfers
from soapstone.lists.categories import Categories
from soapstone.lists.lists import Lists
from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships
from soapstone.vocabulary.contacts import ContactEventKind, MembershipState, OptOutKind


def made(database: Database, identifier: str) -> Account:
    return Accounts(database).create("ACME", time_zone="UTC", identifier=identifier)


def addresses(database: Database) -> list[tuple[str, str, str]]:
    column = contacts.c
    with database.read() as connection:
        query = select(column.custom_id, column.email, column.email_key).order_by(column.id)
        return [tuple(row) for row in connection.execute(query)]


def test_a_changed_address_of_a_custom_id(database: Database) -> None:
    account = made(database, "custom_id")
    told = [Told(email="ann@example.com", custom_id="C1"), Told(email="bob@example.com", custom_id="C2")]
    with Transfers(database).begin(account) as transfer:
        numbers, stored = transfer.people(told)
    assert stored.new == 2
    with Transfers(database).begin(account) as transfer:
        again, stored = transfer.people([told[0]._replace(email="Ann@New.example"), told[1]])
    assert again == numbers
    assert (stored.new, stored.changed, stored.same) == (0, 1, 1)
    assert addresses(database) == [
        ("C1", "Ann@New.example", "ann@new.example"),
        ("C2", "bob@example.com", "bob@example.com"),
    ]


def test_an_address_that_became_blank(database: Database) -> None:
    account = made(database, "custom_id")
    with Transfers(database).begin(account) as transfer:
        transfer.people([Told(email="ann@example.com", custom_id="C1")])
    with Transfers(database).begin(account) as transfer:
        _, stored = transfer.people([Told(custom_id="C1")])
    assert stored.changed == 1
    assert addresses(database) == [("C1", "", "")]


@pytest.mark.parametrize("kind", ["list", "list_category", "other list", "other category"])
def test_who_opted_out_of_the_list_or_its_category_comes_as_gone(database: Database, kind: str) -> None:
    account, lists = made(database, "email"), Lists(database)
    news, other = (lists.create(account.id, name) for name in ("News", "Other"))
    categories = Categories(database, OptOutKind.LIST_CATEGORY)
    first, second = (categories.add(account.id, name).id for name in ("First", "Second"))
    lists.change(account.id, news.id, category_id=first)
    with Transfers(database).begin(account) as transfer:
        (number,), _ = transfer.people([Told(email="ann@example.com")])
    assert number is not None
    target = {"list": news.id, "list_category": first, "other list": other.id, "other category": second}[kind]
    with Changes(database).begin(account) as change:
        change.opt_out(number, OptOutKind.LIST if kind.endswith("list") else OptOutKind.LIST_CATEGORY, target)
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    with Transfers(database).begin(account) as transfer:
        transfer.join(news.id, [Place(number, MembershipState.SUBSCRIBED, moment)])
    with database.read() as connection:
        state = connection.execute(select(memberships.c.state)).scalar_one()
    assert state == ("subscribed" if kind.startswith("other") else "unsubscribed")


def test_a_person_who_is_new_joins_a_list_once(database: Database) -> None:
    account, lists = made(database, "email"), Lists(database)
    news = lists.create(account.id, "News")
    with Transfers(database).begin(account) as transfer:
        (number,), _ = transfer.people([Told(email="ann@example.com")])
        assert number is not None
        place = Place(number, MembershipState.SUBSCRIBED, datetime(2020, 1, 1, tzinfo=UTC))
        first, stored = transfer.join(news.id, [place])
        again, same = transfer.join(news.id, [place])
    assert (stored.new, same.new, same.same) == (1, 0, 1)
    assert first == again


@pytest.mark.parametrize("how", ["told", "departed"])
def test_a_person_who_is_new_and_left_does_not_join(database: Database, how: str) -> None:
    account, lists = made(database, "email"), Lists(database)
    news, moment = lists.create(account.id, "News"), datetime(2020, 1, 1, tzinfo=UTC)
    with Transfers(database).begin(account) as transfer:
        values = {"unsubscribed_at": moment} if how == "told" else {}
        (number,), _ = transfer.people([Told(email="ann@example.com", values=values)])
        assert number is not None
        if how == "departed":
            transfer.depart([Departure(contact_id=number, kind=ContactEventKind.UNSUBSCRIBED, at=moment, by="API")])
        transfer.join(news.id, [Place(number, MembershipState.SUBSCRIBED, moment)])
    with database.read() as connection:
        assert connection.execute(select(memberships.c.state)).scalar_one() == "unsubscribed"
