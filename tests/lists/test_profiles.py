"""Profile headers and attributes: names, places, and what is refused."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.lists.lists import ContactList, Lists
from soapstone.lists.names import LONGEST_NAME
from soapstone.lists.profiles import AttributeDraft, Profiles
from soapstone.store.database import Database
from soapstone.store.tables import lists
from soapstone.vocabulary.attributes import AttributeKind


@pytest.fixture
def profiles(database: Database) -> Profiles:
    return Profiles(database)


@pytest.fixture
def here(database: Database, account: Account) -> ContactList:
    return Lists(database).create(account.id, "Newsletter")


def test_a_header_with_attributes(profiles: Profiles, account: Account, here: ContactList) -> None:
    """lk-45"""
    drafts = [
        AttributeDraft(name=kind, kind=kind, max_length=number) for number, kind in enumerate(tuple(AttributeKind))
    ]
    number = profiles.add_header(account.id, here.id, "  Preferences ", attributes=drafts)
    header = profiles.header(account.id, number)
    assert header is not None
    assert (header.id, header.list_id, header.name, header.position) == (number, here.id, "Preferences", 1)
    assert [(each.name, each.kind, each.max_length) for each in header.attributes] == [
        (kind, kind, length) for length, kind in enumerate(tuple(AttributeKind))
    ]
    assert [each.position for each in header.attributes] == [*range(1, len(tuple(AttributeKind)) + 1)]
    assert profiles.headers(here.id) == [header]
    assert profiles.attributes(here.id) == [*header.attributes]
    assert [profiles.attribute(account.id, each.id) for each in header.attributes] == [*header.attributes]


@pytest.mark.parametrize(
    ("position", "order"),
    [(0, "abcX"), (1, "Xabc"), (2, "aXbc"), (3, "abXc"), (4, "abcX"), (5, "abcX"), (2_147_483_647, "abcX")],
)
def test_positions(profiles: Profiles, account: Account, here: ContactList, position: int, order: str) -> None:
    """lk-48: 0 is the last; the others move on, and only those of the same list or header."""
    for name in "abc":
        profiles.add_header(account.id, here.id, name)
    profiles.add_header(account.id, here.id, "X", position=position)
    found = profiles.headers(here.id)
    assert "".join(header.name for header in found) == order
    assert [header.position for header in found] == [1, 2, 3, 4]
    first, second = found[0].id, found[1].id
    for name in "abc":
        profiles.add_attribute(account.id, here.id, first, name)
        profiles.add_attribute(account.id, here.id, second, f"{name}{name}")
    profiles.add_attribute(account.id, here.id, first, "X", position=position)
    found = profiles.headers(here.id)
    assert "".join(attribute.name for attribute in found[0].attributes) == order
    assert [attribute.position for attribute in found[0].attributes] == [1, 2, 3, 4]
    assert [(attribute.name, attribute.position) for attribute in found[1].attributes] == [
        ("aa", 1),
        ("bb", 2),
        ("cc", 3),
    ]
    assert "".join(attribute.name for attribute in profiles.attributes(here.id)) == f"{order}aabbcc"


def test_any_order_of_positions(profiles: Profiles, account: Account, here: ContactList) -> None:
    """lk-48: the places are those of a plain list into which each one was inserted."""
    chance = random.Random(48)
    for header_name in "AB":
        header, expected = profiles.add_header(account.id, here.id, header_name), list[str]()
        for number in range(25):
            position, name = chance.randrange(number + 3), f"{header_name}{number}"
            expected.insert(position - 1 if position else len(expected), name)
            profiles.add_attribute(account.id, here.id, header, name, position=position)
        found = profiles.header(account.id, header)
        assert found is not None
        assert [attribute.name for attribute in found.attributes] == expected
        assert [attribute.position for attribute in found.attributes] == [*range(1, 26)]


@pytest.mark.parametrize("name", ["", " \t", "x" * (LONGEST_NAME + 1), "Größe", "GRÖSSE", " größe "])
def test_refused_names(profiles: Profiles, account: Account, here: ContactList, name: str) -> None:
    """A list has each name once, letter case aside: messages and files find attributes by their names."""
    header = profiles.add_header(account.id, here.id, "Größe")
    profiles.add_attribute(account.id, here.id, header, "Größe")
    other = profiles.add_header(account.id, here.id, "x" * LONGEST_NAME)
    before = profiles.headers(here.id)
    with pytest.raises(InvalidError):
        profiles.add_header(account.id, here.id, name)
    with pytest.raises(InvalidError):
        profiles.add_attribute(account.id, here.id, other, name)
    with pytest.raises(InvalidError):
        profiles.add_header(
            account.id, here.id, "New", attributes=[AttributeDraft(name="new"), AttributeDraft(name=name)]
        )
    assert profiles.headers(here.id) == before


@pytest.mark.parametrize(
    "draft",
    [
        AttributeDraft(name="a", kind="number"),
        AttributeDraft(name="a", max_length=-1),
        AttributeDraft(name="a", position=-1),
    ],
)
def test_refused_attributes(profiles: Profiles, account: Account, here: ContactList, draft: AttributeDraft) -> None:
    with pytest.raises(InvalidError):
        profiles.add_header(account.id, here.id, "Header", attributes=[draft])
    with pytest.raises(InvalidError):
        profiles.add_header(account.id, here.id, "Header", position=-1)
    assert profiles.headers(here.id) == []


def test_two_of_a_name_within_one_header(profiles: Profiles, account: Account, here: ContactList) -> None:
    drafts = [AttributeDraft(name="Size"), AttributeDraft(name="size")]
    with pytest.raises(InvalidError, match=r"The list has the attribute size already\."):
        profiles.add_header(account.id, here.id, "Header", attributes=drafts)
    assert profiles.headers(here.id) == []


def test_other_lists_and_accounts(database: Database, profiles: Profiles, account: Account, here: ContactList) -> None:
    """lk-19: numbers of another account, or of a deleted list, are unknown. Lists do not share names."""
    number = profiles.add_header(account.id, here.id, "Header", attributes=[AttributeDraft(name="Size")])
    (attribute,) = profiles.attributes(here.id)
    stranger = Accounts(database).create("STRANGER", time_zone="UTC")
    assert profiles.header(stranger.id, number) is None
    assert profiles.attribute(stranger.id, attribute.id) is None
    second = Lists(database).create(account.id, "Second")
    assert profiles.headers(second.id) == []
    profiles.add_header(account.id, second.id, "Header", attributes=[AttributeDraft(name="Size")])
    with database.write() as connection:
        connection.execute(update(lists).where(lists.c.id == here.id).values(deleted_at=now()))
    assert profiles.header(account.id, number) is None
    assert profiles.attribute(account.id, attribute.id) is None
    assert profiles.headers(here.id) == []


def test_many_at_once(profiles: Profiles, account: Account, here: ContactList) -> None:
    """Each takes a place of its own, and of those with one name only one is made."""
    header = profiles.add_header(account.id, here.id, "Header")

    def add(number: int) -> bool:
        try:
            profiles.add_attribute(account.id, here.id, header, f"name {number // 2}", position=number % 3)
        except InvalidError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(add, range(20)))
    assert made.count(True) == 10
    found = profiles.attributes(here.id)
    assert sorted(attribute.name for attribute in found) == [f"name {number}" for number in range(10)]
    assert [attribute.position for attribute in found] == [*range(1, 11)]


def test_attributes_that_are_missing(
    database: Database, profiles: Profiles, account: Account, here: ContactList
) -> None:
    """Those that the list has are found, letter case aside; the others are made under one header, or nothing is."""

    def add(*names: str) -> dict[str, int]:
        with database.write() as connection:
            return profiles.add_missing(connection, account.id, here.id, "Imported", names)

    size = profiles.add_attribute(account.id, here.id, profiles.add_header(account.id, here.id, "Feet"), "Größe")
    assert add("GRÖSSE") == {"GRÖSSE": size}
    assert [each.name for each in profiles.headers(here.id)] == ["Feet"]
    first = add("Hat", "größe")
    assert first["größe"] == size
    assert add("hat", "Gloves") == {"hat": first["Hat"], "Gloves": max(first.values()) + 1}
    assert [(each.name, [a.name for a in each.attributes]) for each in profiles.headers(here.id)] == [
        ("Feet", ["Größe"]),
        ("Imported", ["Hat", "Gloves"]),
    ]
    with pytest.raises(InvalidError):
        add("Scarf", "x" * (LONGEST_NAME + 1))
    assert len(profiles.attributes(here.id)) == 3


def test_many_imports_make_one_attribute(
    database: Database, profiles: Profiles, account: Account, here: ContactList
) -> None:
    def add(_: int) -> int:
        with database.write() as connection:
            return profiles.add_missing(connection, account.id, here.id, "Imported", ["Hat"])["Hat"]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(add, range(8)))) == 1
    assert [each.name for each in profiles.attributes(here.id)] == ["Hat"]
