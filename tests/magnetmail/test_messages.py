"""Stored messages, through a stock client against a started server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.conftest import LocalServed, locally_served
from tests.magnetmail.mailing import ANY, create, details, listed, refusal, whole_send

from soapstone.accounts.account import Accounts
from soapstone.jobs.queue import Jobs
from soapstone.lists.categories import Categories
from soapstone.sending.messages.messages import Messages
from soapstone.store.database import Database
from soapstone.vocabulary.contacts import OptOutKind

PUBLIC = "https://mail.example.com"
EASTERN = ZoneInfo("America/New_York")
LISTINGS = ("getMessages", "getMessagesUTC", "getMessageList", "getMessageListUtc")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, demo_records: Path) -> Iterator[LocalServed]:
    """A server that knows under which address people reach it."""
    with locally_served(tmp_path_factory.mktemp("messages") / "data", demo_records, public_url=PUBLIC) as running:
        yield running


@pytest.fixture
def records(served: Any) -> Iterator[Database]:
    """The server's own records, for what no operation of the contract can do."""
    opened = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    yield opened
    opened.close()


def test_a_message_comes_back_as_it_was_stored(magnetmail: Any) -> None:
    """mm-95, mm-97, mm-98: number and dates are the server's, whatever the request says."""
    given = details(
        message_id=4711,
        html_version_block1="<h1>Ünïcode &amp; more</h1>",
        html_version_block3="<p>third</p>",
        text_version="Hello {{ First_Name }}\nÜnïcode & <more>",
        fax_doc_1="JVBERi0x",
        fax_doc_5="fünf",
        template_id=7,
        is_fax_merged=True,
        is_copy_paste_template=False,
        is_auto_unsubscribe_link=True,
        SubjectLine="Hello {{ First_Name }}",
        FromAddress='"Ann, of the News" <news@example.com>',
        characterSet="International",
    )
    begun = datetime.now(EASTERN).replace(tzinfo=None, microsecond=0)
    made = magnetmail.createMagnetMailMessage(message=given)
    assert (made["error"], made["msg"]) == (0, "Message created successfully")
    assert made["errorObj"] == {
        "errorCode": None,
        "errorDetails": None,
        "errorMessage": None,
        "errorNumber": 0,
        "errorType": None,
    }
    assert (made["message_in_queue"], made["links_already_exists"]) == (False, False)
    assert made["magnetMail_tracking_link_exists"] is False
    number = int(made["message_id"])
    assert number not in (0, 4711)
    stored = magnetmail.GetMessageDetails(MessageId=number)
    kept = {name: value for name, value in given.items() if name not in ("message_id", "createDate", "lastSent")}
    assert {name: stored[name] for name in kept} == kept
    assert stored["html_version_block2"] is stored["fax_doc_2"] is stored["is_fax_only"] is None
    assert (stored["message_id"], stored["user_id"]) == (number, "DEMO")
    assert stored["loginid"] == magnetmail.session.loginid
    # mm-32: never sent.
    assert stored["lastSent"] == datetime.min
    assert begun <= stored["createDate"] <= begun + timedelta(minutes=1)


@pytest.mark.parametrize(
    "sender",
    [
        "news@example.com",
        "Ann <news@example.com>",
        "{{ City }} news <news@example.com>",
        '"A \\"B\\" C" <a@example.com>',
    ],
)
def test_senders_come_back(magnetmail: Any, sender: str) -> None:
    """mm-95, mm-100: an address, or a name and an address."""
    assert magnetmail.GetMessageDetails(MessageId=create(magnetmail, FromAddress=sender))["FromAddress"] == sender


