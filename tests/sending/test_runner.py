"""Sends from submission to the mail folder (lk-85 to lk-91)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.contacts.suppressions import Suppressions
from soapstone.jobs.run import Chunk, Run
from soapstone.lists.profiles import Profiles
from soapstone.sending import selection
from soapstone.sending.folder import delivery as folder_delivery
from soapstone.sending.messages.message import Draft
from soapstone.sending.messages.messages import Messages
from soapstone.sending.supplied_file import FileForm
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, size in (
        (selection, "READ_ROWS"),
        (selection, "CHOOSE_ROWS"),
        (folder_delivery, "BUILD_MAILS"),
        (folder_delivery, "SEND_MAILS"),
    ):
        monkeypatch.setattr(module, size, 3)


def test_a_send_to_list_mails_each_subscribed_member_once(office: Any) -> None:
    for number in range(10):
        office.contact(f"p{number}@example.com", first_name=f"Zoë {number}")
    ticket = office.to_list(subject="Hello {{ First_Name }}", html="<p>Hi {{ first_name }} &amp; co</p>", plain="")
    assert (ticket.job.kind, ticket.job.step, ticket.job.steps) == ("send_to_list", 0, 3)
    office.work()
    job = office.job(ticket)
    assert (job.state, job.step) == ("completed", 3)
    assert job.counters == {"chosen": 10, "skipped": 0, "built": 10, "handed": 10}
    assert office.ledger(ticket) == [(f"p{number}@example.com", "handed", "") for number in range(10)]
    assert all(row.handed_at <= now() and row.message_id == ticket.message.id for row in office.rows(ticket))
    mails = office.mails()
    assert len(mails) == 10
    mail = mails["p3@example.com"]
    assert str(mail["Subject"]) == "Hello Zoë 3"
    assert mail["From"].addresses[0].addr_spec == "ann@example.com"
    assert mail.get_body(("html",)).get_content() == "<p>Hi Zoë 3 &amp; co</p>\r\n"
    assert mail.get_body(("plain",)).get_content() == "Hi Zoë 3 & co\r\n"
    assert office.left_over() == []


def test_steps_move_one_by_one_and_only_when_their_work_is_done(office: Any) -> None:
    """lk-90."""
    for number in range(10):
        office.contact(f"p{number}@example.com")
    to_list = office.to_list()
    to_file = office.to_file("EmailAddress\n" + "".join(f"q{number}@example.com\n" for number in range(10)))
    office.work()
    for ticket, steps in ((to_list, 3), (to_file, 4)):
        events = [(event.state, event.step) for event in office.jobs.events(ticket.job.id)]
        moves = [("running", step) for step in range(steps)]
        assert events == [("queued", 0), *moves, ("completed", steps)]


def test_a_step_counts_when_the_ledger_shows_its_work(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        office.contact(f"p{number}@example.com")
    seen: dict[int, set[str]] = {}
    ticket = office.to_list()
    original = Run._reread

    def watch(run: Run, values: Any) -> None:
        before = run.job.step
        original(run, values)
        if run.job.step != before:
            seen[run.job.step] = {state for _, state, _ in office.ledger(ticket)}

    monkeypatch.setattr(Run, "_reread", watch)
    office.work()
    assert seen == {1: {"chosen"}, 2: {"built"}}
    assert {state for _, state, _ in office.ledger(ticket)} == {"handed"}


def test_members_that_are_not_subscribed_are_no_audience_and_blocked_ones_are_skipped(office: Any) -> None:
    """lk-118; only members that are suppressed or banned are in the ledger as skipped."""
    office.contact("one@example.com")
    office.contact("left@example.com", "unsubscribed")
    office.contact("waits@example.com", "waiting")
    office.contact("elsewhere@example.com", "")
    for name in ("banned", "Banned-Here", "quiet", "quiet-here"):
        office.contact(f"{name}@example.com")
    blocks = Suppressions(office.database)
    blocks.add(office.account.id, "banned@example.com", kind="banned")
    blocks.add(office.account.id, "banned-here@example.com", kind="banned", list_id=office.list.id)
    blocks.add(office.account.id, "quiet@example.com")
    blocks.add(office.account.id, "quiet-here@example.com", list_id=office.list.id)
    blocks.add(office.account.id, "one@example.com", kind="banned", list_id=office.list.id + 1)
    ticket = office.to_list()
    office.work()
    assert office.ledger(ticket) == [
        ("one@example.com", "handed", ""),
        ("banned@example.com", "skipped", "banned"),
        ("Banned-Here@example.com", "skipped", "banned"),
        ("quiet@example.com", "skipped", "suppressed"),
        ("quiet-here@example.com", "skipped", "suppressed"),
    ]
    assert office.mails().keys() == {"one@example.com"}
    assert office.job(ticket).counters == {"chosen": 1, "skipped": 4, "built": 1, "handed": 1}


def test_an_address_gets_one_mail_where_people_share_it(database: Database, blobs: Blobs, office: Any) -> None:
    """mm-53: where the custom id identifies people, an address may stand there twice, or not at all."""
    office.account = Accounts(database).create("BYID", time_zone="UTC", identifier="custom_id")
    office.list = type(office)(database, blobs, office.account, office.mail.parent).list
    for number, email in enumerate(("Both@example.com", "both@example.com", "", "x@example.com")):
        office.contact(email, custom_id=str(number))
    office.contact("x@example.com", "unsubscribed", custom_id="9")
    ticket = office.to_list()
    office.work()
    assert office.ledger(ticket) == [
        ("Both@example.com", "handed", ""),
        ("both@example.com", "skipped", "repeated"),
        ("", "skipped", "malformed"),
        ("x@example.com", "handed", ""),
    ]
    # In a file nobody knows which of the two is meant, so the one that left counts.
    ticket = office.to_file("x@example.com\nboth@example.com\n", FileForm(header=False))
    office.work()
    assert office.ledger(ticket) == [("x@example.com", "skipped", "unsubscribed"), ("both@example.com", "handed", "")]


def test_a_send_to_file_leaves_out_who_must_not_get_it(office: Any) -> None:
    """lk-91."""
    office.contact("member@example.com", first_name="Mia", city="Rome")
    office.contact("left@example.com", "unsubscribed")
    office.contact("waits@example.com", "waiting")
    office.contact("elsewhere@example.com", "", first_name="Eve")
    blocks = Suppressions(office.database)
    blocks.add(office.account.id, "banned@example.com", kind="banned")
    blocks.add(office.account.id, "quiet@example.com", list_id=office.list.id)
    ticket = office.to_file(
        "Name,emailaddress,City\n"
        "a,Member@example.com,Oslo\n"
        "b,LEFT@example.com,\n"
        "c,waits@example.com,\n"
        "d,banned@example.com,\n"
        "e,quiet@example.com,\n"
        "f,nobody,\n"
        "g,\n"
        "\n"
        "h,stranger@example.com\n"
        "i,elsewhere@example.com,Bonn\n"
        "j,member@EXAMPLE.com,again\n"
        "k,left@example.com,again\n",
        subject="{{ First_Name or 'you' }} in {{ City|default('nowhere') }}, {{ field['name'] }}",
    )
    assert (ticket.job.kind, ticket.job.steps, ticket.job.label) == ("send_to_file", 4, "people.csv")
    office.work()
    assert office.ledger(ticket) == [
        ("Member@example.com", "handed", ""),
        ("LEFT@example.com", "skipped", "unsubscribed"),
        ("waits@example.com", "skipped", "waiting"),
        ("banned@example.com", "skipped", "banned"),
        ("quiet@example.com", "skipped", "suppressed"),
        ("nobody", "skipped", "malformed"),
        ("", "skipped", "malformed"),
        ("stranger@example.com", "handed", ""),
        ("elsewhere@example.com", "handed", ""),
        ("member@EXAMPLE.com", "skipped", "repeated"),
        ("left@example.com", "skipped", "repeated"),
    ]
    job = office.job(ticket)
    assert (job.state, job.step) == ("completed", 4)
    assert job.counters == {"rows": 11, "chosen": 3, "skipped": 8, "built": 3, "handed": 3}
    # Columns of the file win over fields of the contact, which anybody whom the account knows has.
    assert {address: str(mail["Subject"]) for address, mail in office.mails().items()} == {
        "Member@example.com": "Mia in Oslo, a",
        "stranger@example.com": "you in nowhere, h",
        "elsewhere@example.com": "Eve in Bonn, i",
    }
    # It subscribes nobody, and what the message does not ask for is not kept.
    assert office.list.members == 0
    assert office.rows(ticket)[0].fields == {"city": "Oslo", "name": "a"}


def test_values_come_from_file_contact_profile_in_this_order(office: Any) -> None:
    header = Profiles(office.database).add_header(office.account.id, office.list.id, "About")
    add = Profiles(office.database).add_attribute
    colour = add(office.account.id, office.list.id, header, "Favourite Colour")
    city = add(office.account.id, office.list.id, header, "City")
    profile = {str(colour): "red", str(city): "profile"}
    office.contact("bob@example.com", profile=profile, city="contact", custom1="one")
    text = "{{ City }} {{ field['favourite colour'] }} {{ custom1 }} {{ Email }} {{ zip }}."
    office.to_list(plain=text)
    office.work()
    assert office.mails()["bob@example.com"].get_content() == "contact red one bob@example.com .\r\n"
    for path in office.mail.iterdir():
        path.unlink()
    office.to_file("EmailAddress,Favourite colour\nBOB@example.com,blue\n", plain=text)
    office.work()
    assert office.mails()["BOB@example.com"].get_content() == "contact blue one BOB@example.com .\r\n"


def test_a_saved_message_is_copied_for_its_send(office: Any) -> None:
    office.contact("bob@example.com")
    messages = Messages(office.database)
    saved = messages.save(office.account.id, office.list.id, Draft(subject="Saved", plain="Hello"))
    ticket = office.sends.to_list(account=office.account, login=None, contact_list=office.list, message=saved)
    assert saved.saved
    assert not ticket.message.saved
    assert ticket.message.id != saved.id
    assert messages.get(office.account.id, ticket.message.id) == ticket.message
    assert messages.get(office.account.id + 1, saved.id) is None
    assert (ticket.message.subject, ticket.message.from_address) == ("Saved", "ann@example.com")
    office.work()
    assert str(office.mails()["bob@example.com"]["Subject"]) == "Saved"


def test_a_send_to_an_empty_list_is_done_at_once(office: Any) -> None:
    ticket = office.to_list()
    office.work()
    job = office.job(ticket)
    assert (job.state, job.step) == ("completed", 3)
    assert office.mails() == {}


@pytest.mark.parametrize(
    ("content", "parts", "reason"),
    [
        ("", {}, "The file is empty."),
        ("\n\n", {}, "The file is empty."),
        ("EmailAddress\n", {}, "The file has no row with a valid e-mail address."),
        ("EmailAddress\nnobody\n\n,\n", {}, "The file has no row with a valid e-mail address."),
        ("EmailAddress\nb@example.com\n", {"subject": "{{ Nme }}"}, "The message uses unknown merge field: Nme."),
    ],
)
def test_a_file_that_will_not_do_fails_the_send_before_anybody_is_mailed(
    office: Any, content: str, parts: dict[str, str], reason: str
) -> None:
    ticket = office.to_file(content, **parts)
    office.work()
    job = office.job(ticket)
    assert (job.state, job.step, job.error) == ("failed", 0, reason)
    assert job.finished_at is not None
    assert office.ledger(ticket) == []
    assert office.left_over() == []


def test_a_mail_folder_that_is_none_fails_the_send_and_a_retry_completes_it(office: Any) -> None:
    """lk-84: failed is an end while the step is smaller."""
    office.contact("bob@example.com")
    office.mail.write_text("not a folder")
    ticket = office.to_list()
    office.work()
    job = office.job(ticket)
    assert (job.state, job.step) == ("failed", 0)
    assert job.finished_at is not None
    assert job.error == "The mail folder is not a folder that can be written to: File exists."
    office.mail.unlink()
    assert office.jobs.retry(None, ticket.job.id)
    office.work()
    assert office.job(ticket).state == "completed"
    assert office.mails().keys() == {"bob@example.com"}


def test_a_fault_while_handing_over_keeps_what_was_handed_and_a_retry_does_the_rest(office: Any) -> None:
    for number in range(8):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    # The fifth mail of the job cannot take its place.
    in_the_way = office.mail / f"{ticket.job.id:08d}-{5:010d}.eml"
    in_the_way.mkdir(parents=True)
    office.work()
    job = office.job(ticket)
    assert (job.state, job.step) == ("failed", 2)
    assert job.error == "A mail could not be put into the mail folder: Is a directory."
    assert job.counters == {"chosen": 8, "skipped": 0, "built": 3, "handed": 3}
    assert [state for _, state, _ in office.ledger(ticket)] == ["handed"] * 3 + ["chosen"] * 5
    assert list(office.drafts.iterdir()) == []
    in_the_way.rmdir()
    office.jobs.retry(None, ticket.job.id)
    office.work()
    job = office.job(ticket)
    assert (job.state, job.step) == ("completed", 3)
    assert job.counters == {"chosen": 8, "skipped": 0, "built": 8, "handed": 8}
    assert len(office.mails()) == 8
    steps = [event.step for event in office.jobs.events(ticket.job.id)]
    assert steps == sorted(steps)


def test_drafts_that_somebody_removed_fail_the_send_rather_than_pass_for_mailed(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    original = Chunk.count

    def remove(chunk: Chunk, **amounts: int) -> None:
        original(chunk, **amounts)
        if chunk.counters.get("built") == 4:
            for path in office.drafts.rglob("*.eml"):
                path.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(Chunk, "count", remove)
        office.work()
    assert office.job(ticket).state == "failed"
    assert "Drafts" in office.job(ticket).error
    office.jobs.retry(None, ticket.job.id)
    office.work()
    assert len(office.mails()) == 4


def test_a_cancelled_send_hands_over_no_more_and_leaves_no_drafts(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    cancelled = threading.Event()
    original = Run._reread

    def cancel(run: Run, values: Any) -> None:
        original(run, values)
        if run.job.counters.get("handed") == 3 and not cancelled.is_set():
            cancelled.set()
            assert office.jobs.cancel(None, run.job.id)

    monkeypatch.setattr(Run, "_reread", cancel)
    office.work()
    job = office.job(ticket)
    assert (job.state, job.step, job.counters["handed"]) == ("cancelled", 2, 3)
    assert len(office.mails()) == 3
    assert office.left_over() == []


def test_drafts_of_sends_that_ended_unattended_are_swept(office: Any, account: Account) -> None:
    ended = office.to_list()
    open_still = office.to_list()
    office.jobs.cancel(None, ended.job.id)
    for ticket in (ended, open_still):
        (office.drafts / f"{ticket.job.id:08d}").mkdir(parents=True)
    (office.drafts / "99999999").mkdir()
    (office.drafts / "something else").mkdir()
    office.sender.sweep()
    assert {path.name for path in office.drafts.iterdir()} == {f"{open_still.job.id:08d}", "something else"}
