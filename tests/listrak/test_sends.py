"""Sends of messages to lists, through a stock client against a started server, and the mails that come of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import zeep
import zeep.exceptions
from markupsafe import escape
from tests.conftest import LocalServed

from soapstone.product import Product
from soapstone.sending.messages.message import Draft, Traits
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.vocabulary.messages import MessageKind

SERVED_ON = ("sqlite", "postgresql")

NEVER = datetime.min
EASTERN = ZoneInfo("America/New_York")


def message(list_id: int, **members: Any) -> dict[str, Any]:
    """A message with a subject of its own."""
    given = {"ListID": list_id, "ListCampaignID": 0, "CharacterSetID": 0, "Subject": f"News {uuid4()}"}
    switches = {"EnablePassalong": False, "EnableTracking": False}
    return {**given, **switches, "TextBody": "Hello {{ Email }}", **members}


def sent(listrak: Any, number: int) -> Any:
    """The status of a message once it is sent."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status = listrak.GetMessageStatus(number)
        if status["MessageStatus"] == "Sent":
            return status
        time.sleep(0.02)
    raise AssertionError(f"message {number} is not sent: {status}")


@pytest.fixture(scope="module")
def product(served: Any) -> Iterator[Product]:
    """The rooms behind the served contract, as the command line has them."""
    database = Database(served.product.settings.database)
    yield Product.open(Settings(data_dir=served.data), database)
    database.close()


@pytest.fixture(scope="module")
def demo(product: Product) -> Any:
    found = product.accounts.named("DEMO")
    assert found is not None
    return found


@pytest.fixture
def people(listrak: Any) -> tuple[int, int]:
    """A list of Ann, Bob and Cid, who is unsubscribed, with an attribute; the numbers of both."""
    list_id = listrak.create()
    colour = listrak.attribute(list_id, "Colour")
    for name, value in (("ann", "green"), ("bob", "blue"), ("cid", "green")):
        profile = [{"AttributeID": colour, "Value": value}]
        contact = {"EmailAddress": f"{name}@example.org", "ListID": list_id, "ContactProfileAttribute": profile}
        listrak.SetContact(contact, "Update", "", False)
    listrak.UnsubscribeContact(list_id, "cid@example.org")
    return list_id, colour


def test_lk_96_to_the_whole_list(listrak: Any, people: tuple[int, int], mails: Callable[..., Any]) -> None:
    list_id, _ = people
    html = "<p>{{ Colour }} for {{ Email }}</p>"
    asked = message(list_id, HTMLBody=html, ToName="{{ Colour }}", ReplyEmailAddress="back@example.net")
    number = listrak.SendListMessage(asked)
    status = sent(listrak, number)
    assert (status["MsgID"], status["DeliveryType"], status["SentCount"]) == (number, "List", 2)
    found = mails(asked["Subject"])
    assert sorted(found) == ["ann@example.org", "bob@example.org"]
    ann = found["ann@example.org"]
    assert (ann["From"], ann["Reply-To"]) == ("Ann <ann@example>", "back@example.net")
    assert ann["To"] == "green <ann@example.org>"
    assert ann.get_body(("html",)).get_content().strip() == "<p>green for ann@example.org</p>"
    assert ann.get_body(("plain",)).get_content().strip() == "Hello ann@example.org"


def test_lk_96_mails_without_a_link_to_unsubscribe_go_on_with_a_warning(
    served: Any, listrak: Any, product: Product, demo: Any
) -> None:
    """So do those of XML over HTTP (lk-85); a list that adds the link needs no warning, nor does a test."""
    list_id, linked = listrak.create(EnableListRemoveHeader=True), listrak.create(EnableRemovalLink=True)
    user = "<UserName>demo</UserName><Password>demo</Password>"
    text = "<Message><Subject>News</Subject><TextBody>Hello</TextBody></Message>"
    for number in (list_id, linked):
        sent(listrak, listrak.SendListMessage(message(number)))
        assert listrak.post("SendToList", f"<SendToList>{user}<ListID>{number}</ListID>{text}</SendToList>")[0] == 200
        listrak.SendListMessageTest(message(number), "me@example.org")
    made = {n: product.reports.find(demo.id, list_ids=[n], tests=True) for n in (list_id, linked)}
    kept = {n: [record.job.request.get("unsubscribe") for record in made[n]] for n in made}
    assert kept == {list_id: ["missing", "missing", None], linked: [None, None, None]}
    warned = [f"the mails of send {record.job.id} to list {list_id} have no link" for record in made[list_id]]
    assert [sentence in served.log() for sentence in warned] == [True, True, False]
    assert f"to list {linked} have no link" not in served.log()