def test_a_message_with_a_chosen_number(magnetmail: Any, served: LocalServed) -> None:
    """A `message_id` that a program has written in: it is made by REST, and the calls of the contract use it."""
    accounts = served.product.accounts
    account = accounts.named("DEMO")
    assert account is not None
    accounts.permit(account, "demo", may_choose_numbers=True)
    number, name = 700_000_001 + uuid4().int % 1_000_000, f"Chosen {uuid4()}"
    given = {"kind": "magnetmail", "name": name, "subject": "Hello", "html": "<p>Hello</p>", "number": number}
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo")) as rest:
        assert rest.post("/messages", json=given).json()["id"] == number
        found = magnetmail.GetMessageDetails(MessageId=number)
        assert (found["message_name"], found["html_version_block1"]) == (name, "<p>Hello</p>")
        # Of a message that the contract made too, REST changes what its calls then give.
        other = create(magnetmail, html_version_block1="<p>One</p>", html_version_block2="<p>Two</p>")
        changed = {"html": "<p>New</p>", "plain": "New"}
        assert rest.patch(f"/messages/{other}", json=changed).status_code == 200
        found = magnetmail.GetMessageDetails(MessageId=other)
        blocks = [found[f"html_version_block{n}"] for n in (1, 2, 3)]
        assert (blocks, found["text_version"]) == (["<p>New</p>", None, None], "New")
        taken = magnetmail.createMagnetMailMessage(message=details(message_name=name))
        assert taken["errorObj"]["errorNumber"] == 9004
        for change, status in (
            ({"name": f"Other {uuid4()}"}, 409),
            ({"number": number + 1}, 409),
            ({"name": " ", "number": number + 1}, 422),
            ({"name": f"Other {uuid4()}", "number": number + 1, "list_id": 1}, 422),
            ({"kind": "saved", "number": number + 1}, 422),
        ):
            assert rest.post("/messages", json={**given, **change}).status_code == status, change


def test_a_name_is_there_once(magnetmail: Any) -> None:
    """mm-96, mm-97"""
    name = f"Message {uuid4()}"
    first = create(magnetmail, message_name=name)
    assert refusal(magnetmail.createMagnetMailMessage(message=details(message_name=name.upper()))) == (
        2,
        9004,
        "NAME_EXISTS",
    )
    second = create(magnetmail)
    taken = magnetmail.editMagnetMailMessage(message=details(message_id=second, message_name=f" {name} "))
    assert refusal(taken) == (2, 9004, "NAME_EXISTS")
    assert taken["errorObj"]["errorDetails"] == (
        "Error Details:\nError Category:1Component:Message\nFunction:editMagnetMailMessage"
    )
    # A message may keep its own name.
    kept = magnetmail.editMagnetMailMessage(message=details(message_id=first, message_name=name, SubjectLine="New"))
    assert (kept["error"], kept["message_id"]) == (0, first)


def test_an_edit_replaces_everything(magnetmail: Any) -> None:
    """mm-97: number, login and date of creation stay."""
    number = create(magnetmail, html_version_block1="<p>old</p>", fax_doc_1="old", template_id=3)
    before = magnetmail.GetMessageDetails(MessageId=number)
    edited = magnetmail.editMagnetMailMessage(
        message=details(message_id=number, text_version="new", SubjectLine="New", html_version_block2="<p>new</p>")
    )
    assert (edited["error"], edited["msg"], edited["message_id"]) == (0, "Message edited successfully", number)
    after = magnetmail.GetMessageDetails(MessageId=number)
    assert (after["text_version"], after["SubjectLine"], after["html_version_block2"]) == ("new", "New", "<p>new</p>")
    assert after["html_version_block1"] is after["fax_doc_1"] is after["template_id"] is None
    same = ("message_id", "createDate", "lastSent", "loginid", "user_id")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_a_message_in_the_queue_stays_as_it_is(magnetmail: Any, records: Database) -> None:
    """mm-97: and can be edited again when it waits no more."""
    number = create(magnetmail)
    group = int(magnetmail.addGroup(group_name=f"group {uuid4()}", categoryId=0)["id"])
    later = datetime.now(EASTERN).replace(tzinfo=None) + timedelta(days=2)
    sent = magnetmail.sendMessageToGroup(**whole_send(), message_id=number, group_ids=[group], scheduledDateTime=later)
    assert sent["error"] == 0, sent
    refused = magnetmail.editMagnetMailMessage(message=details(message_id=number, text_version="new"))
    assert refusal(refused) == (2, 9006, "MESSAGE_IN_QUEUE")
    assert refused["message_in_queue"] is True
    assert magnetmail.GetMessageDetails(MessageId=number)["text_version"] == "Hello"
    account = Accounts(records).named("DEMO")
    assert account is not None
    assert Jobs(records).cancel([account.id], sent["email_job_ids"]["anyType"][0])
    assert magnetmail.editMagnetMailMessage(message=details(message_id=number, text_version="new"))["error"] == 0
    assert magnetmail.GetMessageDetails(MessageId=number)["text_version"] == "new"


