"""Several contacts of one mailbox, as an upgrade may find them: each speaks for all, until they are merged."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.changes import UNTOLD, Changes
from soapstone.contacts.channels import Channels
from soapstone.contacts.contacts import Contacts, RecipientExistsError
from soapstone.contacts.duplicates import Duplicates, Mailbox
from soapstone.contacts.mailboxes import sharing
from soapstone.contacts.subscriptions import SubscriptionOutcome, Subscriptions
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import Unsubscribes, from_everything
from soapstone.errors import ConflictError
from soapstone.jobs.queue import Jobs
from soapstone.lists.categories import Categories
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.database import Database
from soapstone.store.tables import contact_events, contacts, lists, memberships, opt_outs
from soapstone.vocabulary.contacts import MembershipState, OptOutKind

OLDEST, SECOND, THIRD = "Ann@bücher.example", "ann@xn--bcher-kva.example", "ANN@BU\u0308CHER.example"


class NoMails:
    """Nobody is asked or welcomed here."""

    def confirmation(self, *_: object) -> None:
        raise AssertionError("no list here asks first")

    def welcome(self, *_: object) -> None:
        raise AssertionError("no list here welcomes")


class Place:
    """An account with a list and a mailbox of three contacts; none is on the list."""

    def __init__(self, database: Database, account: Account) -> None:
        self.database, self.account = database, account
        self.changes = Changes(database)
        self.list: ContactList = Lists(database).create(account.id, "News")
        self.subscriptions = Subscriptions(database, NoMails())
        with self.changes.begin(account) as change:
            # As an upgrade leaves them: only the oldest has the mailbox.
            self.other = change.add(email="bob@example.com")
            self.oldest = change.add(email=OLDEST)
            common = {"account_id": account.id, "created_at": change.moment, "updated_at": change.moment}
            common |= {"email_key": SECOND, "double_of": self.oldest}
            query = insert(contacts).returning(contacts.c.id)
            self.second, self.third = (
                change.connection.execute(query.values(email=email, **common)).scalar_one() for email in (SECOND, THIRD)
            )
        self.all = [self.oldest, self.second, self.third]

    def join(self, contact_id: int, state: Any = "subscribed", **profile: str) -> None:
        with self.changes.begin(self.account) as change:
            change.join(self.list.id, contact_id, state=state, profile=profile)

    def states(self) -> dict[int, str]:
        query = select(memberships.c.contact_id, memberships.c.state).where(memberships.c.list_id == self.list.id)
        with self.database.read() as connection:
            return {row.contact_id: row.state for row in connection.execute(query)}

    def set(self, address: str, **options: Any) -> SubscriptionOutcome:
        return self.subscriptions.set(self.account, self.list, address, **options)


@pytest.fixture
def place(database: Database, account: Account) -> Place:
    return Place(database, account)


def test_who_shares_a_mailbox(place: Place) -> None:
    """lk-64"""
    with place.database.read() as connection:
        found = sharing(connection, place.account.id, [place.third, place.other])
        assert found == {place.third: place.all}
        assert sharing(connection, place.account.id, [place.oldest, place.second]) == {
            place.oldest: place.all,
            place.second: place.all,
        }
        assert sharing(connection, place.account.id, []) == {}
        assert sharing(connection, place.account.id + 1, [place.oldest]) == {}


@pytest.mark.parametrize("address", [OLDEST, SECOND, THIRD])
def test_an_address_finds_the_oldest_or_the_one_on_the_list(place: Place, address: str) -> None:
    """lk-64"""
    with place.changes.begin(place.account) as change:
        assert change.find(address) == change.find(address, place.list.id) == place.oldest
        change.join(place.list.id, place.third)
        assert change.find(address) == place.oldest
        assert change.find(address, place.list.id) == place.third


@pytest.mark.parametrize("who", ["oldest", "second"])
def test_who_leaves_a_list_as_one_contact_has_left_it_as_all(place: Place, who: str) -> None:
    """lk-52, lk-62, lk-64"""
    left, stays = (getattr(place, who), place.second if who == "oldest" else place.oldest)
    place.join(stays)
    place.join(left, "unsubscribed")
    assert place.set(OLDEST) is SubscriptionOutcome.UNSUBSCRIBED
    assert place.subscriptions.find(place.account, place.list, SECOND) is None
    assert place.set(THIRD, override=True) is SubscriptionOutcome.SUBSCRIBED
    assert set(place.states().values()) == {"subscribed"}
    assert place.set(THIRD) is SubscriptionOutcome.ALREADY


def test_an_unsubscribe_from_everything_holds_for_all(place: Place) -> None:
    """lk-64, mm-120"""
    Unsubscribes(place.database).add(place.account, place.third)
    assert place.set(SECOND) is SubscriptionOutcome.UNSUBSCRIBED
    with place.changes.begin(place.account) as change:
        assert all(change.opted_out(each, place.list.id) for each in place.all)
        assert not change.opted_out(place.other, place.list.id)
    assert place.set(SECOND, override=True) is SubscriptionOutcome.SUBSCRIBED
    with place.changes.begin(place.account) as change:
        assert not any(change.opted_out(each, place.list.id) for each in place.all)


@pytest.mark.parametrize("everything", [True, False])
def test_who_asks_for_a_list_stays_away_from_the_others(place: Place, everything: bool) -> None:
    """lk-52, lk-117: an opt-out of everything, or of a category, goes on as one of each other list."""
    account, all_lists = place.account, Lists(place.database)
    category = Categories(place.database, OptOutKind.LIST_CATEGORY).add(account.id, "Weekly")
    asked, same = (all_lists.create(account.id, name, category_id=category.id) for name in ("Asked", "Same"))
    other = all_lists.create(account.id, "Other")
    place.list = asked
    with place.changes.begin(account) as change:
        if everything:
            from_everything(change, place.second, UNTOLD)
        else:
            change.opt_out(place.second, OptOutKind.LIST_CATEGORY, category.id)
    assert place.set(THIRD) is SubscriptionOutcome.UNSUBSCRIBED
    assert place.set(THIRD, override=True) is SubscriptionOutcome.SUBSCRIBED
    with place.changes.begin(account) as change:
        kept = {each.name: change.opted_out(place.second, each.id) for each in (asked, same, other)}
        assert not change.opted_out(place.other, same.id)
    assert kept == {"Asked": False, "Same": True, "Other": everything}


def test_who_left_a_group_as_one_contact_comes_back_as_another(place: Place) -> None:
    """lk-64, mm-80, mm-81"""
    recipients = Contacts(place.database)
    place.join(place.second, "unsubscribed")
    with place.changes.begin(place.account) as change:
        change.opt_out(place.third, OptOutKind.LIST, place.list.id)
        assert change.opted_out(place.oldest, place.list.id)
    assert recipients.change_groups(place.account, place.oldest, [place.list.id], [], cause=UNTOLD)
    assert place.states() == {place.oldest: "subscribed", place.second: "subscribed"}


def test_channels_are_shut_for_all_of_them(place: Place) -> None:
    """lk-64, mm-124"""
    shut = Channels(place.database).shut(place.account, [{"email": SECOND}], "email", ["sms"])
    assert (shut.added, shut.updated) == (0, 3)
    Suppressions(place.database).add(place.account.id, THIRD)
    with place.changes.begin(place.account) as change:
        assert change.blocked(OLDEST) == "suppressed"


def test_a_double_is_edited_and_may_go_its_own_way(place: Place) -> None:
    """lk-64, mm-72, mm-74: its address is nobody else's, although an older contact has the mailbox."""
    recipients = Contacts(place.database)
    assert recipients.edit(place.account, place.second, {"email": SECOND, "first_name": "Ann"})
    with pytest.raises(RecipientExistsError):
        recipients.add(place.account, {"email": THIRD})
    with pytest.raises(RecipientExistsError):
        recipients.edit(place.account, place.other, {"email": THIRD})
    assert recipients.edit(place.account, place.third, {"email": "third@example.com"})
    assert recipients.find(place.account, email="third@example.com") == place.third
    # The oldest leaves the mailbox to the next one.
    assert recipients.edit(place.account, place.oldest, {"email": "ann@example.com"})
    assert recipients.find(place.account, email=OLDEST) == place.second
    assert Duplicates(place.database).counts() == {}


