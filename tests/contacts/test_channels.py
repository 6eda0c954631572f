"""Channels that a suppression list shuts, and how an operator opens them again."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.channels import Channels
from soapstone.contacts.contacts import Contacts
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import Unsubscribes
from soapstone.store.database import Database
from soapstone.store.tables import contact_events
from soapstone.vocabulary.contacts import Channel

EMAIL = "ann@example.com"


def suppressed(database: Database, account: Account) -> list[tuple[str, str]]:
    return [(each.email, each.kind) for each in Suppressions(database).page(account.id)]


@pytest.mark.parametrize("channel", Channel)
def test_one_channel_is_opened(database: Database, account: Account, channel: Channel) -> None:
    """mm-125: the call opens none, so the operator does."""
    channels, everybody = Channels(database), Contacts(database)
    bob, ann = (everybody.create(account, {"email": email}) for email in ("bob@example.com", EMAIL))
    channels.shut(account, [{"email": EMAIL}, {"email": bob.fields["email"]}], "email", [*Channel])
    Unsubscribes(database).add(account, ann.id)
    assert channels.open(account, EMAIL.upper(), channel) == 1
    assert channels.open(account, ann.id, channel) == 0
    opened, other = everybody.many(account.id, [ann.id, bob.id])
    assert opened.channels_shut == set(Channel) - {channel}
    assert opened.suppressed_at is not None
    assert opened.unsubscribed
    assert other.channels_shut == set(Channel)
    assert ((EMAIL, "suppressed") in suppressed(database, account)) == (channel is not Channel.EMAIL)
    with database.read() as connection:
        about = (contact_events.c.contact_id == ann.id) & (contact_events.c.kind == "released")
        assert connection.execute(select(contact_events.c.detail).where(about)).scalars().all() == [
            {"channels": [channel]}
        ]


def test_the_last_one_ends_the_suppression_but_no_ban(database: Database, account: Account) -> None:
    """mm-123, lk-118"""
    channels, everybody = Channels(database), Contacts(database)
    ann = everybody.create(account, {"email": EMAIL})
    channels.shut(account, [{"email": EMAIL}], "email", ["email"])
    Suppressions(database).add(account.id, EMAIL, kind="banned")
    assert channels.open(account, ann.id, Channel.EMAIL) == 1
    assert suppressed(database, account) == [(EMAIL, "banned")]
    Suppressions(database).remove(account.id, EMAIL)
    [opened] = everybody.many(account.id, [ann.id])
    assert (opened.channels_shut, opened.suppressed_at) == (frozenset(), None)


def test_all_with_the_address_in_an_account_of_own_numbers(database: Database) -> None:
    """mm-53"""
    account = Accounts(database).create("NUMBERS", time_zone="UTC", identifier="custom_id")
    channels, everybody = Channels(database), Contacts(database)
    numbers = [everybody.create(account, {"email": EMAIL, "custom_id": each}).id for each in "789"]
    channels.shut(account, [{"custom_id": each} for each in "78"], "custom_id", ["email", "sms"])
    assert channels.open(account, numbers[2], Channel.EMAIL) == 0
    assert channels.open(account, numbers[0], Channel.EMAIL) == 1
    assert channels.open(account, EMAIL, Channel.SMS) == 2
    assert channels.open(account, EMAIL, Channel.EMAIL) == 1
    assert all(not each.channels_shut for each in everybody.many(account.id, numbers))


def test_nobody(database: Database, account: Account) -> None:
    channels, other = Channels(database), Accounts(database).create("OTHER", time_zone="UTC")
    ann = Contacts(database).create(account, {"email": EMAIL})
    channels.shut(account, [{"email": EMAIL}], "email", ["email"])
    for who in (ann.id, EMAIL):
        assert channels.open(other, who, Channel.EMAIL) == 0
    assert channels.open(account, ann.id + 1, Channel.EMAIL) == channels.open(account, "", Channel.EMAIL) == 0