def test_what_cannot_be_stored(magnetmail: Any) -> None:
    """mm-26, mm-97: refused in the answer, and nothing is kept."""
    before = listed(magnetmail, "getMessageList")
    for wrong, number in (
        ({"message_name": None}, 9001),
        ({"message_name": "  "}, 9001),
        ({"message_name": "x" * 256}, 9001),
        ({"FromAddress": "not an address"}, 9001),
        ({"SubjectLine": "{{ 1 + }}"}, 9001),
        ({"html_version_block1": "{% for x in y %}{% endfor %}"}, 9001),
        ({"message_category": 987_654}, 9002),
    ):
        assert refusal(magnetmail.createMagnetMailMessage(message=details(**wrong)))[1] == number, wrong
    for unknown in (0, 987_654, -1):
        answer = magnetmail.editMagnetMailMessage(message=details(message_id=unknown))
        assert refusal(answer) == (2, 9002, "NOT_FOUND")
        assert answer["message_in_queue"] is False
    assert listed(magnetmail, "getMessageList") == before
    assert magnetmail.createMagnetMailMessage(message=None)["errorObj"]["errorNumber"] == 9001


def test_a_message_of_another_account_is_unknown(
    magnetmail: Any, client_class: Any, served: Any, records: Database
) -> None:
    """mm-24, mm-25, mm-26: so is a list's message of the other contract, which has no place here."""
    accounts, name = Accounts(records), f"other{uuid4().hex[:8]}"
    accounts.add_login(accounts.create(name, time_zone="UTC"), name, name)
    stranger = client_class(served.base, "1.1", name, name)
    mine = create(magnetmail, text_version="https://example.com/x")
    assert stranger.GetMessageDetails(MessageId=mine) is None
    assert not stranger.getLinkURLs(message_id=mine, group_id=0)
    assert listed(stranger, "getMessageList") == {}
    assert refusal(stranger.editMagnetMailMessage(message=details(message_id=mine)))[1] == 9002
    for number in (1, 987_654):
        assert magnetmail.GetMessageDetails(MessageId=number) is None
        assert number not in listed(magnetmail, "getMessageList")
        assert refusal(magnetmail.editMagnetMailMessage(message=details(message_id=number)))[1] == 9002
    assert magnetmail.getLinkURLs(message_id=987_654, group_id=0) is None
    # mm-96: names are there once in an account, not in the world.
    theirs = magnetmail.GetMessageDetails(MessageId=mine)["message_name"]
    assert create(stranger, message_name=theirs) != mine


def test_a_parent_stores_messages_of_its_children(client_class: Any, served: Any, records: Database) -> None:
    """mm-9, mm-16: the account of a message stands inside it."""
    accounts, name = Accounts(records), f"P{uuid4().hex[:8]}".upper()
    parent = accounts.create(name, time_zone="UTC")
    accounts.create(f"{name}C", time_zone="UTC", parent=name)
    accounts.add_login(parent, name, name)
    client = client_class(served.base, "1.2", name, name)
    number = create(client, user_id=f"{name}C")
    assert client.GetMessageDetails(MessageId=number) is None
    child = {**client.header, "user_id": f"{name}C"}
    assert client.GetMessageDetails(header=child, MessageId=number)["user_id"] == f"{name}C"
    with pytest.raises(Exception, match="AccessDenied"):
        client.createMagnetMailMessage(message=details(user_id="DEMO"))