def test_merging_keeps_what_all_of_them_want(place: Place) -> None:
    """lk-64: unsubscribed goes before waiting, waiting before subscribed; values of the oldest stay."""
    others = [Lists(place.database).create(place.account.id, name).id for name in ("Two", "Three")]
    with place.changes.begin(place.account) as change:
        change.edit(place.oldest, {"first_name": "Ann"})
        change.edit(place.second, {"first_name": "Anna", "city": "Bonn", "channels_shut": "sms"})
        change.edit(place.third, {"city": "Ulm", "zip": "1", "channels_shut": "fax", "custom_id": "7"})
        change.join(place.list.id, place.oldest, profile={"1": "a"})
        change.join(place.list.id, place.second, state=MembershipState.UNSUBSCRIBED, profile={"1": "b", "2": "c"})
        change.join(place.list.id, place.third, state=MembershipState.UNCONFIRMED)
        number = change.join(others[0], place.second, state=MembershipState.UNCONFIRMED)
        change.join(others[1], place.oldest)
        change.opt_out(place.third, OptOutKind.LIST, others[1])
        change.opt_out(place.third, OptOutKind.MESSAGE_CATEGORY, 5)
    assert Duplicates(place.database).counts() == {"ACME": 2}
    assert list(Duplicates(place.database).merge(place.account)) == [
        Mailbox(contact_id=place.oldest, email=OLDEST, others={place.second: SECOND, place.third: THIRD})
    ]
    assert Duplicates(place.database).counts() == {}
    with place.database.read() as connection:
        rows = connection.execute(select(contacts).order_by(contacts.c.id)).mappings().all()
        assert [row["id"] for row in rows] == [place.other, place.oldest]
        kept = rows[1]
        fields = [kept[name] for name in ("email", "first_name", "city", "zip", "custom_id", "channels_shut")]
        assert fields == [OLDEST, "Ann", "Bonn", "1", "7", "fax sms"]
        found = connection.execute(select(memberships).order_by(memberships.c.list_id)).mappings().all()
        assert [(row["list_id"], row["contact_id"], row["state"]) for row in found] == [
            (place.list.id, place.oldest, "unsubscribed"),
            (others[0], place.oldest, "waiting"),
            (others[1], place.oldest, "unsubscribed"),
        ]
        assert found[0]["profile"] == {"1": "a", "2": "c"}
        assert found[1]["number"] == number
        assert found[0]["removed_by"] == "API"
        counts = connection.execute(select(lists.c.members, lists.c.subscribed).order_by(lists.c.id)).all()
        assert [tuple(row) for row in counts] == [(1, 0), (1, 0), (1, 0)]
        told = connection.execute(select(opt_outs.c.contact_id, opt_outs.c.kind)).all()
        assert sorted(map(tuple, told)) == [(place.oldest, "list"), (place.oldest, "message_category")]
        events = connection.execute(select(contact_events).order_by(contact_events.c.id)).mappings().all()
        assert {row["contact_id"] for row in events} == {place.other, place.oldest}
        assert events[-1]["detail"] == {"merged": {str(place.second): SECOND, str(place.third): THIRD}}
    assert place.set(SECOND) is SubscriptionOutcome.UNSUBSCRIBED


