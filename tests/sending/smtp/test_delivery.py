"""Whole sends to a real SMTP server: what arrives, as others read it, and what the ledger says of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.sending.conftest import Office, parse
from tests.sending.mail.test_mime import TEXT
from tests.sending.sink import fate
from tests.sending.smtp_trial import Sink

from soapstone.accounts.link_keys import LinkKeys
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import Lists
from soapstone.lists.profile_filter import Term
from soapstone.lists.profiles import Profiles
from soapstone.sending.mail.builder import MailOptions
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.message import Draft
from soapstone.sending.runner import SendRunner
from soapstone.sending.send_records import SendTicket
from soapstone.sending.signed_links import Links
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.server import SmtpServer
from soapstone.sending.smtp.url import SmtpAddress

LINKS = Links("https://lists.example", LinkKeys.single("key"))


class PostOffice:
    """An office whose mails go to a sink that keeps them."""

    def __init__(self, office: Office, folder: Path, *options: str, rates: Rates | None = None) -> None:
        self.office = office
        self.mails = folder / "arrived"
        self.mails.mkdir()
        self.sink = Sink(folder / "accepted.jsonl", "--mails", str(self.mails), *options)
        server = SmtpServer(
            SmtpAddress.of(f"smtp://127.0.0.1:{self.sink.port}"),
            connections=2,
            rates=rates,
            retries=Retries(first=timedelta(milliseconds=50)),
            local_hostname="client.example",
        )
        links = MailOptions(links=LINKS)
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=server, options=links)

    def arrived(self) -> dict[str, EmailMessage]:
        """Recipient → mail; fails when somebody has two."""
        lines = self.sink.lines()
        found = {line["to"]: parse((self.mails / f"{line['id'].strip('<>')}.eml").read_bytes()) for line in lines}
        assert len(found) == len(lines)
        return found

    def order(self) -> list[str]:
        """Recipients in the order in which their mails were taken."""
        return [line["to"] for line in self.sink.lines()]


Opened = Callable[..., PostOffice]


@pytest.fixture
def post(office: Office, tmp_path: Path) -> Iterator[Opened]:
    """Opens a post office, once."""
    opened: list[PostOffice] = []

    def make(*options: str, rates: Rates | None = None) -> PostOffice:
        opened.append(PostOffice(office, tmp_path, *options, rates=rates))
        return opened[0]

    yield make
    for each in opened:
        each.sink.stop()


def test_a_mail_of_a_list_as_it_arrives(post: Opened, office: Office) -> None:
    """One-click links (RFC 8058), the list's id (RFC 2919), and a text made of the HTML body."""
    place = post()
    office.contact("ann@example.org", first_name="Zoë")
    html = '<h1>Hello {{ First_Name }}</h1><p>Read <a href="https://example.com/x">this</a>.</p>'
    ticket = office.to_list(subject="News für {{ First_Name }}", html=html, plain="", reply_address="desk@example.com")
    office.work()
    mail = place.arrived()["ann@example.org"]
    assert mail.defects == []
    assert str(mail["Subject"]) == "News für Zoë"
    assert str(mail["From"]) == "Ann <ann@example.com>"
    assert str(mail["Reply-To"]) == "desk@example.com"
    assert str(mail["List-Id"]) == f"Newsletter <list-{office.list.id}.example.com>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(mail["List-Unsubscribe"]).strip("<>")
    assert link.startswith("https://lists.example/u/")
    assert LINKS.read("unsubscribe", link.rpartition("/")[2]) == office.rows(ticket)[0].id
    plain, marked = mail.iter_parts()
    assert plain.get_content().split() == ["Hello", "Zoë", "Read", "this", "(https://example.com/x)."]
    assert "<h1>Hello Zoë</h1>" in marked.get_content()
    (line,) = place.sink.lines()
    assert line["from"] == "ann@example.com"
    (row,) = office.rows(ticket)
    assert (row.state, row.attempts, row.doubts, row.reply) == ("handed", 1, 0, "250 2.0.0 Accepted")