def test_lk_96_numbers_are_new(listrak: Any, people: tuple[int, int]) -> None:
    """The same call twice is two messages."""
    asked = message(people[0])
    first, second = listrak.SendListMessage(asked), listrak.SendListMessage(asked)
    assert first != second
    assert sent(listrak, first)["SentCount"] == sent(listrak, second)["SentCount"] == 2


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([], ["ann", "bob"]),
        ([("EQUALS", "GREEN", "END")], ["ann"]),
        ([("NOTEQUALS", "green", "END")], ["bob"]),
        ([("EQUALS", "green", "OR"), ("EQUALS", "blue", "END")], ["ann", "bob"]),
        ([("EQUALS", "red", "END"), ("EQUALS", "blue", "OR")], []),
    ],
)
def test_lk_65_lk_96_with_a_filter(
    listrak: Any,
    people: tuple[int, int],
    mails: Callable[..., Any],
    terms: list[tuple[str, str, str]],
    expected: list[str],
) -> None:
    list_id, colour = people
    names = ("ProfileCompareType", "Value", "JoinType")
    chain = [{"AttributeID": colour, **dict(zip(names, term, strict=True))} for term in terms]
    asked = message(list_id)
    number = listrak.SendListMessageWithProfileFilter(asked, {"WSProfileFilter": chain} if chain else None)
    assert sent(listrak, number)["SentCount"] == len(expected)
    assert sorted(mails(asked["Subject"])) == [f"{name}@example.org" for name in expected]


def test_a_filter_of_another_list(listrak: Any, people: tuple[int, int], mails: Callable[..., Any]) -> None:
    """lk-17, lk-19"""
    other = listrak.attribute(listrak.create(), "Colour")
    chain = [{"AttributeID": other, "ProfileCompareType": "EQUALS", "Value": "green", "JoinType": "END"}]
    asked = message(people[0])
    with pytest.raises(zeep.exceptions.Fault, match=rf"\[NotFound\] Attribute {other} does not exist"):
        listrak.SendListMessageWithProfileFilter(asked, {"WSProfileFilter": chain})
    assert mails(asked["Subject"]) == {}


def at(moment: datetime) -> datetime:
    """A moment as these clients send it: US Eastern, without zone, whole seconds (lk-23)."""
    return moment.astimezone(EASTERN).replace(tzinfo=None, microsecond=0)


@pytest.mark.parametrize("filtered", [False, True])
def test_lk_96_scheduled(
    served: LocalServed, listrak: Any, people: tuple[int, int], mails: Callable[..., Any], filtered: bool
) -> None:
    """lk-23, lk-96, lk-101: nothing goes out before its time; the time comes back by reference."""
    list_id, colour = people
    due = at(datetime.now(EASTERN) + timedelta(hours=1))
    asked = message(list_id)
    if filtered:
        term = {"AttributeID": colour, "ProfileCompareType": "EQUALS", "Value": "blue", "JoinType": "END"}
        answer = listrak.ScheduleSendListMessageWithProfileFilter(asked, {"WSProfileFilter": [term]}, due)
    else:
        answer = listrak.ScheduleSendListMessage(asked, due)
    operation = "ScheduleSendListMessage" + ("WithProfileFilter" if filtered else "")
    assert list(answer) == [f"{operation}Result", "SendDateTime"]
    assert answer["SendDateTime"] == due
    number = answer[f"{operation}Result"]
    status = listrak.GetMessageStatus(number)
    assert status["MessageStatus"] == "ToBeSent"
    assert (status["StartTime"], status["EndTime"], status["SentCount"]) == (due, NEVER, 0)
    assert mails(asked["Subject"]) == {}
    with served.later(timedelta(hours=1)):
        status = sent(listrak, number)
    assert due <= status["StartTime"] <= status["EndTime"]
    assert len(mails(asked["Subject"])) == status["SentCount"] == (1 if filtered else 2)