def test_categories_of_messages(magnetmail: Any, records: Database) -> None:
    """mm-97"""
    account = Accounts(records).named("DEMO")
    assert account is not None
    category = Categories(records, OptOutKind.MESSAGE_CATEGORY).add(account.id, f"category {uuid4()}")
    number = create(magnetmail, message_category=category.id)
    assert magnetmail.GetMessageDetails(MessageId=number)["message_category"] == category.id
    magnetmail.editMagnetMailMessage(message=details(message_id=number, message_category=0))
    assert magnetmail.GetMessageDetails(MessageId=number)["message_category"] is None


def test_links_that_are_kept(magnetmail: Any) -> None:
    """mm-99: only an edit can keep links."""
    text = "Read https://example.com/a?b=1&c=2 or https://example.com/z."
    made = magnetmail.createMagnetMailMessage(message=details(text_version=text))
    assert made["links_already_exists"] is False
    number = int(made["message_id"])
    html = '<a href="https://example.com/a?b=1&amp;c=2">Read</a>'
    kept = magnetmail.editMagnetMailMessage(
        message=details(message_id=number, text_version=None, html_version_block1=html)
    )
    assert kept["links_already_exists"] is True
    html = '<a href="https://example.com/other">Read</a>'
    lost = magnetmail.editMagnetMailMessage(
        message=details(message_id=number, text_version=None, html_version_block1=html)
    )
    assert lost["links_already_exists"] is False


def test_links_of_a_message_that_is_not_sent_yet(magnetmail: Any) -> None:
    """mm-115: each address once, in the order of the message, HTML first; with its fields as they were written."""
    html = (
        '<p>See <a href="https://example.com/a?x=1&amp;y=2">the <b>first\n page</b></a>,'
        ' <a href=" https://example.com/to/{{ City }} ">yours</a>, <a href="#top">up</a>, <a name="top"></a>'
        '<!-- <a href="https://example.com/hidden">hidden</a> -->'
        '<a href="mailto:ann@example.com?subject=Hi">write</a> <a href="javascript:alert(1)">do</a>'
        '<a href="https://example.com/a?x=1&amp;y=2">again</a></p>'
    )
    end = '<a href="{{ Browser_Link }}"><img src="https://example.com/i.png" alt="picture"></a><a href="tel:1">call</a>'
    text = "Also https://example.com/text, (http://example.com/in_(round)_brackets) and {{ Unsubscribe_Link }}."
    number = create(magnetmail, html_version_block1=html, html_version_block2=end, text_version=text)
    links = magnetmail.getLinkURLs(message_id=number, group_id=0)
    assert [(each["link_index"], each["link_type"], each["link_url"], each["link_text"]) for each in links] == [
        (1, 1, "https://example.com/a?x=1&y=2", "the first page"),
        (2, 1, "https://example.com/to/{{ City }}", "yours"),
        (3, 2, "mailto:ann@example.com?subject=Hi", "write"),
        (4, 3, "{{ Browser_Link }}", "picture"),
        (5, 1, "https://example.com/text", "https://example.com/text"),
        (6, 1, "http://example.com/in_(round)_brackets", "http://example.com/in_(round)_brackets"),
        (7, 3, "{{ Unsubscribe_Link }}", "{{ Unsubscribe_Link }}"),
    ]
    assert {each["link_clicks"] for each in links} == {0}
    numbers = {each["link_url"]: each["linkid"] for each in links}
    assert len(set(numbers.values())) == 7
    # A link keeps its number when another one comes before it.
    html = '<a href="https://example.com/new">new</a>' + html
    magnetmail.editMagnetMailMessage(message=details(message_id=number, html_version_block1=html, text_version=text))
    after = {each["link_url"]: each["linkid"] for each in magnetmail.getLinkURLs(message_id=number, group_id=0)}
    assert after["https://example.com/text"] == numbers["https://example.com/text"]
    assert after["https://example.com/new"] not in numbers.values()
    # mm-111: it was sent to no group.
    assert not magnetmail.getLinkURLs(message_id=number, group_id=1)
    assert not magnetmail.getLinkURLs(message_id=number, group_id=987_654)


