"""Searches by example, as a room, on both databases."""

from __future__ import annotations

import pytest

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.contacts import Contacts
from soapstone.contacts.saved_searches import SavedSearches
from soapstone.contacts.search import Example, Search
from soapstone.errors import InvalidError
from soapstone.store.database import Database

PEOPLE = {
    "ann@example.com": {"first_name": "Ann", "last_name": "Straße", "custom_id": "A-1", "city": "Zürich"},
    "ANNA@Example.com": {"first_name": "Anna", "last_name": "STRASSE", "custom_id": "a-2", "city": "ZÜRICH"},
    "a_b@example.com": {"first_name": "Under", "last_name": "100%", "custom_id": "B*3", "city": "Zurich"},
    "axb@example.com": {"first_name": "Back\\slash", "last_name": "1000", "custom_id": "Ä-4", "city": ""},
    "zoë@example.com": {"first_name": "Zoë", "last_name": "Ångström", "custom_id": "", "city": "Åre"},
}


@pytest.fixture(params=["email", "custom_id"])
def searched(request: pytest.FixtureRequest, database: Database) -> Account:
    """An account of either kind with these people, beside another with the same."""
    found = Accounts(database)
    ours, theirs = (found.create(name, time_zone="UTC", identifier=request.param) for name in ("OURS", "THEIRS"))
    for account in (theirs, ours):
        for number, (email, fields) in enumerate(PEOPLE.items()):
            identified = {"custom_id": f"none-{number}"} if request.param == "custom_id" else {}
            Contacts(database).add(account, {**identified, "email": email, **_given(fields)}, [])
    return ours


def _given(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def names(database: Database, account: Account, **values: str) -> list[str]:
    """First names of who is found, by number."""
    return [person.fields["first_name"] for person in Search(database).page(account, Example(values=values))]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"email": "ANN@example.COM"}, ["Ann"]),
        ({"email": "ann*"}, ["Ann", "Anna"]),
        ({"email": "*B@example.com"}, ["Under", "Back\\slash"]),
        ({"email": "a_b*"}, ["Under"]),
        ({"email": "zoË*"}, ["Zoë"]),
        ({"email": "*"}, ["Ann", "Anna", "Under", "Back\\slash", "Zoë"]),
        ({"email": "nobody*"}, []),
        ({"custom_id": "a-1"}, ["Ann"]),
        ({"custom_id": "A-*"}, ["Ann", "Anna"]),
        ({"custom_id": "ä-*"}, ["Back\\slash"]),
        ({"last_name": "STRAßE"}, ["Ann"]),
        ({"last_name": "strasse"}, ["Anna"]),
        ({"last_name": "100%"}, ["Under"]),
        ({"last_name": "100*"}, ["Under", "Back\\slash"]),
        ({"last_name": "åNGSTRÖM"}, ["Zoë"]),
        ({"first_name": "BACK\\*"}, ["Back\\slash"]),
        ({"city": "zürich"}, ["Ann", "Anna"]),
        ({"city": "Z*", "last_name": "STRASSE"}, ["Anna"]),
        ({"city": ""}, ["Ann", "Anna", "Under", "Back\\slash", "Zoë"]),
    ],
    ids=str,
)
def test_what_is_found(database: Database, searched: Account, values: dict[str, str], found: list[str]) -> None:
    """All values match as a whole, whatever the case of their letters, and the same on both databases (mm-79)."""
    assert names(database, searched, **values) == found


@pytest.mark.parametrize("values", [{}, {"email": "*@example.com"}, {"email": "a*"}, {"city": "Z*"}], ids=str)
def test_pages_follow_each_other(database: Database, searched: Account, values: dict[str, str]) -> None:
    """By number, from the one behind the last."""
    search, example = Search(database), Example(values=values)
    whole = search.page(searched, example)
    pages, last = [], None
    while page := search.page(searched, example, after=last, limit=2):
        pages.append(page)
        last = page[-1].id
    assert [person.id for page in pages for person in page] == [person.id for person in whole]
    assert [person.id for person in whole] == sorted(person.id for person in whole)
    assert all(len(page) == 2 for page in pages[:-1])


def test_saved_searches_are_the_accounts_own(database: Database, account: Account) -> None:
    """They are kept with what they look for, one of a name, and columns that nobody has are none."""
    saved = SavedSearches(database)
    other = Accounts(database).create("OTHER", time_zone="UTC")
    saved.add(account.id, " In Zürich ", {"city": "Z*"})
    saved.add(other.id, "In Zürich", {"city": "Zug"})
    found = saved.named(account.id, "In Zürich")
    assert found is not None
    assert found.example == Example(values={"city": "Z*"})
    for name, criteria in (("In Zürich", {"city": "X"}), (" ", {}), ("x" * 300, {}), ("Other", {"id": "1"})):
        with pytest.raises(InvalidError):
            saved.add(account.id, name, criteria)
    assert [search.name for search in saved.all(account.id)] == ["In Zürich"]
    assert saved.delete(account.id, "In Zürich")
    assert not saved.delete(account.id, "In Zürich")
    assert saved.all(account.id) == []
    assert len(saved.all(other.id)) == 1
