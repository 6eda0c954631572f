"""Categories of lists and of messages, as a room, on both databases."""

from __future__ import annotations

import pytest

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.changes import Changes
from soapstone.errors import InvalidError
from soapstone.lists.categories import Categories
from soapstone.lists.lists import Lists
from soapstone.store.database import Database
from soapstone.vocabulary.contacts import OptOutKind


def test_categories_of_lists(database: Database, account: Account) -> None:
    """They are the account's own, change, go out of use, and leave their lists without one when they are deleted."""
    categories, lists = Categories(database, OptOutKind.LIST_CATEGORY), Lists(database)
    other = Accounts(database).create("OTHER", time_zone="UTC")
    news, offers = (categories.add(account.id, name) for name in (" News ", "Offers"))
    theirs = categories.add(other.id, "News")
    made = lists.create(account.id, "Daily", category_id=news.id)
    assert [each.name for each in categories.all(account.id)] == ["News", "Offers"]
    assert categories.get(account.id, theirs.id) is None
    assert not categories.change(account.id, theirs.id, name="Mine")
    assert not categories.delete(account.id, theirs.id)
    assert categories.change(account.id, offers.id, name="Bargains", active=False)
    changed = categories.get(account.id, offers.id)
    assert changed is not None
    assert (changed.name, changed.active) == ("Bargains", False)
    assert categories.delete(account.id, news.id)
    assert not categories.delete(account.id, news.id)
    [found] = [each for each in lists.all(account.id) if each.id == made.id]
    assert found.category_id is None
    assert [each.name for each in categories.all(other.id)] == ["News"]


def test_who_left_a_category_stays_away_from_its_lists(database: Database, account: Account) -> None:
    """mm-120: also when the category is deleted, from a list that the contact was never on."""
    categories, lists, changes = Categories(database, OptOutKind.LIST_CATEGORY), Lists(database), Changes(database)
    news, offers = (categories.add(account.id, name).id for name in ("News", "Offers"))
    daily, weekly = (lists.create(account.id, name, category_id=news).id for name in ("Daily", "Weekly"))
    sale = lists.create(account.id, "Sale", category_id=offers).id
    with changes.begin(account) as change:
        ann, bob, cy = (change.add(email=f"{name}@example.com") for name in ("ann", "bob", "cy"))
        change.opt_out(ann, OptOutKind.LIST_CATEGORY, news)
        change.opt_out(ann, OptOutKind.LIST, daily)
        change.opt_out(bob, OptOutKind.LIST_CATEGORY, news)
        change.opt_out(cy, OptOutKind.LIST_CATEGORY, offers)
    assert categories.delete(account.id, news)
    with changes.begin(account) as change:
        left = {
            (who, where) for who in (ann, bob, cy) for where in (daily, weekly, sale) if change.opted_out(who, where)
        }
    assert left == {(ann, daily), (ann, weekly), (bob, daily), (bob, weekly), (cy, sale)}


def test_categories_of_messages(database: Database, account: Account) -> None:
    """The same for those of messages."""
    categories = Categories(database, OptOutKind.MESSAGE_CATEGORY)
    other = Accounts(database).create("OTHER", time_zone="UTC")
    made = categories.add(account.id, "Letters")
    assert not categories.change(other.id, made.id, name="Mine")
    assert categories.change(account.id, made.id, name="Mails")
    assert categories.get(other.id, made.id) is None
    assert [each.name for each in categories.all(account.id)] == ["Mails"]
    assert not categories.delete(other.id, made.id)
    assert categories.delete(account.id, made.id)
    assert categories.all(account.id) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 256])
def test_names_that_are_none(database: Database, account: Account, name: str) -> None:
    """A category needs a name of at most 255 characters."""
    categories = Categories(database, OptOutKind.LIST_CATEGORY)
    of_messages = Categories(database, OptOutKind.MESSAGE_CATEGORY)
    made = categories.add(account.id, "News")
    for refused in (
        lambda: categories.add(account.id, name),
        lambda: of_messages.add(account.id, name),
        lambda: categories.change(account.id, made.id, name=name),
    ):
        with pytest.raises(InvalidError):
            refused()
    assert [each.name for each in categories.all(account.id)] == ["News"]
