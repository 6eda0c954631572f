"""Who is unsubscribed from a list: members, and contacts that are not on it any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import Shift, now, shifted
from soapstone.contacts.changes import Cause, Changes
from soapstone.contacts.contacts import Contacts
from soapstone.contacts.members import Members
from soapstone.lists.lists import Lists
from soapstone.store.database import Database
from soapstone.vocabulary.contacts import MembershipState


def test_pages_of_who_left_with_and_without_a_membership(database: Database, account: Account) -> None:
    """lk-34, lk-112, mm-80: each person once, by the last time, whichever way a page is read."""
    news, other = (Lists(database).create(account.id, name) for name in ("News", "Other"))
    moment, contacts, expected = datetime(2026, 3, 1, tzinfo=UTC), Contacts(database), []
    people = [contacts.add(account, {"email": f"p{n}@example.com"}, [news.id, other.id]) for n in range(14)]
    for number, person in enumerate(people):
        with shifted(Shift(moment + timedelta(hours=number // 3) - now())):
            if number % 5 == 4:
                contacts.change_groups(account, person, [], [other.id], cause=Cause())
                continue
            expected.append(f"p{number}@example.com")
            if number % 2:
                contacts.change_groups(account, person, [], [news.id], cause=Cause())
                continue
            with Changes(database).begin(account) as change:
                change.move(news.id, person, MembershipState.UNSUBSCRIBED)
    members = Members(database)
    rows = members.removed(news.id)
    assert sorted(row.email for row in rows) == sorted(expected)
    assert rows == sorted(rows, key=lambda row: (row.removed_at, row.contact_id))
    for row in rows:
        number = people.index(row.contact_id)
        assert row.removed_at.replace(microsecond=0) == moment + timedelta(hours=number // 3)
        assert (row.number == 0, row.added_at is None) == (bool(number % 2),) * 2
    for limit in (1, 4, 100):
        for offset in range(len(rows) + 2):
            assert members.removed(news.id, offset=offset, limit=limit) == rows[offset : offset + limit]
        for place, row in enumerate(rows, 1):
            after = (row.removed_at, row.contact_id)
            assert members.removed(news.id, after=after, limit=limit) == rows[place : place + limit]
    since, before = rows[4].removed_at, rows[-2].removed_at
    within = [row for row in rows if since <= row.removed_at < before]
    for offset in range(3):
        found = members.removed(news.id, removed_from=since, removed_before=before, offset=offset, limit=4)
        assert found == within[offset : offset + 4]


def test_who_came_back_has_not_left(database: Database, account: Account) -> None:
    """lk-112: of several times the last counts, and none after a return."""
    news, contacts, members = Lists(database).create(account.id, "News"), Contacts(database), Members(database)
    person = contacts.add(account, {"email": "ann@example.com"}, [news.id])
    times = []
    for _ in range(3):
        contacts.change_groups(account, person, [], [news.id], cause=Cause())
        times += [row.removed_at for row in members.removed(news.id)]
        assert [row.contact_id for row in members.removed(news.id)] == [person]
        contacts.change_groups(account, person, [news.id], [], cause=Cause())
        assert members.removed(news.id) == []
    assert times == sorted(set(times))


def test_a_login_gets_those_that_it_sees(database: Database, account: Account) -> None:
    """lk-9: people who are on none of its lists do not exist for it, also those who were."""
    news, other, hidden = (Lists(database).create(account.id, name) for name in ("News", "Other", "Hidden"))
    login = Accounts(database).add_login(account, "bea", "secret", lists=[news.id, other.id])
    contacts, members = Contacts(database), Members(database)
    people = [
        contacts.add(account, {"email": f"p{number}@example.com"}, [news.id, more.id])
        for number, more in enumerate((other, hidden))
    ]
    for person in people:
        contacts.change_groups(account, person, [], [news.id], cause=Cause())
    assert [row.contact_id for row in members.removed(news.id)] == people
    assert [row.contact_id for row in members.removed(news.id, login=login)] == people[:1]