@pytest.mark.parametrize("past", [datetime(2020, 1, 1, 12), NEVER])
@pytest.mark.parametrize("operation", ["ScheduleSendListMessage", "ScheduleSendListMessageWithProfileFilter"])
def test_lk_97_a_time_in_the_past(listrak: Any, people: tuple[int, int], past: datetime, operation: str) -> None:
    """Sent at once; the echo shows the real time."""
    arguments = [message(people[0]), past]
    if "Filter" in operation:
        arguments.insert(1, None)
    before = at(datetime.now(EASTERN))
    answer = getattr(listrak, operation)(*arguments)
    assert before <= answer["SendDateTime"] <= at(datetime.now(EASTERN))
    assert sent(listrak, answer[f"{operation}Result"])["SentCount"] == 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        # A zone counts (lk-24).
        ("2090-07-01T12:00:00Z", "2090-07-01T08:00:00"),
        ("2090-07-01T12:00:00", "2090-07-01T12:00:00"),
        # The gap of spring moves forward (lk-23).
        ("2090-03-12T02:30:00", "2090-03-12T03:30:00"),
        # The last year is one moment: not all of it is a date everywhere.
        ("9999-12-31T23:59:59", "9999-12-29T19:00:00"),
    ],
)
def test_lk_23_lk_24_times_of_schedules(listrak: Any, product: Product, demo: Any, asked: str, told: str) -> None:
    answer = listrak.ScheduleSendListMessage(message(listrak.create()), asked)
    assert answer["SendDateTime"].isoformat() == told
    (record,) = product.reports.of_message(demo.id, answer["ScheduleSendListMessageResult"])
    assert product.jobs.cancel([demo.id], record.job.id)
    assert listrak.GetMessageStatus(record.message_id)["MessageStatus"] == "NotReady"


def test_lk_96_a_test_goes_to_one_address(listrak: Any, people: tuple[int, int], mails: Callable[..., Any]) -> None:
    """With the values of a subscriber, or without any; whether the address is subscribed or not."""
    list_id, _ = people
    for name, text in (("ann", "green"), ("eve", "")):
        asked = message(list_id, TextBody="[{{ Colour }}]")
        number = listrak.SendListMessageTest(asked, f" {name}@example.org ")
        status = sent(listrak, number)
        assert (status["DeliveryType"], status["SentCount"]) == ("Test", 1)
        found = mails(asked["Subject"])
        assert list(found) == [f"{name}@example.org"]
        assert found[f"{name}@example.org"].get_content().strip() == f"[{text}]"
    # Who left the list gets nothing, not even a test.
    asked = message(list_id)
    assert sent(listrak, listrak.SendListMessageTest(asked, "cid@example.org"))["SentCount"] == 0
    assert mails(asked["Subject"]) == {}


@pytest.mark.parametrize("address", ["", "nobody", "a@example.org, b@example.org"])
def test_a_test_to_no_address(listrak: Any, people: tuple[int, int], product: Product, address: str) -> None:
    """lk-17"""
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] TestEmailAddress is not an e-mail address\."):
        listrak.SendListMessageTest(message(people[0]), address)


def test_lk_97_the_review_group(
    listrak: Any, people: tuple[int, int], product: Product, demo: Any, mails: Callable[..., Any]
) -> None:
    """Kept in our own interface; empty means a message with SentCount 0."""
    list_id, _ = people
    asked = message(list_id)
    status = sent(listrak, listrak.SendListMessageReview(asked))
    assert (status["DeliveryType"], status["SentCount"]) == ("Review", 0)
    assert mails(asked["Subject"]) == {}
    for address in ("boss@example.net", "ann@example.org", "cid@example.org"):
        product.review_groups.add(demo.id, list_id, address)
    status = sent(listrak, listrak.SendListMessageReview(asked))
    assert status["SentCount"] == 2
    assert sorted(mails(asked["Subject"])) == ["ann@example.org", "boss@example.net"]