def test_a_list_that_wants_no_such_header(post: Opened, office: Office) -> None:
    place = post()
    office.contact("ann@example.org")
    settings = {**office.list.settings, "list_remove_header": False}
    changed = Lists(office.database).change(office.account.id, office.list.id, settings=settings)
    assert changed is not None
    office.list = changed
    office.to_list()
    office.work()
    mail = place.arrived()["ann@example.org"]
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    ("charset", "text", "written"),
    [
        ("utf-8", "Grüße aus 東京", "utf-8"),
        ("iso-8859-1", "Grüße", "iso-8859-1"),
        ("iso-8859-1", "Grüße aus 東京", "utf-8"),
    ],
)
def test_character_sets(post: Opened, office: Office, charset: str, text: str, written: str) -> None:
    """What the character set of a message does not have goes as UTF-8."""
    place = post()
    office.contact("ann@example.org")
    office.to_list(subject=text, plain=text, charset=charset, from_name=text)
    office.work()
    mail = place.arrived()["ann@example.org"]
    assert mail.get_content_charset() == written
    assert mail.get_content() == f"{text}\r\n"
    assert (str(mail["Subject"]), mail["From"].addresses[0].display_name) == (text, text)
    raw = next(place.mails.iterdir()).read_bytes()
    assert f"Subject: =?{written}?".encode() in raw


def test_refusals_for_now_are_tried_again_and_those_for_good_are_final(post: Opened, office: Office) -> None:
    place = post("--deferred", "40", "--refused", "20")
    people = [f"p{number}@d{number}.example" for number in range(40)]
    for email in people:
        office.contact(email)
    ticket = office.to_list()
    office.work()
    assert office.job(ticket).state == "completed"
    fates = {email: fate(email, 40, 20) for email in people}
    assert set(fates.values()) == {"", "deferred", "refused"}
    rows = {row.email: row for row in office.rows(ticket)}
    for email, what in fates.items():
        row = rows[email]
        assert (row.state, row.attempts) == {
            "": ("handed", 1),
            "deferred": ("handed", 2),
            "refused": ("failed", 1),
        }[what]
        assert row.reply.startswith("550 5.1.1" if what == "refused" else "250 ")
        assert row.next_try_at is None
    assert place.arrived().keys() == {email for email, what in fates.items() if what != "refused"}


def test_a_slow_domain_does_not_hold_up_the_others(post: Opened, office: Office) -> None:
    """By order alone: the first domain has a turn now and then, everybody else goes meanwhile."""
    place = post(rates=Rates(0, 2))
    slow = [f"s{number}@slow.example" for number in range(4)]
    others = [f"o{number}@d{number}.example" for number in range(30)]
    for email in [*slow, *others]:
        office.contact(email)
    office.to_list()
    office.work()
    order = place.order()
    assert sorted(order) == sorted([*slow, *others])
    assert set(order[-2:]) == set(slow[-2:])


def test_a_send_that_rests_hands_nothing_over_and_goes_on_with_the_rest(post: Opened, office: Office) -> None:
    place = post()
    people = [f"p{number}@d{number}.example" for number in range(300)]
    for email in people:
        office.contact(email)
    ticket = office.to_list()
    worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait(lambda: len(place.sink.lines()) >= 20)
        assert office.jobs.pause([office.account.id], ticket.job.id)
        wait(lambda: office.job(ticket).state == "queued")
        before = len(place.sink.lines())
        assert 20 <= before < len(people)
        job = office.job(ticket)
        assert (job.paused, job.counters["handed"]) == (True, before)
        # A worker that is free does not take it.
        other = office.to_file("EmailAddress\nzoe@example.org\n")
        wait(lambda: office.job(other).over)
        assert len(place.sink.lines()) == before + 1
        assert office.jobs.pause([office.account.id], ticket.job.id, paused=False)
        wait(lambda: office.job(ticket).over)
    finally:
        worker.stop()
        thread.join()
    assert office.job(ticket).state == "completed"
    # arrived() fails when somebody has two.
    assert place.arrived().keys() == {*people, "zoe@example.org"}


