"""A mailbox is mailed once, and what was said of one form of its address holds for all of them (lk-64)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from soapstone.contacts.changes import Changes
from soapstone.contacts.mailboxes import sharing
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import Unsubscribes
from soapstone.sending import audience
from soapstone.store.tables import contacts, messages, opt_outs
from soapstone.vocabulary.contacts import MembershipState, OptOutKind

from .conftest import Office

FORMS = ("Ann@bücher.example", "ann@xn--bcher-kva.example", "ANN@BU\u0308CHER.example", "ann@ｂüｃｈｅｒ．example")


@pytest.fixture
def doubles(office: Office) -> list[int]:
    """Contacts of one mailbox, as an upgrade may find them, all of them subscribed; and another person."""
    office.contact("bob@example.com")
    oldest = office.contact(FORMS[0])
    return [oldest, *(office.contact(form, double_of=oldest) for form in FORMS[1:])]


def outcomes(office: Office, ticket: Any) -> dict[str, str]:
    office.work()
    return {email: reason or state for email, state, reason in office.ledger(ticket)}


def test_a_file_with_forms_of_one_mailbox_mails_it_once(office: Office) -> None:
    """lk-64, lk-87"""
    ticket = office.to_file("Email\n" + "\n".join(FORMS) + "\n")
    assert outcomes(office, ticket) == {FORMS[0]: "handed", **dict.fromkeys(FORMS[1:], "repeated")}
    assert len(office.mails()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_suppression_of_one_form_blocks_a_send_to_another(office: Office, form: str) -> None:
    office.contact(FORMS[0])
    Suppressions(office.database).add(office.account.id, form)
    ticket = office.to_list()
    assert outcomes(office, ticket) == {FORMS[0]: "suppressed"}


@pytest.mark.parametrize("form", FORMS)
def test_who_left_by_one_form_is_not_mailed_by_a_file_with_another(office: Office, form: str) -> None:
    office.contact(FORMS[0], "unsubscribed")
    assert outcomes(office, office.to_file(f"Email\n{form}\n")) == {form: "unsubscribed"}


def test_a_mailbox_with_several_contacts_is_mailed_once(office: Office, doubles: list[int]) -> None:
    assert doubles
    assert outcomes(office, office.to_list()) == {
        "bob@example.com": "handed",
        FORMS[0]: "handed",
        **dict.fromkeys(FORMS[1:], "repeated"),
    }


def test_a_contact_of_the_mailbox_that_is_deleted_meanwhile_ends_no_send(
    office: Office, doubles: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL it may go between the look at mailboxes and that at states."""
    gone = doubles[-1] + 1_000

    def looked_up_before(*given: Any) -> dict[int, list[int]]:
        return {each: [*shared, gone] for each, shared in sharing(*given).items()}

    monkeypatch.setattr(audience, "sharing", looked_up_before)
    assert outcomes(office, office.to_list())[FORMS[0]] == "handed"


def test_a_mailbox_is_mailed_when_only_a_younger_contact_is_on_the_list(office: Office) -> None:
    oldest = office.contact(FORMS[0], "")
    office.contact(FORMS[1], double_of=oldest)
    assert outcomes(office, office.to_list()) == {FORMS[1]: "handed"}


@pytest.mark.parametrize("who", range(4))
@pytest.mark.parametrize("way", ["list", "everything", "group", "category", "suppressed"])
def test_who_says_no_as_one_contact_is_not_mailed_as_another(
    office: Office, doubles: list[int], who: int, way: str
) -> None:
    """lk-64, mm-80, mm-120"""
    database, account, ticket = office.database, office.account, None
    if way == "everything":
        Unsubscribes(database).add(account, doubles[who])
    elif way == "suppressed":
        Suppressions(database).add(account.id, FORMS[who])
    else:
        with Changes(database).begin(account) as change:
            if way == "list":
                change.move(office.list.id, doubles[who], MembershipState.UNSUBSCRIBED)
            elif way == "group":
                change.leave(office.list.id, doubles[who])
                change.opt_out(doubles[who], OptOutKind.LIST, office.list.id)
    ticket = office.to_list()
    if way == "category":
        with database.write() as connection:
            connection.execute(messages.update().values(category_id=7))
            values = {"contact_id": doubles[who], "kind": "message_category", "target_id": 7}
            moment = select(contacts.c.created_at).where(contacts.c.id == doubles[who]).scalar_subquery()
            connection.execute(insert(opt_outs).values(**values, account_id=account.id, created_at=moment))
    assert outcomes(office, ticket).pop("bob@example.com") == "handed"
    assert [mail for mail in office.mails() if "bob" not in mail] == []