def test_lk_118_banned_and_suppressed_are_skipped(
    listrak: Any, suppress: Callable[[str, str, int], None], mails: Callable[..., Any]
) -> None:
    list_id = listrak.create()
    names = ("fine", "banned", "suppressed")
    listrak.load(list_id, "\n".join(f"{name}@{list_id}.example" for name in names).encode())
    suppress(f"banned@{list_id}.example", "banned", 0)
    suppress(f"suppressed@{list_id}.example", "suppressed", list_id)
    asked = message(list_id)
    assert sent(listrak, listrak.SendListMessage(asked))["SentCount"] == 1
    assert list(mails(asked["Subject"])) == [f"fine@{list_id}.example"]
    assert sent(listrak, listrak.SendListMessageTest(message(list_id), f"banned@{list_id}.example"))["SentCount"] == 0


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"Subject": " "}, "The message has no subject."),
        ({"Subject": None}, "The message has no subject."),
        ({"TextBody": None, "HTMLBody": " "}, "The message has no body."),
        ({"FromEmailAddress": "ann"}, "The sender address is not a valid e-mail address: ann"),
        ({"ReplyEmailAddress": "back"}, "The reply address is not a valid e-mail address: back"),
        ({"TextBody": "{{ Nme }}"}, "The message uses unknown merge field: Nme."),
        ({"HTMLBody": "{{"}, "The HTML body is not a correct template"),
    ],
)
def test_lk_98_messages_that_are_refused(
    listrak: Any, product: Product, demo: Any, members: dict[str, Any], sentence: str
) -> None:
    """A fault in each of the operations, and nothing is stored."""
    list_id = listrak.create()
    asked = message(list_id, **members)
    calls: list[Callable[[], Any]] = [
        lambda: listrak.SendListMessage(asked),
        lambda: listrak.SendListMessageWithProfileFilter(asked, None),
        lambda: listrak.ScheduleSendListMessage(asked, datetime(2090, 1, 1)),
        lambda: listrak.ScheduleSendListMessageWithProfileFilter(asked, None, datetime(2090, 1, 1)),
        lambda: listrak.SendListMessageTest(asked, "ann@example.org"),
        lambda: listrak.SendListMessageReview(asked),
    ]
    for call in calls:
        with pytest.raises(zeep.exceptions.Fault) as refused:
            call()
        assert f"[InvalidArgument] {sentence}" in str(refused.value)
    assert product.messages.find(demo.id, list_ids=[list_id]) == []
    assert product.jobs.find(list_id=list_id) == []


def test_lk_98_defaults_of_the_list_and_campaigns(
    listrak: Any, product: Product, demo: Any, mails: Callable[..., Any]
) -> None:
    """The list lends its sender; a campaign is one of the list, 0 is none."""
    list_id, other = listrak.create(FromName="Paper", FromEmail="paper@example.net"), listrak.create()
    campaign = product.campaigns.add(demo.id, list_id, "Spring")
    asked = message(list_id, ListCampaignID=campaign.id)
    number = listrak.SendListMessageTest(asked, "ann@example.org")
    sent(listrak, number)
    assert mails(asked["Subject"])["ann@example.org"]["From"] == "Paper <paper@example.net>"
    asked = message(list_id, FromName="Eve", FromEmailAddress="eve@example.net")
    sent(listrak, listrak.SendListMessageTest(asked, "ann@example.org"))
    assert mails(asked["Subject"])["ann@example.org"]["From"] == "Eve <eve@example.net>"
    (told,) = listrak.GetCampaignCollection(list_id)
    assert (told["CampaignID"], told["MessageCount"]) == (campaign.id, 1)
    foreign = product.campaigns.add(demo.id, other, "Autumn")
    with pytest.raises(zeep.exceptions.Fault, match=rf"\[NotFound\] Campaign {foreign.id} does not exist"):
        listrak.SendListMessage(message(list_id, ListCampaignID=foreign.id))


@pytest.mark.parametrize(
    ("number", "charset"), [(0, "utf-8"), (1, "utf-8"), (2, "iso-8859-1"), (77, "utf-8"), (-1, "utf-8")]
)
def test_lk_105_character_sets(listrak: Any, mails: Callable[..., Any], number: int, charset: str) -> None:
    list_id = listrak.create()
    asked = message(list_id, CharacterSetID=number, TextBody="Zoë")
    sent(listrak, listrak.SendListMessageTest(asked, "ann@example.org"))
    mail = mails(asked["Subject"])["ann@example.org"]
    assert mail.get_content_charset() == charset
    assert mail.get_content().strip() == "Zoë"


def test_lk_99_saved_messages(
    listrak: Any, people: tuple[int, int], product: Product, demo: Any, mails: Callable[..., Any]
) -> None:
    """Sent to the saved message's own list, or to one address; the number is that of a new message."""
    list_id, _ = people
    subject = f"Saved {uuid4()}"
    saved = product.messages.save(
        demo.id, list_id, Draft(subject=subject, plain="{{ Colour }}"), traits=Traits(name="Spring letter")
    )
    number = listrak.SendSavedMessageTest(saved.id, "ann@example.org")
    status = sent(listrak, number)
    assert (status["DeliveryType"], status["SentCount"]) == ("Test", 1)
    assert list(mails(subject)) == ["ann@example.org"]
    again = listrak.SendSavedMessage(saved.id)
    assert len({saved.id, number, again}) == 3
    status = sent(listrak, again)
    assert (status["DeliveryType"], status["SentCount"]) == ("List", 2)
    assert sorted(mails(subject, 3)) == ["ann@example.org", "bob@example.org"]
    # Sent copies are no saved messages; the saved one has no status of its own.
    (told,) = listrak.GetSavedMessageCollection(list_id)
    assert (told["SavedMsgID"], told["SavedName"]) == (saved.id, "Spring letter")
    assert told["CreateDate"] == told["ModifiedDate"] == at(saved.created_at)
    assert listrak.GetMessageStatus(saved.id) is None
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] TestEmailAddress is not"):
        listrak.SendSavedMessageTest(saved.id, "ann")


