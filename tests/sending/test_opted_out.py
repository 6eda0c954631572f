"""Sends heed who asked for no mail, whatever contract the wish came through (mm-120, lk-118)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Accounts
from soapstone.accounts.link_keys import LinkKeys
from soapstone.contacts.changes import Changes
from soapstone.contacts.channels import Channels
from soapstone.contacts.subscriptions import Subscriptions
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.transfers import Told, Transfers
from soapstone.imports.imports import Imports
from soapstone.imports.runner import run_import
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.run import Runner
from soapstone.jobs.worker import Worker
from soapstone.lists.categories import Categories
from soapstone.lists.lists import Lists
from soapstone.sending.confirmations import Invitations, SubscriptionMails
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.messages.messages import Messages
from soapstone.store.tables import contacts
from soapstone.vocabulary.contacts import OptOutKind
from soapstone.vocabulary.jobs import IMPORTS

NAMES = ("all", "list", "clubs", "back", "free")


def test_people_of_a_file_who_left_are_skipped(office: Any) -> None:
    """Beside the list as well as on it; who came back is mailed, and so is who left another list."""
    clubs = Categories(office.database, OptOutKind.LIST_CATEGORY).add(office.account.id, "Clubs")
    kept = Lists(office.database).create(office.account.id, "Club", category_id=clubs.id, settings=office.list.settings)
    other, office.list = office.list, kept
    numbers = {name: office.contact(f"{name}@example.com", "") for name in NAMES}
    with Changes(office.database).begin(office.account) as change:
        change.edit(numbers["all"], {"unsubscribed_at": change.moment})
        change.opt_out(numbers[OptOutKind.LIST], OptOutKind.LIST, kept.id)
        change.opt_out(numbers["clubs"], OptOutKind.LIST_CATEGORY, clubs.id)
        change.opt_out(numbers["back"], OptOutKind.LIST, kept.id)
        change.clear_opt_outs(numbers["back"], kept.id)
        change.join(kept.id, numbers["back"])
        change.opt_out(numbers["free"], OptOutKind.LIST, other.id)
    ticket = office.to_file("EmailAddress\n" + "".join(f"{name.upper()}@example.com\n" for name in (*NAMES, "new")))
    office.work()
    assert office.ledger(ticket) == [
        ("ALL@example.com", "skipped", "unsubscribed"),
        ("LIST@example.com", "skipped", "unsubscribed"),
        ("CLUBS@example.com", "skipped", "unsubscribed"),
        ("BACK@example.com", "handed", ""),
        ("FREE@example.com", "handed", ""),
        ("NEW@example.com", "handed", ""),
    ]


def test_members_of_a_list_that_comes_into_a_category_later_keep_their_wish(office: Any) -> None:
    """mm-120: they asked for no mail of the category before the list was one of it."""
    clubs = Categories(office.database, OptOutKind.LIST_CATEGORY).add(office.account.id, "Clubs")
    office.contact("ann@example.com")
    bob = office.contact("bob@example.com")
    with Changes(office.database).begin(office.account) as change:
        change.opt_out(bob, OptOutKind.LIST_CATEGORY, clubs.id)

    def send() -> list[tuple[str, str, str]]:
        message = Messages(office.database).save(
            office.account.id, office.list.id, Draft(subject="News", plain="Hello")
        )
        ticket = office.sends.to_list(account=office.account, login=None, contact_list=office.list, message=message)
        office.work()
        found: list[tuple[str, str, str]] = office.ledger(ticket)
        return found

    everybody = [("ann@example.com", "handed", ""), ("bob@example.com", "handed", "")]
    assert send() == everybody
    Lists(office.database).change(office.account.id, office.list.id, category_id=clubs.id)
    assert send() == [("ann@example.com", "handed", ""), ("bob@example.com", "skipped", "unsubscribed")]
    with Changes(office.database).begin(office.account) as change:
        change.clear_opt_outs(bob, office.list.id)
    assert send() == everybody


def test_messages_of_a_category_skip_who_wants_none_of_them(office: Any) -> None:
    """mm-120: a subscriber stays one, and gets the messages of other categories."""
    categories = Categories(office.database, OptOutKind.MESSAGE_CATEGORY)
    news, offers = (categories.add(office.account.id, name) for name in ("News", "Offers"))
    office.contact("ann@example.com")
    bob = office.contact("bob@example.com")
    with Changes(office.database).begin(office.account) as change:
        change.opt_out(bob, OptOutKind.MESSAGE_CATEGORY, offers.id)

    def send(category_id: int | None) -> list[tuple[str, str, str]]:
        draft, traits = Draft(subject="News", plain="Hello"), Traits(category_id=category_id)
        message = Messages(office.database).save(office.account.id, office.list.id, draft, traits=traits)
        ticket = office.sends.to_list(account=office.account, login=None, contact_list=office.list, message=message)
        office.work()
        found: list[tuple[str, str, str]] = office.ledger(ticket)
        return found

    everybody = [("ann@example.com", "handed", ""), ("bob@example.com", "handed", "")]
    assert send(None) == everybody
    assert send(news.id) == everybody
    assert send(offers.id) == [("ann@example.com", "handed", ""), ("bob@example.com", "skipped", "unsubscribed")]


def test_who_leaves_before_the_welcome_is_not_welcomed(office: Any) -> None:
    """The mail waits for a mail server, for instance. Who waits for a confirmation gets the mail that asks for it."""
    invitations = Invitations(LinkKeys.single("secret"))
    house = Subscriptions(office.database, SubscriptionMails(office.sends, invitations, "https://mail.example.com"))
    for name in ("ann", "bob"):
        house.form(office.account, office.list, f"{name}@example.com", {}, welcome=True)
    house.form(office.account, office.list, "cid@example.com", {}, ask=True)
    house.unsubscribe(office.account, office.list, "ann@example.com")
    office.work()
    assert set(office.mails()) == {"bob@example.com", "cid@example.com"}
    house.unsubscribe(office.account, office.list, "bob@example.com")
    house.form(office.account, office.list, "bob@example.com", {}, ask=True)
    office.work()
    assert len(list(office.mail.glob("*.eml"))) == 3


NEW = "ann@new.example"


def by_import(office: Any) -> None:
    upload = office.blobs.new()
    upload.write(f"7,{NEW}\n8,bob@example.com\n".encode())
    spec = ImportSpec(columns=(Column(index=0, target="custom_id"), Column(index=1, target="email")), known="overwrite")
    Imports(office.database, office.blobs, office.jobs).submit(
        account=office.account, login=None, contact_list=office.list, upload=upload, spec=spec, label="people.csv"
    )
    runners: dict[str, Runner] = dict.fromkeys(IMPORTS, run_import)
    Worker(office.database, office.blobs, runners, idle=0.05).run(until=lambda: True)


def by_transfer(office: Any) -> None:
    with Transfers(office.database).begin(office.account) as transfer:
        transfer.people([Told(email=NEW, custom_id="7")])


def by_lifting(office: Any) -> None:
    assert Suppressions(office.database).remove(office.account.id, "ann@example.com")


@pytest.mark.parametrize("way", [by_import, by_transfer, by_lifting])
@pytest.mark.parametrize("audience", ["members", "people", "addresses", "file"])
def test_a_shut_channel_stays_shut(office: Any, way: Callable[[Any], None], audience: str) -> None:
    """mm-74, mm-77: for whatever address the contact has, and without a suppression of it."""
    office.account = Accounts(office.database).create("NUMBERS", time_zone="UTC", identifier="custom_id")
    office.list = Lists(office.database).create(office.account.id, "Numbers", settings=office.list.settings)
    numbers = [office.contact(f"{name}@example.com", custom_id=each) for name, each in (("ann", "7"), ("bob", "8"))]
    Channels(office.database).shut(office.account, [{"custom_id": "7"}], "custom_id", ("email", "sms"))
    way(office)
    with office.database.read() as connection:
        email = connection.execute(select(contacts.c.email).where(contacts.c.id == numbers[0])).scalar_one()
    emails = [email, "bob@example.com"]
    if audience == "file":
        ticket = office.to_file("EmailAddress\n" + "\n".join(emails))
    else:
        draft = Draft(subject="News", plain="Hello", from_address="ann@example.com")
        message = office.messages.save(office.account.id, office.list.id, draft)
        sends, who = office.sends, {"account": office.account, "login": None, "message": message}
        if audience == "members":
            ticket = sends.to_list(contact_list=office.list, **who)
        elif audience == "people":
            ticket = sends.to_people(contact_ids=numbers, **who)
        else:
            ticket = sends.to_addresses(contact_list=office.list, emails=emails, **who)
    office.work()
    assert sorted(office.ledger(ticket)) == sorted([(email, "skipped", "suppressed"), (emails[1], "handed", "")])
