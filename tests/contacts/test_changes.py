"""Changes of people: what is kept beside them, and the order of their events."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.changes import Change, Changes
from soapstone.contacts.subscriptions import SubscriptionOutcome, Subscriptions
from soapstone.lists.lists import ContactList, Lists
from soapstone.sending.link_actions import LinkActions, Sent
from soapstone.store.database import Database
from soapstone.store.tables import contact_events, contacts, lists, memberships
from soapstone.vocabulary.contacts import MembershipState, OptOutKind


@pytest.fixture
def changes(database: Database) -> Changes:
    return Changes(database)


@pytest.fixture
def news(database: Database, account: Account) -> ContactList:
    return Lists(database).create(account.id, "News")


def events(database: Database, contact_id: int) -> list[str]:
    query = select(contact_events.c.kind).where(contact_events.c.contact_id == contact_id).order_by(contact_events.c.id)
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def kept(database: Database) -> list[tuple[int, int]]:
    """Members and subscribed of each list, as they are kept."""
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(select(lists.c.members, lists.c.subscribed).order_by("id"))]


def test_a_life(changes: Changes, database: Database, account: Account, news: ContactList) -> None:
    with changes.begin(account) as change:
        ann = change.add(email="Ann@Example.com", first_name="Ann")
        assert change.find("ANN@example.com") == ann
        assert change.join(news.id, ann, profile={"7": "x", "8": ""}) == 1
    with changes.begin(account) as change:
        row = change.membership(news.id, ann)
        assert row is not None
        assert (row["state"], row["profile"], row["added_by"]) == ("subscribed", {"7": "x"}, "API")
        assert not change.edit(ann, {"first_name": "Ann"})
        assert change.edit(ann, {"first_name": "Anna", "email": "anna@example.com"})
        assert change.find("ann@example.com") is None
        assert change.find("anna@example.com") == ann
        assert change.move(news.id, ann, MembershipState.UNSUBSCRIBED)
        assert not change.move(news.id, ann, MembershipState.UNSUBSCRIBED)
        assert not change.set_profile(news.id, ann, {"7": "x", "9": ""}, form_values={})
        assert change.set_profile(news.id, ann, {"7": "y"}, form_values={})
        assert kept_within(change) == [(1, 0)]
        assert change.leave(news.id, ann)
        assert not change.leave(news.id, ann)
        assert not change.move(news.id, ann, MembershipState.SUBSCRIBED)
    assert kept(database) == [(0, 0)]
    assert events(database, ann) == ["added", "joined", "changed", "unsubscribed", "profile", "left"]


def kept_within(change: Change) -> list[tuple[int, int]]:
    return [tuple(row) for row in change.connection.execute(select(lists.c.members, lists.c.subscribed))]


def test_nothing_is_half_done(changes: Changes, database: Database, account: Account, news: ContactList) -> None:
    def fail() -> None:
        with changes.begin(account) as change:
            change.join(news.id, change.add(email="ann@example.com"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert kept(database) == [(0, 0)]
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(contact_events)).scalar_one() == 0


def test_people_who_share_an_address(changes: Changes, database: Database) -> None:
    """mm-53: in accounts that go by custom id."""
    account = Accounts(database).create("CUSTOM", time_zone="UTC", identifier="custom_id")
    club = Lists(database).create(account.id, "Club")
    with changes.begin(account) as change:
        first = change.add(email="all@example.com", custom_id="1")
        second = change.add(email="all@example.com", custom_id="2")
        change.join(club.id, second)
        assert change.find("all@example.com") == first
        assert change.find("ALL@example.com", club.id) == second
        assert (change.find_custom("2"), change.find_custom(""), change.find_custom("3")) == (second, None, None)


def test_no_address_finds_nobody(changes: Changes, database: Database) -> None:
    """mm-53: contacts without an address share none; a call that names none, or a mail whose recipient was deleted,
    must not take one of them off a list."""
    account = Accounts(database).create("CUSTOM", time_zone="UTC", identifier="custom_id")
    club = Lists(database).create(account.id, "Club")
    with changes.begin(account) as change:
        nameless = change.add(custom_id="1")
        change.join(club.id, nameless)
        assert (change.find(""), change.find("", club.id)) == (None, None)
    mails: Any = None
    assert Subscriptions(database, mails).unsubscribe(account, club, " ") is SubscriptionOutcome.ABSENT
    assert kept(database) == [(1, 1)]
    sent = Sent(
        account_id=account.id, job_id=1, message_id=1, contact_id=None, email="", list_id=club.id, sender="Club"
    )
    LinkActions(database, lambda: None).unsubscribe(sent, by="Mail Header")
    assert kept(database) == [(1, 1)]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_kept_counts_are_those_of_the_rows(
    changes: Changes, database: Database, account: Account, news: ContactList, data: Any
) -> None:
    states = st.sampled_from(["subscribed", "unsubscribed", "waiting"])
    steps = data.draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["join", "move", "leave"]), states)))
    with changes.begin(account) as change:
        for who, what, state in steps:
            address = f"p{who}@example.com"
            person = change.find(address) or change.add(email=address)
            if what == "leave":
                change.leave(news.id, person)
            elif not change.move(news.id, person, state) and change.membership(news.id, person) is None:
                change.join(news.id, person, state=state)
    counted = select(func.count(), func.count().filter(memberships.c.state == "subscribed"))
    with database.read() as connection:
        assert [tuple(connection.execute(counted).one())] == kept(database)


def test_others_wait(changes: Changes, database: Database, account: Account, news: ContactList) -> None:
    """Nobody is stored twice, and everybody gets a number of his own."""

    def subscribe() -> None:
        for who in range(10):
            with changes.begin(account) as change:
                address = f"p{who}@example.com"
                person = change.find(address) or change.add(email=address)
                if change.membership(news.id, person) is None:
                    change.join(news.id, person)

    threads = [threading.Thread(target=subscribe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(contacts)).scalar_one() == 10
        assert sorted(connection.execute(select(memberships.c.number)).scalars()) == list(range(1, 11))
    assert kept(database) == [(10, 10)]


def test_who_opted_out(changes: Changes, database: Database, account: Account, news: ContactList) -> None:
    """mm-120: from a list, from the lists of a category, from everything; until the person asks for the list."""
    other = Lists(database).create(account.id, "Other")
    with changes.begin(account) as change:
        ann = change.add(email="ann@example.com")
        change.connection.execute(lists.update().where(lists.c.id == other.id).values(category_id=7))
        assert not change.opted_out(ann, news.id)
        assert change.opt_out(ann, OptOutKind.LIST, news.id)
        assert not change.opt_out(ann, OptOutKind.LIST, news.id)
        assert (change.opted_out(ann, news.id), change.opted_out(ann, other.id)) == (True, False)
        change.opt_out(ann, OptOutKind.LIST_CATEGORY, 7)
        change.opt_out(ann, OptOutKind.MESSAGE_CATEGORY, 8)
        assert change.opted_out(ann, other.id)
        change.clear_opt_outs(ann, other.id)
        assert (change.opted_out(ann, news.id), change.opted_out(ann, other.id)) == (True, False)
        change.clear_opt_outs(ann, news.id)
        change.edit(ann, {"unsubscribed_at": change.moment})
        assert (change.opted_out(ann, news.id), change.opted_out(ann, other.id)) == (True, True)
        change.clear_opt_outs(ann, news.id)
        assert (change.opted_out(ann, news.id), change.opted_out(ann, other.id)) == (False, True)