def test_lk_98_a_saved_message_that_cannot_be_sent(listrak: Any, product: Product, demo: Any) -> None:
    saved = product.messages.save(demo.id, listrak.create(), Draft(subject="No body"))
    calls: list[Callable[[], Any]] = [
        lambda: listrak.SendSavedMessage(saved.id),
        lambda: listrak.SendSavedMessageTest(saved.id, "ann@example.org"),
    ]
    for call in calls:
        with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] The message has no body\."):
            call()


def test_a_saved_message_without_a_name_has_its_subject(listrak: Any, product: Product, demo: Any) -> None:
    list_id = listrak.create()
    saved = product.messages.save(demo.id, list_id, Draft(subject="Hello"))
    product.messages.edit(demo.id, saved.id, Draft(subject="Hello again"))
    (told,) = listrak.GetSavedMessageCollection(list_id)
    assert told["SavedName"] == "Hello again"
    assert told["ModifiedDate"] >= told["CreateDate"]


@pytest.fixture(scope="module")
def transactional(product: Product, demo: Any) -> Callable[..., int]:
    """Save a transactional message; its number."""

    def save(list_id: int, subject: str, plain: str, name: str = "") -> int:
        draft = Draft(subject=subject, plain=plain)
        return product.messages.save(
            demo.id, list_id, draft, kind=MessageKind.TRANSACTIONAL, traits=Traits(name=name)
        ).id

    return save


def values(*pairs: tuple[int, str]) -> dict[str, Any]:
    return {"WSProfileAttributeValue": [{"AttributeID": number, "Value": value} for number, value in pairs]}


def test_lk_100_transactional_messages(
    listrak: Any, people: tuple[int, int], transactional: Callable[..., int], mails: Callable[..., Any]
) -> None:
    """To subscribers and others; given values come before known ones, and the last of several counts."""
    list_id, colour = people
    subject = f"Order {uuid4()}"
    number = transactional(list_id, subject, "[{{ Colour }}]", "Order confirmation")
    (told,) = listrak.GetTransactionalMessageCollection(list_id)
    assert told == {"TransactionalMsgID": number, "MessageName": "Order confirmation"}
    assert not listrak.GetSavedMessageCollection(list_id)
    given = values((colour, "red"), (colour, "black"))
    assert listrak.SendTransactionalMessage("ann@example.org", number, given) == "Success"
    # Unsubscribed, and unknown.
    assert listrak.SendTransactionalMessage("cid@example.org", number, None) == "Success"
    assert listrak.SendTransactionalMessage(" eve@example.org ", number, given) == "Success"
    found = mails(subject, 3)
    texts = {name: mail.get_content().strip() for name, mail in found.items()}
    assert texts == {"ann@example.org": "[black]", "cid@example.org": "[green]", "eve@example.org": "[black]"}
    # Nobody is subscribed by it.
    assert listrak.GetContact(list_id, "eve@example.org") is None


def test_lk_45_content_blocks_are_html(
    listrak: Any, product: Product, demo: Any, transactional: Callable[..., int], mails: Callable[..., Any]
) -> None:
    """Values of SetContact and of transactional messages; those of a subscribe form are text."""
    list_id = listrak.create()
    order = listrak.attribute(list_id, "Order", "ContentBlock")
    table = "<table><tr><td>Tea &amp; cake</td></tr></table>"

    def contact(name: str) -> dict[str, Any]:
        profile = [{"AttributeID": order, "Value": table}]
        return {"EmailAddress": f"{name}@example.org", "ListID": list_id, "ContactProfileAttribute": profile}

    listrak.SetContact(contact("ann"), "Update", "", False)
    listrak.SubscribeFormPassThrough(contact("bob"), "", False, False)
    asked = message(list_id, HTMLBody="<p>{{ Order }}</p>", TextBody="{{ Order }}")
    sent(listrak, listrak.SendListMessage(asked))
    found = mails(asked["Subject"])
    bodies = {name.partition("@")[0]: mail.get_body(("html",)).get_content() for name, mail in found.items()}
    assert bodies["ann"].strip() == f"<p>{table}</p>"
    assert bodies["bob"].strip() == f"<p>{escape(table)}</p>"
    assert found["ann@example.org"].get_body(("plain",)).get_content().strip() == "Tea & cake"
    subject = f"Order {uuid4()}"
    draft = Draft(subject=subject, html="{{ Order }}")
    number = product.messages.save(demo.id, list_id, draft, kind=MessageKind.TRANSACTIONAL).id
    assert listrak.SendTransactionalMessage("eve@example.org", number, values((order, table))) == "Success"
    (mail,) = mails(subject, 1).values()
    # The pixels follow.
    assert mail.get_body(("html",)).get_content().strip().partition("<img ")[0] == table


