"""Sends heed who asked for no mail, whatever contract the wish came through (mm-120, lk-118)."""

from __future__ import annotations

from typing import Any

from soapstone.contacts.changes import Changes
from soapstone.lists.categories import Categories
from soapstone.lists.lists import Lists
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.messages.messages import Messages
from soapstone.vocabulary.contacts import OptOutKind

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