@pytest.mark.parametrize("operation", LISTINGS)
def test_listings_filter(magnetmail: Any, records: Database, operation: str) -> None:
    """mm-6, mm-109: no, yes or all; one that is left out counts as no."""
    mail = create(magnetmail)
    fax = create(magnetmail, text_version=None, fax_doc_2="JVBERi0x", is_fax_only=True)
    both = create(magnetmail, fax_doc_1="JVBERi0x")
    neither = create(magnetmail, text_version=None)
    archived, hidden = create(magnetmail), create(magnetmail)
    account = Accounts(records).named("DEMO")
    assert account is not None
    Messages(records).mark(account.id, archived, archived=True)
    Messages(records).mark(account.id, hidden, hidden=True)
    mine = {mail, fax, both, neither, archived, hidden}

    def those(**filters: str) -> set[int]:
        return listed(magnetmail, operation, **filters).keys() & mine

    assert those() == mine
    assert those(archived="yes") == {archived}
    assert those(archived="no") == mine - {archived}
    assert those(hidden="yes") == {hidden}
    assert those(hidden="no") == mine - {hidden}
    assert those(hasFax="yes") == {fax, both}
    assert those(hasFax="no", hasEmail="yes") == {mail, archived, hidden}
    assert those(hasEmail="no") == {fax, neither}
    assert those(hasFax="yes", hasEmail="yes") == {both}
    assert those(archived="no", hidden="no", hasFax="no", hasEmail="no") == {neither}


@pytest.mark.parametrize("operation", LISTINGS)
def test_listings_by_date_of_creation(magnetmail: Any, operation: str) -> None:
    """mm-28, mm-30, mm-31, mm-34: both ends belong to the range; dates without a zone are the account's, or UTC in the
    operations that end in UTC; a stated zone is honoured in both."""
    number = create(magnetmail)
    utc = operation.lower().endswith("utc")
    message = listed(magnetmail, operation)[number]
    assert message["user_id"] == "DEMO"
    assert message["loginid"] == magnetmail.session.loginid
    # mm-32: never sent; the year 1 has no zone in either variant.
    assert message["lastSent"] == datetime.min
    made = message["createDate"]
    assert made.utcoffset() == (timedelta(0) if utc else None)
    moment = made.astimezone(UTC) if utc else made.replace(tzinfo=EASTERN).astimezone(UTC)
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)
    local, second = moment.astimezone(UTC if utc else EASTERN).replace(tzinfo=None), timedelta(seconds=1)
    other = moment.astimezone(EASTERN if utc else UTC).replace(tzinfo=None)
    for start, end, found in (
        (local, local, True),
        (local - second, ANY, True),
        (local + second, ANY, False),
        (ANY, local - second, False),
        (local, local - second, False),
        (other, other, False),
        (moment, moment, True),
        (moment.astimezone(ZoneInfo("Asia/Tokyo")), moment.astimezone(ZoneInfo("Asia/Tokyo")), True),
        (moment + second, datetime(9999, 1, 1), False),
    ):
        rows = listed(magnetmail, operation, createStartDate=start, createEndDate=end)
        assert (number in rows) is found, (start, end)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"text_version": "{{ First_Name }}" * 1_001}, "The message has more than 1,000 merge tags."),
        ({"html_version_block1": "<p>" * 35_001}, "The HTML has more than 35,000 tags"),
        ({"html_version_block2": "a" * 550_001}, "The HTML body has more than 550,000 characters."),
        ({"SubjectLine": "a" * 2_001}, "The subject has more than 2,000 characters."),
        ({"FromAddress": "a" + " " * 2_001 + "b <a@example.com>"}, "The sender name has more than 2,000 characters."),
    ],
)
def test_a_message_that_is_too_large_is_refused(magnetmail: Any, given: dict[str, str], sentence: str) -> None:
    answer = magnetmail.createMagnetMailMessage(message=details(**given))
    assert sentence in answer["msg"]
    assert refusal(answer)[0] != 0


def test_a_sender_of_spaces_costs_nothing(magnetmail: Any) -> None:
    began = time.monotonic()
    sender = "a" + " " * 9_999 + "<" + " " * 9_999 + "x"
    refusal(magnetmail.createMagnetMailMessage(message=details(FromAddress=sender)))
    assert time.monotonic() - began < 5