def test_lk_100_refused_addresses(
    listrak: Any,
    transactional: Callable[..., int],
    suppress: Callable[[str, str, int], None],
    product: Product,
) -> None:
    list_id = listrak.create()
    number = transactional(list_id, "Order", "Hello")
    suppress(f"banned@{list_id}.example", "banned", 0)
    suppress(f"suppressed@{list_id}.example", "suppressed", list_id)
    for address in ("", "nobody", f"Banned@{list_id}.example", f"suppressed@{list_id}.example"):
        assert listrak.SendTransactionalMessage(address, number, None) == "FailedInvalidEmailAddress"
    assert product.jobs.find(list_id=list_id) == []


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("{{ Unsubscribe_Link }}", "FailedInvalidProfileData: SystemLink"),
        ('see {{field["browser_link"]}}', "FailedInvalidProfileData: SystemLink"),
        ("{% if unsubscribe_link %}x{% endif %}", "FailedInvalidProfileData: SystemLink"),
        ('{% include "http://example.org/" %}', "FailedInvalidProfileData: ExternalContent"),
        ("{%- import 'x' as y %}", "FailedInvalidProfileData: ExternalContent"),
        ("{{ Email }} unsubscribe_link", "Success"),
        ("100 % {{", "Success"),
        ("{{ a }} unsubscribe_link {{ b }}", "Success"),
        ("{{ {{ browser_link", "FailedInvalidProfileData: SystemLink"),
    ],
)
def test_lk_100_values_with_tags(
    listrak: Any,
    people: tuple[int, int],
    transactional: Callable[..., int],
    mails: Callable[..., Any],
    value: str,
    result: str,
) -> None:
    list_id, colour = people
    subject = f"Order {uuid4()}"
    number = transactional(list_id, subject, "{{ Colour }}")
    assert listrak.SendTransactionalMessage("ann@example.org", number, values((colour, value))) == result
    if result == "Success":
        (mail,) = mails(subject, 1).values()
        # A value is never a template.
        assert mail.get_content().strip() == value


def test_lk_47_values_of_a_transactional_message(
    listrak: Any, transactional: Callable[..., int], mails: Callable[..., Any]
) -> None:
    list_id = listrak.create()
    day = listrak.attribute(list_id, "Day", "Date")
    size = listrak.attribute(list_id, "Size", "Numeric")
    subject = f"Order {uuid4()}"
    number = transactional(list_id, subject, "[{{ Day }}][{{ Size }}]")
    given = values((day, "2026-12-24"), (size, "large"))
    assert listrak.SendTransactionalMessage("ann@example.org", number, given) == "Success"
    (mail,) = mails(subject, 1).values()
    assert mail.get_content().strip() == "[12/24/2026][]"
    with pytest.raises(zeep.exceptions.Fault, match=r"\[NotFound\] Attribute 987654 does not exist"):
        listrak.SendTransactionalMessage("ann@example.org", number, values((987654, "x")))


def test_lk_19_lk_100_unknown_messages(listrak: Any, product: Product, demo: Any) -> None:
    """A saved message is no transactional one, and the other way round."""
    list_id = listrak.create()
    saved = product.messages.save(demo.id, list_id, Draft(subject="x", plain="x"))
    other = product.messages.save(demo.id, list_id, Draft(subject="x", plain="x"), kind=MessageKind.TRANSACTIONAL)
    for number in (saved.id, 987654):
        with pytest.raises(zeep.exceptions.Fault, match=rf"\[NotFound\] Message {number} does not exist"):
            listrak.SendTransactionalMessage("ann@example.org", number, None)
    for number in (other.id, 987654):
        with pytest.raises(zeep.exceptions.Fault, match=rf"\[NotFound\] Message {number} does not exist"):
            listrak.SendSavedMessage(number)
        with pytest.raises(zeep.exceptions.Fault, match=rf"\[NotFound\] Message {number} does not exist"):
            listrak.SendSavedMessageTest(number, "ann@example.org")