def test_workers_that_are_stopped_leave_nobody_out(post: Opened, office: Office) -> None:
    """As a service manager stops them: mails under way end, and the next worker goes on with all others."""
    place = post()
    people = [f"p{number}@d{number}.example" for number in range(200)]
    for email in people:
        office.contact(email)
    ticket = office.to_list()
    for share in (20, 60, 110):
        worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            wait(lambda share=share: len(place.sink.lines()) >= share)  # type: ignore[misc]
        finally:
            worker.stop()
            thread.join()
    assert not office.job(ticket).over
    office.jobs.expire_leases()
    office.work()
    assert office.job(ticket).state == "completed"
    assert place.arrived().keys() == set(people)
    assert all((row.state, row.doubts) == ("handed", 0) for row in office.rows(ticket))


def test_a_filter_on_the_profile_picks_whom_it_says(post: Opened, office: Office) -> None:
    place = post()
    profiles = Profiles(office.database)
    header = profiles.add_header(office.account.id, office.list.id, "Clothes")
    size = profiles.add_attribute(office.account.id, office.list.id, header, "Size", kind="numeric")
    for name, value in (("ann", "9"), ("bob", "38"), ("cat", "41"), ("dan", ""), ("eve", "100")):
        office.contact(f"{name}@example.org", profile={str(size): value} if value else {})

    def send(*terms: Term) -> set[str]:
        before = len(place.order())
        office.sends.to_members(
            account=office.account,
            login=None,
            contact_list=office.list,
            message=Draft(subject="News", plain="Hello"),
            terms=terms,
        )
        office.work()
        return {email.partition("@")[0] for email in place.order()[before:]}

    above = Term(attribute_id=size, compare="above", value="38")
    assert send(above) == {"cat", "eve"}
    assert send(above, Term(attribute_id=size, compare="empty", join="or")) == {"cat", "dan", "eve"}
    assert send(Term(attribute_id=size, compare="below", value="38", inclusive=True)) == {"ann", "bob"}
    assert send(Term(attribute_id=size, compare="equals", value="38", negated=True)) == {"ann", "cat", "dan", "eve"}


def test_a_merge_field_that_is_gone_by_then_fails_the_send_with_a_sentence(post: Opened, office: Office) -> None:
    """It was there when the send was accepted; nobody is mailed a text with a hole in it."""
    place = post()
    office.contact("ann@example.org")
    ticket: SendTicket = office.to_file("EmailAddress,Name\nann@example.org,Ann\n", plain="Dear {{ Nme }}")
    office.work()
    job = office.job(ticket)
    assert (job.state, job.error) == ("failed", "The message uses unknown merge field: Nme.")
    assert place.order() == []
    assert office.rows(ticket) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT)
def test_addresses_hold_nothing_that_could_end_a_header_or_a_command(text: str) -> None:
    for address in (f"ann{text}@example.com", f"ann@exam{text}ple.com", text, f'"{text}"@example.com'):
        if is_mailbox(address):
            assert not any(character in address for character in "\r\n\0\x85\u2028\u2029<>")


def test_values_of_people_add_no_header_and_no_recipient(post: Opened, office: Office) -> None:
    """Whatever a stranger signs up with: every field of a mail that can hold a value is tried."""
    place = post()
    bad = "x\r\nBcc: victim@example.org\r\n\r\n.\r\nMAIL FROM:<eve@example.org>\u2028\x00".replace("\x00", "\x01")
    office.contact("ann@example.org", first_name=bad, last_name=bad * 20)
    field = "{{ First_Name }} {{ Last_Name }}"
    ticket = office.to_list(subject=field, from_name=field, to_name=field, plain=field, html=f"<p>{field}</p>")
    office.work()
    assert [row.state for row in office.rows(ticket)] == ["handed"]
    mail = place.arrived()["ann@example.org"]
    assert mail.keys().count("Bcc") == 0
    kept = ["Date", "From", "To", "Subject", "Message-ID", "List-Id", "MIME-Version", "Precedence"]
    assert mail.keys() == [*kept, "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type"]
    assert [each.addr_spec for each in mail["To"].addresses] == ["ann@example.org"]
    assert [each.addr_spec for each in mail["From"].addresses] == ["ann@example.com"]
    assert mail.defects == []


def wait(until: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end
        time.sleep(0.005)