def test_merging_an_unsubscribe_from_everything_ends_all_subscriptions(place: Place) -> None:
    """lk-64, mm-120"""
    place.join(place.oldest)
    Unsubscribes(place.database).add(place.account, place.second)
    list(Duplicates(place.database).merge(place.account))
    assert place.states() == {place.oldest: "unsubscribed"}


def test_nothing_is_merged_while_a_job_chooses_contacts(place: Place) -> None:
    jobs, database = Jobs(place.database), place.database
    with database.write(durable=True) as connection:
        waiting = jobs.add(
            connection, account_id=place.account.id, kind="send", request={"audience": {"kind": "people"}}
        )
    with pytest.raises(ConflictError, match=rf"still use contact numbers: {waiting}\."):
        list(Duplicates(database).merge(place.account))
    assert Duplicates(database).counts() == {"ACME": 2}
    assert jobs.cancel([place.account.id], waiting)
    assert len(list(Duplicates(database).merge(place.account))) == 1


def test_people_who_share_an_address_by_right_are_never_merged(database: Database) -> None:
    """mm-53: where custom ids tell people apart."""
    account = Accounts(database).create("CUSTOM", time_zone="UTC", identifier="custom_id")
    with Changes(database).begin(account) as change:
        both = [change.add(email=email, custom_id=email) for email in (OLDEST, SECOND)]
        assert change.find(THIRD) == both[0]
        assert change.sharing(both[0]) == [both[0]]
        change.connection.execute(
            update(contacts).where(contacts.c.id == both[0]).values(unsubscribed_at=change.moment)
        )
        assert not change.opted_out(both[1], 1)
    assert list(Duplicates(database).merge(account)) == []


def test_merging_keeps_what_a_person_may_have_written(database: Database, account: Account) -> None:
    """lk-45: values of forms stay text in the profile that the contact gets."""
    place = Place(database, account)
    with place.changes.begin(account) as change:
        change.join(place.list.id, place.oldest, profile={"1": "<b>", "2": "<i>"}, form_values={"2": "<i>"})
        theirs = {"1": "<a>", "3": "<p>", "4": "<u>"}
        change.join(place.list.id, place.second, profile=theirs, form_values={"1": "<a>", "3": "<p>"})
    list(Duplicates(database).merge(account))
    with place.changes.begin(account) as change:
        member = change.membership(place.list.id, place.oldest)
    assert member is not None
    assert member["profile"] == {"1": "<b>", "2": "<i>", "3": "<p>", "4": "<u>"}
    assert member["form_values"] == {"2": "<i>", "3": "<p>"}