def test_lk_19_unknown_lists_and_no_message(listrak: Any) -> None:
    with pytest.raises(zeep.exceptions.Fault, match=r"\[NotFound\] List 987654 does not exist"):
        listrak.SendListMessage(message(987654))
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] WSMessage is missing\."):
        listrak.SendListMessage(zeep.xsd.Nil)
    assert not listrak.GetSavedMessageCollection(987654)
    assert not listrak.GetTransactionalMessageCollection(987654)
    assert listrak.GetMessageStatus(987654) is None


def test_lk_104_public_ids(listrak: Any, product: Product, demo: Any) -> None:
    list_id = listrak.create()
    number = listrak.SendListMessageTest(message(list_id), "ann@example.org")
    found = product.messages.get(demo.id, number)
    assert found is not None
    assert len(found.public_id) == 32
    assert listrak.GetSystemIDFromPublicID(found.public_id, "Message") == number
    for strange in ("", str(number), found.public_id[:-1], "x" * 10_000):
        assert listrak.GetSystemIDFromPublicID(strange, "Message") == 0


def test_lk_103_analytics(listrak: Any, product: Product, demo: Any) -> None:
    list_id = listrak.create()
    campaign = product.campaigns.add(demo.id, list_id, "Spring")
    google = {"GoogleAnalyticsCampaignName": "spring-26", "GoogleAnalyticsCampaignContent": "top"}
    asked = message(list_id, ListCampaignID=campaign.id, **google)
    plain = message(list_id)
    later = listrak.ScheduleSendListMessage(plain, datetime(2090, 1, 2))["ScheduleSendListMessageResult"]
    number = listrak.SendListMessage(asked)
    status = sent(listrak, number)
    saved = product.messages.save(demo.id, list_id, Draft(subject="x", plain="x"))
    rows = listrak.GetMessageAnalyticsInformation({"int": [later, number, number, saved.id, 987654]})
    nothing = {
        "CampaignID": 0,
        "CampaignName": None,
        "GoogleAnalyticsCampaignContent": None,
        "GoogleAnalyticsCampaignName": None,
        "ListrakAnalyticsCampaignName": None,
        "ListrakAnalyticsModuleName": None,
        "ListrakAnalyticsVersion": None,
        "ListID": list_id,
    }
    first = {**nothing, **google, "CampaignID": campaign.id, "CampaignName": "Spring"}
    assert rows == [
        {**first, "MsgID": number, "SendDate": status["StartTime"], "Subject": asked["Subject"]},
        {**nothing, "MsgID": later, "SendDate": datetime(2090, 1, 2), "Subject": plain["Subject"]},
    ]
    assert not listrak.GetMessageAnalyticsInformation(None)
    assert len(listrak.GetMessageAnalyticsInformation({"int": [number] * 2500})) == 1
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] More than 2500 messages\."):
        listrak.GetMessageAnalyticsInformation({"int": [number] * 2501})


def test_lk_101_a_message_to_several_groups_has_one_status(listrak: Any, product: Product, demo: Any) -> None:
    """A message of the other contract, too: it goes to each group by a send of its own."""
    groups: list[Any] = [product.lists.get(demo.id, listrak.create()) for _ in range(2)]
    for number, group in enumerate(groups, 1):
        people = [f"p{each}@{group.id}.example" for each in range(number)]
        listrak.load(group.id, "\n".join(people).encode())
    draft = Draft(subject="News", plain="Hello", from_address="ann@example.net")
    stored = product.messages.save(demo.id, None, draft, kind=MessageKind.MAGNETMAIL)
    assert listrak.GetMessageStatus(stored.id) is None
    later = datetime.now(EASTERN) + timedelta(hours=1)
    first = product.sends.to_groups(account=demo, login=None, groups=groups[:1], message=stored)
    assert len(first) == 1
    status = sent(listrak, stored.id)
    assert (status["DeliveryType"], status["SentCount"]) == ("List", 1)
    (second,) = product.sends.to_groups(
        account=demo, login=None, groups=groups[1:], message=stored, due_at=later.astimezone(UTC)
    )
    # Part of it is sent, the rest waits.
    status = listrak.GetMessageStatus(stored.id)
    assert (status["MessageStatus"], status["SentCount"], status["EndTime"]) == ("Sending", 1, NEVER)
    assert product.jobs.cancel([demo.id], second.job.id)
    assert listrak.GetMessageStatus(stored.id)["MessageStatus"] == "NotReady"
    product.sends.to_groups(account=demo, login=None, groups=groups[1:], message=stored)
    # One that was cancelled is made up for by a later one.
    assert sent(listrak, stored.id)["SentCount"] == 3


def test_lk_101_copies_for_testers_do_not_count(listrak: Any, product: Product, demo: Any) -> None:
    """mm-108, lk-106: a message that is really sent shows its real sends alone, whenever they are due."""
    group: Any = product.lists.get(demo.id, listrak.create())
    listrak.load(group.id, f"p@{group.id}.example".encode())
    draft = Draft(subject="News", plain="Hello", from_address="ann@example.net")
    stored = product.messages.save(demo.id, None, draft, kind=MessageKind.MAGNETMAIL)
    later, testers = datetime(2090, 1, 2, 12, tzinfo=UTC), [f"t{each}@{group.id}.example" for each in range(2)]
    (ticket,) = product.sends.to_groups(
        account=demo, login=None, groups=[group], message=stored, due_at=later, test_emails=testers
    )
    (copies,) = (each for each in product.reports.of_message(demo.id, stored.id) if each.is_test)
    end = time.monotonic() + 60
    while not product.jobs.get([demo.id], copies.job.id).over and time.monotonic() < end:  # type: ignore[union-attr]
        time.sleep(0.02)
    status = listrak.GetMessageStatus(stored.id)
    assert (status["DeliveryType"], status["MessageStatus"], status["SentCount"]) == ("List", "ToBeSent", 0)
    assert status["StartTime"] == datetime(2090, 1, 2, 7)
    (row,) = listrak.GetMessageAnalyticsInformation({"int": [stored.id]})
    assert row["SendDate"] == datetime(2090, 1, 2, 7)
    assert product.jobs.cancel([demo.id], ticket.job.id)
    product.sends.to_groups(account=demo, login=None, groups=[group], message=stored)
    status = sent(listrak, stored.id)
    assert (status["DeliveryType"], status["SentCount"]) == ("List", 1)


def test_lk_44_figures_outlive_the_list(listrak: Any, people: tuple[int, int]) -> None:
    list_id, _ = people
    number = listrak.SendListMessage(message(list_id))
    before = sent(listrak, number)
    assert listrak.DeleteContactList(list_id) is True
    assert listrak.GetMessageStatus(number) == before


def test_lk_9_lists_that_a_login_was_not_granted(
    listrak: Any, client_class: Any, people: tuple[int, int], product: Product, demo: Any, served: Any
) -> None:
    list_id, _ = people
    number = listrak.SendListMessage(message(list_id))
    sent(listrak, number)
    saved = product.messages.save(demo.id, list_id, Draft(subject="x", plain="x"))
    name = f"login-{uuid4()}"
    product.accounts.add_login(demo, name, "secret", lists=[])
    other = client_class(served.base, listrak.version, name, "secret")
    found = product.messages.get(demo.id, number)
    assert found is not None
    assert other.GetMessageStatus(number) is None
    assert other.GetSystemIDFromPublicID(found.public_id, "Message") == 0
    assert not other.GetMessageAnalyticsInformation({"int": [number]})
    assert not other.GetSavedMessageCollection(list_id)
    calls: list[Callable[[], Any]] = [
        lambda: other.SendSavedMessage(saved.id),
        lambda: other.SendListMessage(message(list_id)),
    ]
    for call in calls:
        with pytest.raises(zeep.exceptions.Fault, match=r"\[NotFound\]"):
            call()


def test_lk_83_sends_of_this_contract_are_no_legacy_processes(listrak: Any, people: tuple[int, int]) -> None:
    """Only Send to List and Send to File are: the others have no process to ask for."""
    list_id, _ = people
    for number in (
        listrak.SendListMessage(message(list_id)),
        listrak.SendListMessageTest(message(list_id), "ann@example.org"),
    ):
        sent(listrak, number)
    assert not listrak.GetLegacyProcessStatus(list_id)
    body = (
        f"<SendToList><UserName>demo</UserName><Password>demo</Password><ListID>{list_id}</ListID>"
        "<Message><Subject>News</Subject><TextBody>Hello</TextBody></Message></SendToList>"
    )
    status, text = listrak.post("SendToList", body)
    assert status == 200
    process = int(text.partition("<StatusID>")[2].partition("<")[0])
    number = int(text.partition("<MsgID>")[2].partition("<")[0])
    assert [row["StatusID"] for row in listrak.GetLegacyProcessStatus(list_id)] == [process]
    # lk-91: its MsgID has a status, too.
    assert sent(listrak, number)["DeliveryType"] == "List"
