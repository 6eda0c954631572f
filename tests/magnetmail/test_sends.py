"""Sends of stored messages, through a stock client against a started server; mails are read by parsers of others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from lxml import html as lxml_html  # type: ignore[import-untyped]
from tests.conftest import LocalServed, locally_served
from tests.magnetmail.mailing import create, details, listed, refusal, whole_send
from tests.sending.smtp_trial import Sink

from soapstone.accounts.account import Accounts
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import Lists
from soapstone.sending.messages.messages import Messages
from soapstone.store.database import Database

PUBLIC = "https://mail.example.com"
EASTERN = ZoneInfo("America/New_York")
DEMO = 1


class Mailroom:
    """The server's mail folder and its records."""

    def __init__(self, served: Any) -> None:
        self.served = served
        self.records = Database(f"sqlite:///{served.data}/soapstone.sqlite")
        self.jobs = Jobs(self.records)
        # Recipient and mail; a mail that is in the folder does not change any more.
        self._read: dict[Path, tuple[str, Any]] = {}

    def mails(self, *addresses: str) -> list[Any]:
        """The mails to these addresses so far, in the order of their recipients' numbers."""
        paths = sorted((self.served.data / "mail").glob("*.eml"))
        for path in paths:
            if path not in self._read:
                mail = message_from_bytes(path.read_bytes(), policy=policy.default)
                assert not mail.defects
                self._read[path] = mail["To"].addresses[0].addr_spec, mail
        return [mail for its, mail in map(self._read.__getitem__, paths) if its in addresses]

    def to(self, *addresses: str) -> list[str]:
        """Whom they are to."""
        return sorted(mail["To"].addresses[0].addr_spec for mail in self.mails(*addresses))

    def job(self, number: int) -> Job:
        """A job as it is."""
        found = self.jobs.get([DEMO], number)
        assert found is not None
        return found

    def done(self, numbers: list[int]) -> list[Job]:
        """Jobs when all of them are over."""
        end = time.monotonic() + 60
        while not all(self.job(number).over for number in numbers):
            assert time.monotonic() < end, [self.job(number) for number in numbers]
            time.sleep(0.02)
        return [self.job(number) for number in numbers]

    def wait(self, what: Callable[[], object]) -> None:
        """Until it is so."""
        end = time.monotonic() + 60
        while not what():
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, demo_records: Path) -> Iterator[LocalServed]:
    """A server that knows under which address people reach it."""
    with locally_served(tmp_path_factory.mktemp("sends") / "data", demo_records, public_url=PUBLIC) as running:
        yield running


@pytest.fixture(scope="module")
def mailroom(served: Any) -> Iterator[Mailroom]:
    opened = Mailroom(served)
    yield opened
    opened.records.close()


def group(magnetmail: Any) -> int:
    return int(magnetmail.addGroup(group_name=f"group {uuid4()}", categoryId=0)["id"])


def person(magnetmail: Any, *groups: int, **fields: Any) -> tuple[int, str]:
    """Number and address of somebody new."""
    email = f"{uuid4().hex}@example.com"
    made = magnetmail.addRecipient(email=email, text_only=False, Groups={"int": list(groups)}, **fields)
    assert made["error"] == 0, made
    return int(made["id"]), email


def suppress(magnetmail: Any, email: str) -> None:
    people = {"Recipient": [{"email": email}]}
    magnetmail.uploadSuppressionList(suppressionlist={"suppressby": "Email", "type": "Email", "recipients": people})


def unsubscribe(magnetmail: Any, number: int) -> None:
    row = {"Id": 0, "RecipientId": number, "MessageId": 0, "GroupId": 0}
    assert magnetmail.unsubscribeRecipients(unsubscribes={"Unsubscribe": [row]})[0]["Id"]


def to_people(magnetmail: Any, message: int, *names: Any, **members: Any) -> Any:
    links = {"html_web_version_link": False, "text_web_version_link": False}
    recipients = {"string": [str(name) for name in names]}
    given = {"message_id": message, "recipients": recipients, "recp_type": "email", **links, **members}
    return magnetmail.sendEmailToIndividual(**given)


def to_groups(magnetmail: Any, message: int, *groups: int, **members: Any) -> Any:
    given = {"sendDespiteBadFrom": True, "scheduledDateTime": datetime(1, 1, 1), **members}
    return magnetmail.sendMessageToGroup(**whole_send(message_id=message, group_ids={"int": list(groups)}, **given))


def numbers(answer: Any) -> list[int]:
    """The job ids of an answer."""
    assert answer["error"] == 0, answer
    assert answer["fax_job_ids"] in (None, [])
    return list((answer["email_job_ids"] or {"anyType": []})["anyType"])


def body(mail: Any, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def notification(**members: Any) -> dict[str, Any]:
    flags = {"send_notification": False, "complete_notification": False}
    return {**flags, "send_notification_when": 0, "send_complete_notification_when": 0, **members}


# --- to single people --------------------------------------------------------------------------------------------


def test_people_by_address_number_and_custom_id(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-5, mm-101: the answer counts the mails that are handed over already; numbers above 2^31 are looked for."""
    message = create(magnetmail, text_version="Dear {{ First_Name }}", SubjectLine="For {{ City }}")
    custom = uuid4().hex
    number, email = person(magnetmail, first_name="Änn", city="Göteborg", custom_id=custom)
    for count, (kind, name) in enumerate(
        (("email", email.upper()), ("recipient_id", number), ("custom_id", custom), (None, email)), 1
    ):
        kinds = {} if kind is None else {"recp_type": kind}
        answer = to_people(magnetmail, message, name, **kinds)
        assert (answer["error"], answer["emails_sent"], answer["suppressed_emails"]) == (0, 1, None)
        assert len(mailroom.mails(email)) == count
    for mail in mailroom.mails(email):
        assert (mail["Subject"], str(mail["From"])) == ("For Göteborg", "news@example.com")
        assert body(mail).strip() == "Dear Änn"
    for kind, name in (("recipient_id", 2**40), ("recipient_id", "x"), ("custom_id", email), ("email", custom)):
        answer = to_people(magnetmail, message, name, recp_type=kind)
        assert (answer["error"], answer["emails_sent"]) == (0, 0)
        assert str(name) in answer["msg"]
    assert len(mailroom.mails(email)) == 4


def test_who_gets_an_individual_send(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-100, mm-101: who unsubscribed, not who is suppressed; nobody twice; who is not found is named."""
    message = create(magnetmail)
    people = [person(magnetmail) for _ in range(4)]
    emails = [email for _, email in people]
    unsubscribe(magnetmail, people[0][0])
    suppress(magnetmail, emails[1])
    suppress(magnetmail, emails[2])
    answer = to_people(magnetmail, message, *emails, emails[3].upper(), " ", "nobody@example.com", "no address")
    assert (answer["error"], answer["emails_sent"]) == (0, 2)
    assert answer["suppressed_emails"].split(",") == emails[1:3]
    assert "nobody@example.com, no address" in answer["msg"]
    assert mailroom.to(*emails) == sorted([emails[0], emails[3]])
    assert mailroom.to("nobody@example.com") == []
    # Once more: an individual send asks for no history.
    assert to_people(magnetmail, message, emails[3])["emails_sent"] == 1
    nobody = to_people(magnetmail, message, emails[1])
    assert (nobody["error"], nobody["emails_sent"], nobody["suppressed_emails"]) == (0, 0, emails[1])


def test_another_subject_and_sender(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-100, mm-101: empty means that of the message; longer ones are accepted."""
    message = create(magnetmail, FromAddress="Ann <news@example.com>", SubjectLine="Stored")
    (number, email), long = person(magnetmail), "a name of more than fifty characters, " * 2
    for subject, sender in (
        ("", ""),
        ("Other {{ Email }}", "bob@example.com"),
        ("x" * 150, f'"{long}" <bob@example.com>'),
    ):
        answer = to_people(
            magnetmail, message, number, recp_type="recipient_id", message_subject=subject, message_from=sender
        )
        assert (answer["error"], answer["emails_sent"]) == (0, 1)
    first, second, third = mailroom.mails(email)
    assert (first["Subject"], str(first["From"])) == ("Stored", "Ann <news@example.com>")
    assert (second["Subject"], str(second["From"])) == (f"Other {email}", "bob@example.com")
    assert third["Subject"] == "x" * 150
    # Python's own reader of addresses leaves a space where a long name goes on in another encoded word.
    assert str(make_header(decode_header(dict(third.raw_items())["From"].partition("<")[0]))).strip() == long.strip()
    # The stored message is as it was.
    stored = magnetmail.GetMessageDetails(MessageId=message)
    assert (stored["SubjectLine"], stored["FromAddress"]) == ("Stored", "Ann <news@example.com>")


def test_individual_sends_that_are_refused(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-26, mm-101: in the answer, and nobody is mailed."""
    _, email = person(magnetmail)
    good = create(magnetmail)
    for message, members, number in (
        (good, {"recp_type": "fax"}, 9005),
        (create(magnetmail, is_fax_only=True), {}, 9005),
        (987_654, {}, 9002),
        (1, {}, 9002),
        (good, {"recipients": None}, 9001),
        (good, {"recipients": {"string": ["", " "]}}, 9001),
        (good, {"message_from": "not an address"}, 9001),
        (good, {"message_subject": "{{ Nothing_Like_It }}"}, 9001),
        (create(magnetmail, SubjectLine=None), {}, 9001),
        (create(magnetmail, FromAddress=None), {}, 9001),
        (create(magnetmail, text_version=None), {}, 9001),
        (create(magnetmail, text_version="{{ Nothing_Like_It }}"), {}, 9001),
    ):
        answer = to_people(magnetmail, message, email, **members)
        assert refusal(answer)[:2] == (2, number), answer
        assert answer["emails_sent"] == 0
        assert answer["errorObj"]["errorDetails"].endswith("Component:Message\nFunction:sendEmailToIndividual")
    assert mailroom.mails(email) == []


# --- to groups ---------------------------------------------------------------------------------------------------


def test_who_gets_a_send_to_a_group(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-102: neither suppressed nor unsubscribed people, nor, without ignore_dedupe, those who had the message."""
    message, other, one = create(magnetmail), create(magnetmail), group(magnetmail)
    people = [person(magnetmail, one) for _ in range(4)]
    emails = [email for _, email in people]
    unsubscribe(magnetmail, people[0][0])
    suppress(magnetmail, emails[1])
    assert to_people(magnetmail, message, emails[2])["emails_sent"] == 1
    mailroom.done(numbers(to_groups(magnetmail, message, one)))
    assert mailroom.to(*emails) == sorted(emails[2:])
    mailroom.done(numbers(to_groups(magnetmail, message, one)))
    assert mailroom.to(*emails) == sorted(emails[2:])
    mailroom.done(numbers(to_groups(magnetmail, other, one)))
    assert mailroom.to(*emails) == sorted(emails[2:] * 2)
    mailroom.done(numbers(to_groups(magnetmail, message, one, ignore_dedupe=True)))
    assert mailroom.to(*emails) == sorted(emails[2:] * 3)


def test_one_job_for_each_group(magnetmail: Any, mailroom: Mailroom, served: Any) -> None:
    """mm-103, mm-104: in the order of the groups, and a person in several of them has one mail, from the first."""
    message, groups = create(magnetmail), [group(magnetmail) for _ in range(3)]
    everywhere = person(magnetmail, *groups)[1]
    only = [person(magnetmail, each)[1] for each in groups]
    order = [groups[2], groups[0], groups[1]]
    # mm-7: and a group that is named twice.
    ids = "".join(f"<group_ids>{number}</group_ids>" for number in [*order, order[0]])
    namespace = "http://www.magnetmail.net/"
    header = f'<mmAuthHeader xmlns="{namespace}"><sessionId>{magnetmail.session.sessionId}</sessionId></mmAuthHeader>'
    content = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Header>{header}</s:Header><s:Body><sendMessageToGroup xmlns="{namespace}">'
        f"<sendDespiteBadFrom>true</sendDespiteBadFrom>{ids}<message_id>{message}</message_id>"
        "</sendMessageToGroup></s:Body></s:Envelope>"
    )
    answer = httpx.post(f"{served.base}/mmapi.asmx", content=content, headers={"Content-Type": "text/xml"}).text
    found = [int(number) for number in re.findall(r'<anyType xsi:type="xsd:int">(\d+)</anyType>', answer)]
    assert len(found) == 3
    assert found == sorted(found)
    assert "<fax_job_ids />" in answer
    jobs = mailroom.done(found)
    assert [job.list_id for job in jobs] == order
    assert [job.counters["handed"] for job in jobs] == [2, 1, 1]
    assert mailroom.to(everywhere, *only) == sorted([everywhere, *only])
    # A stock client reads numbers.
    again = numbers(to_groups(magnetmail, message, *order, ignore_dedupe=True))
    assert len(again) == 3
    assert all(isinstance(number, int) for number in again)
    mailroom.done(again)
    assert mailroom.to(everywhere) == [everywhere] * 2


def test_the_time_of_a_send(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-31, mm-103: without a zone it is the account's; past or year 1 is now."""
    one = group(magnetmail)
    _, email = person(magnetmail, one)
    begun = datetime.now(UTC)
    for due in (datetime(1, 1, 1), datetime(2001, 1, 1), begun - timedelta(seconds=5)):
        message = create(magnetmail)
        (job,) = mailroom.done(numbers(to_groups(magnetmail, message, one, scheduledDateTime=due)))
        assert job.due_at >= begun
    assert mailroom.to(email) == [email] * 3
    later = (begun + timedelta(days=3)).replace(microsecond=0)
    for due in (
        later.astimezone(EASTERN).replace(tzinfo=None),
        later,
        later.astimezone(ZoneInfo("Asia/Kolkata")),
    ):
        (number,) = numbers(to_groups(magnetmail, create(magnetmail), one, scheduledDateTime=due))
        assert (mailroom.job(number).state, mailroom.job(number).due_at) == ("queued", later)
        mailroom.jobs.cancel([DEMO], number)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    (job,) = mailroom.done(numbers(to_groups(magnetmail, create(magnetmail), one, scheduledDateTime=soon)))
    assert job.started_at is not None
    assert job.started_at >= soon
    assert mailroom.to(email) == [email] * 4
    far = to_groups(magnetmail, create(magnetmail), one, scheduledDateTime=datetime(9999, 12, 31, 23))
    assert refusal(far)[:2] == (2, 9001)


def test_kinds_of_sends_and_what_is_kept_with_them(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-105: fax alone is refused, the mixed kinds send the mail; other settings are kept and have no effect."""
    one = group(magnetmail)
    _, email = person(magnetmail, one)
    message = create(magnetmail, fax_doc_1="JVBERi0x")
    assert refusal(to_groups(magnetmail, message, one, send_type="FaxOnly")) == (2, 9005, "NOT_SUPPORTED")
    assert mailroom.to(email) == []
    settings = {
        "Newsletter": {
            "newsletter_archive": True,
            "newsletter_name": "May",
            "newsletter_publish_date": datetime(2030, 5, 6),
        },
        "rssPublishType": "RSSOnly",
        "billing_code": "B-17",
        "billing_initial": "xy",
        "fax_resolution": "fine",
        "faxToFailedEmail_emailToFailedFax": True,
        "MiscArguments": "anything",
    }
    for count, kind in enumerate(("EmailFaxPriorityEmail", "EmailFaxPriorityFax", "EmailOnly"), 1):
        (job,) = mailroom.done(
            numbers(to_groups(magnetmail, message, one, send_type=kind, ignore_dedupe=True, **settings))
        )
        assert mailroom.to(email) == [email] * count
        assert job.request["settings"] == {
            "billing_code": "B-17",
            "billing_initial": "xy",
            "send_type": kind,
            "faxToFailedEmail_emailToFailedFax": True,
            "fax_resolution": "fine",
            "Newsletter": {
                "newsletter_archive": True,
                "newsletter_name": "May",
                "newsletter_publish_date": "2030-05-06T00:00:00",
            },
            "rssPublishType": "RSSOnly",
        }
    mail = mailroom.mails(email)[0]
    assert [part.get_content_type() for part in mail.walk()] == ["text/plain"]


def test_notifications(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-106: at the start and at the end, each to whom it names."""
    one, two = group(magnetmail), group(magnetmail)
    people = [person(magnetmail, one)[1], person(magnetmail, two)[1]]
    name = f"message {uuid4()} {{{{ x }}}}"
    message = create(magnetmail, message_name=name)
    start, end, boss = (f"{uuid4().hex}@example.com" for _ in range(3))
    wanted = notification(
        send_notification=True,
        send_notification_from="Desk {x} <desk@example.com>",
        send_notification_to=f"{start}; {boss}",
        complete_notification=True,
        send_complete_notification_from="desk@example.com",
        send_complete_notification_to=end,
    )
    mailroom.done(numbers(to_groups(magnetmail, message, one, two, job_notification=wanted)))
    mailroom.wait(lambda: len(mailroom.mails(start, boss, end)) == 3)
    first, last = mailroom.mails(start)[0], mailroom.mails(end)[0]
    assert (first["Subject"], str(first["From"])) == (f"Being sent: {name}", "Desk {x} <desk@example.com>")
    assert last["Subject"] == f"Sent: {name}"
    assert "Mails handed over: 2." in body(last)
    assert "has ended: completed." in body(last)
    assert mailroom.to(*people) == sorted(people)
    # They count in no figure: the message went to its two groups, once each.
    found = {each["message"]["message_id"]: each for each in all_messages(magnetmail)}
    assert len(found[message]["GroupsEmailSentTo"]["JobToGroup"]) == 2


def test_the_time_of_notifications(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-106: minutes before the start, and after the end."""
    one = group(magnetmail)
    person(magnetmail, one)
    later = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    start, end = f"{uuid4().hex}@example.com", f"{uuid4().hex}@example.com"
    wanted = notification(
        send_notification=True,
        send_notification_from="desk@example.com",
        send_notification_to=start,
        send_notification_when=90,
        complete_notification=True,
        send_complete_notification_from="desk@example.com",
        send_complete_notification_to=end,
        send_complete_notification_when=1,
    )

    def notices(number: int) -> tuple[Job, Job]:
        """They are stored right after the send that they are about."""
        return mailroom.job(number + 1), mailroom.job(number + 2)

    (number,) = numbers(
        to_groups(magnetmail, create(magnetmail), one, scheduledDateTime=later, job_notification=wanted)
    )
    before, after = notices(number)
    assert before.request["audience"]["emails"] == [start]
    assert (before.state, before.due_at) == ("queued", later - timedelta(minutes=90))
    for each in (number, before.id, after.id):
        mailroom.jobs.cancel([DEMO], each)
    (job,) = mailroom.done(numbers(to_groups(magnetmail, create(magnetmail), one, job_notification=wanted)))
    mailroom.wait(lambda: mailroom.to(start) == [start])
    assert job.finished_at is not None
    due = job.finished_at + timedelta(minutes=1)
    mailroom.wait(lambda: abs(notices(job.id)[1].due_at - due) < timedelta(seconds=1))
    assert mailroom.to(end) == []
    mailroom.jobs.cancel([DEMO], notices(job.id)[1].id)


def test_notifications_that_cannot_be(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-22, mm-106: then nothing is sent at all."""
    one, message = group(magnetmail), create(magnetmail)
    _, email = person(magnetmail, one)
    good = {"send_notification": True, "send_notification_from": "a@example.com", "send_notification_to": email}
    for wrong in (
        {"send_notification_from": None},
        {"send_notification_from": "nobody"},
        {"send_notification_to": ""},
        {"send_notification_to": f"{email}, nobody"},
        {"send_notification_when": -1},
        {"send_notification_when": 2**31 - 1},
    ):
        answer = to_groups(magnetmail, message, one, job_notification=notification(**{**good, **wrong}))
        assert refusal(answer)[:2] == (2, 9001), wrong
    assert not [job for job in mailroom.jobs.find() if not job.over and job.request.get("message_id") == message]
    assert mailroom.to(email) == []


def test_senders_that_are_not_allowed(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-107: the senders of the account's groups are allowed, letter case aside."""
    one = group(magnetmail)
    _, email = person(magnetmail, one)
    bad, good = create(magnetmail, FromAddress="Eve <eve@example.com>"), create(magnetmail)
    assert refusal(to_groups(magnetmail, bad, one, sendDespiteBadFrom=False))[:2] == (2, 9001)
    changed = to_groups(magnetmail, good, one, sendDespiteBadFrom=False, message_from="eve@example.com")
    assert refusal(changed)[:2] == (2, 9001)
    assert mailroom.to(email) == []
    jobs = numbers(to_groups(magnetmail, bad, one, sendDespiteBadFrom=True))
    jobs += numbers(to_groups(magnetmail, good, one, sendDespiteBadFrom=False))
    jobs += numbers(to_groups(magnetmail, bad, one, message_from="Ann <News@Example.com>", ignore_dedupe=True))
    mailroom.done(jobs)
    senders = [str(mail["From"]) for mail in mailroom.mails(email)]
    assert senders == ["Eve <eve@example.com>", "news@example.com", "Ann <News@Example.com>"]


def test_an_account_without_senders_of_groups(client_class: Any, served: Any, mailroom: Mailroom) -> None:
    """mm-107: where no group has a sender, every sender is allowed; the first group that has one ends that."""
    accounts, name = Accounts(mailroom.records), f"S{uuid4().hex[:8]}".upper()
    account = accounts.create(name, time_zone="UTC")
    accounts.add_login(account, name, name)
    client = client_class(served.base, "1.2", name, name)
    one, message = group(client), create(client, FromAddress="eve@example.com")
    assert to_groups(client, message, one, sendDespiteBadFrom=False)["error"] == 0
    Lists(mailroom.records).create(account.id, "News", settings={"from_address": "ann@example.com"})
    assert refusal(to_groups(client, message, one, sendDespiteBadFrom=False))[:2] == (2, 9001)


def test_archived_messages(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-107"""
    one, message = group(magnetmail), create(magnetmail)
    _, email = person(magnetmail, one)
    Messages(mailroom.records).mark(DEMO, message, archived=True)
    assert refusal(to_groups(magnetmail, message, one))[:2] == (2, 9001)
    assert mailroom.to(email) == []
    mailroom.done(numbers(to_groups(magnetmail, message, one, sendDespiteArchived=True)))
    assert mailroom.to(email) == [email]


def test_test_copies(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-108: at once, whenever the send is; counted nowhere, so the message can still go to them."""
    one = group(magnetmail)
    number, email = person(magnetmail, one, first_name="Ann")
    message = create(magnetmail, text_version="Dear {{ First_Name }}")
    stranger = f"{uuid4().hex}@example.com"
    gone, former = person(magnetmail, one)
    unsubscribe(magnetmail, gone)
    tests = {"string": [email, stranger, " ", former]}
    later = datetime.now(UTC) + timedelta(days=3)
    (job,) = numbers(to_groups(magnetmail, message, one, test_emails=tests, scheduledDateTime=later))
    mailroom.wait(lambda: len(mailroom.mails(email, stranger)) == 2)
    assert mailroom.job(job).state == "queued"
    assert [body(mail).strip() for mail in mailroom.mails(email)] == ["Dear Ann"]
    assert magnetmail.getRecipientHistory(recipient_id=number)["emailHistory"] is None
    assert listed(magnetmail, "getMessageList")[message]["lastSent"] == datetime.min
    mailroom.jobs.cancel([DEMO], job)
    # mm-102: a test copy is not the message that somebody had.
    mailroom.done(numbers(to_groups(magnetmail, message, one)))
    assert mailroom.to(email, former) == [email] * 2
    # Tests alone make no job of a group.
    assert numbers(to_groups(magnetmail, message, test_emails=tests)) == []
    mailroom.wait(lambda: len(mailroom.mails(stranger)) == 2)
    wrong = to_groups(magnetmail, message, one, test_emails={"string": ["nobody"]}, ignore_dedupe=True)
    assert refusal(wrong)[:2] == (2, 9001)


def test_groups_that_are_left_out(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-119: who is a member of a group to be filtered out gets nothing, whatever other groups it is in."""
    assert magnetmail.getUserDetails()["FilterOutGroupsOnSend"] is True
    one, out = group(magnetmail), group(magnetmail)
    (_, kept), (_, left), (gone, former) = (person(magnetmail, *ids) for ids in ((one,), (one, out), (one, out)))
    magnetmail.editRecipientGroups(recipient_id=gone, message_id=0, unsubscribed_groups={"int": [out]})
    (job,) = mailroom.done(numbers(to_groups(magnetmail, create(magnetmail), one, filteredout_groups={"int": [out]})))
    assert mailroom.to(kept, left, former) == sorted([kept, former])
    assert job.counters["skipped"] == 1


def test_sends_to_groups_that_are_refused(magnetmail: Any, mailroom: Mailroom, client_class: Any, served: Any) -> None:
    """mm-26: a number that is unknown, another account's, or of a group that the login may not see."""
    one, message = group(magnetmail), create(magnetmail)
    _, email = person(magnetmail, one)
    for number, given in (
        (9002, {"message_id": 987_654}),
        (9002, {"message_id": 1}),
        (9002, {"group_ids": {"int": [one, 987_654]}}),
        (9002, {"filteredout_groups": {"int": [987_654]}}),
        (9001, {"group_ids": None}),
        (9001, {"message_subject": "{{ Nothing_Like_It }}"}),
        (9001, {"message_from": "nobody"}),
    ):
        members = {"message_id": message, "group_ids": {"int": [one]}, "scheduledDateTime": datetime(1, 1, 1), **given}
        answer = magnetmail.sendMessageToGroup(**whole_send(sendDespiteBadFrom=True, **members))
        assert refusal(answer)[:2] == (2, number), given
        assert answer["errorObj"]["errorDetails"].endswith("Component:Message\nFunction:sendMessageToGroup")
    accounts, name = Accounts(mailroom.records), f"X{uuid4().hex[:8]}".upper()
    accounts.add_login(accounts.create(name, time_zone="UTC"), name, name)
    stranger = client_class(served.base, "1.1", name, name)
    assert refusal(to_groups(stranger, message, group(stranger)))[1] == 9002
    assert refusal(to_groups(stranger, create(stranger), one))[1] == 9002
    assert refusal(to_people(stranger, message, email))[1] == 9002
    assert to_people(stranger, create(stranger), email)["emails_sent"] == 0
    demo = accounts.named("DEMO")
    assert demo is not None
    accounts.add_login(demo, f"{name}-two", name, lists=[])
    limited = client_class(served.base, "1.1", f"{name}-two", name)
    assert refusal(to_groups(limited, message, one))[1] == 9002
    assert mailroom.to(email) == []


# --- what is told of it afterwards -------------------------------------------------------------------------------


def all_messages(magnetmail: Any, **filters: Any) -> Any:
    everything = {"archived": "all", "hidden": "all", "hasFax": "all", "hasEmail": "all"}
    dates = ("createStartDate", "createEndDate", "sentStartDate", "sentEndDate")
    return magnetmail.getMessages(**{**dict.fromkeys(dates, datetime(1, 1, 1)), **everything, **filters})


def test_messages_tell_where_they_went(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-28, mm-30, mm-109: the groups and when; mm-34: the range of sending, to the second, both ends included."""
    groups = [group(magnetmail), group(magnetmail)]
    message, never, empty = create(magnetmail), create(magnetmail), create(magnetmail)
    for each in groups:
        person(magnetmail, each)
    jobs = mailroom.done(numbers(to_groups(magnetmail, message, *groups)))
    mailroom.done(numbers(to_groups(magnetmail, empty, group(magnetmail))))
    rows = {each["message"]["message_id"]: each for each in all_messages(magnetmail)}
    assert rows[never]["GroupsEmailSentTo"] is rows[message]["GroupsFaxSentTo"] is None
    # Nobody was mailed, so it went nowhere.
    assert rows[empty]["GroupsEmailSentTo"] is None
    told = rows[message]["GroupsEmailSentTo"]["JobToGroup"]
    assert [each["group_id"] for each in told] == groups
    assert [each["group_name"] for each in told] == [
        magnetmail.getGroupDetails(groupId=each)["group_name"] for each in groups
    ]
    times = [job.started_at.replace(microsecond=0) for job in jobs if job.started_at is not None]
    local = [moment.astimezone(EASTERN).replace(tzinfo=None) for moment in times]
    assert [each["sent_date"] for each in told] == local
    last, second = max(local), timedelta(seconds=1)
    for operation in ("getMessages", "getMessageList"):
        assert listed(magnetmail, operation)[message]["lastSent"] == last
        assert listed(magnetmail, operation)[never]["lastSent"] == datetime.min
    for operation in ("getMessagesUTC", "getMessageListUtc"):
        assert listed(magnetmail, operation)[message]["lastSent"] == max(times)
    utc = magnetmail.getMessagesUTC(
        **dict.fromkeys(("createStartDate", "createEndDate", "sentStartDate", "sentEndDate"), datetime(1, 1, 1)),
        **{"archived": "all", "hidden": "all", "hasFax": "all", "hasEmail": "all"},
    )
    shown = next(each for each in utc if each["message"]["message_id"] == message)
    assert [each["sent_date"] for each in shown["GroupsEmailSentTo"]["JobToGroup"]] == times
    assert magnetmail.GetMessageDetails(MessageId=message)["lastSent"] == last
    for start, end, found in (
        (last, last, True),
        (min(local), last, True),
        (last + second, datetime(9999, 1, 1), False),
        (datetime(1, 1, 1), min(local) - second, False),
        (max(times), max(times), True),
    ):
        rows = listed(magnetmail, "getMessageList", sentStartDate=start, sentEndDate=end)
        assert (message in rows) is found
        assert never not in rows
        assert empty not in rows


def test_the_groups_that_a_login_may_not_see(
    magnetmail: Any, client_class: Any, served: Any, mailroom: Mailroom
) -> None:
    """mm-109: a message tells of the others only."""
    one, two, message = group(magnetmail), group(magnetmail), create(magnetmail)
    person(magnetmail, one)
    person(magnetmail, two)
    mailroom.done(numbers(to_groups(magnetmail, message, one, two)))
    accounts, name = Accounts(mailroom.records), f"L{uuid4().hex[:8]}"
    demo = accounts.named("DEMO")
    assert demo is not None
    accounts.add_login(demo, name, name, lists=[two])
    rows = {each["message"]["message_id"]: each for each in all_messages(client_class(served.base, "1.1", name, name))}
    assert [each["group_id"] for each in rows[message]["GroupsEmailSentTo"]["JobToGroup"]] == [two]


def links_in(mail: Any) -> list[str]:
    """The links of a mail's HTML, as a browser's parser sees them."""
    return [str(each) for each in lxml_html.fromstring(body(mail, "html")).xpath("//a[@href]/@href")]


def followed(served: Any, link: str) -> str:
    """Where a link of a mail leads: through this server or not."""
    if not link.startswith(f"{PUBLIC}/c/"):
        return link
    return httpx.get(link.replace(PUBLIC, served.base), follow_redirects=False).headers["location"]


def test_the_links_of_what_was_sent(magnetmail: Any, mailroom: Mailroom, served: Any) -> None:
    """mm-111, mm-115: those that are listed are those of the mail, the ones that the send has added among them."""
    one = group(magnetmail)
    _, email = person(magnetmail, one, city="Oslo")
    html = (
        '<p><a href="https://example.com/?a=1&amp;b=2">One</a> <a href="mailto:ann@example.com">Ann</a>'
        '<a href="https://example.com/{{ City }}">City</a></p>'
    )
    text = "One: https://example.com/?a=1&b=2 Two: https://example.com/two"
    message = create(magnetmail, html_version_block1=html, text_version=text, is_auto_unsubscribe_link=True)
    own = [each["link_url"] for each in magnetmail.getLinkURLs(message_id=message, group_id=0)]
    assert own == [
        "https://example.com/?a=1&b=2",
        "mailto:ann@example.com",
        "https://example.com/{{ City }}",
        "https://example.com/two",
    ]
    links = {"html_web_version_link": True, "text_web_version_link": False}
    mailroom.done(numbers(to_groups(magnetmail, message, one, **links)))
    (mail,) = mailroom.mails(email)
    # Tracked links lead to the author's addresses.
    tracked = links_in(mail)
    real = [followed(served, link) for link in tracked]
    assert real[:3] == ["https://example.com/?a=1&b=2", "mailto:ann@example.com", "https://example.com/Oslo"]
    browser, away = real[3:]
    told = magnetmail.getLinkURLs(message_id=message, group_id=one)
    assert [each["link_type"] for each in told] == [1, 2, 1, 1, 3, 3]
    assert [each["link_index"] for each in told] == [1, 2, 3, 4, 5, 6]
    assert [each["link_url"] for each in told] == [*own, "{{ Browser_Link }}", "{{ Unsubscribe_Link }}"]
    assert told == magnetmail.getLinkURLs(message_id=message, group_id=0)
    plain = body(mail)
    assert "https://example.com/two" in [followed(served, link) for link in re.findall(rf"{PUBLIC}/c/\S+", plain)]
    assert away in plain
    assert browser not in plain
    # The links that were added lead somewhere.
    assert (browser[: len(PUBLIC) + 3], away[: len(PUBLIC) + 3]) == (f"{PUBLIC}/m/", f"{PUBLIC}/u/")
    page = httpx.get(browser.replace(PUBLIC, served.base)).text
    assert tracked[2] in page
    assert httpx.post(away.replace(PUBLIC, served.base)).status_code == 200
    assert magnetmail.getGroupDetails(groupId=one)["TotalUnsubscribed"] == 1
    # mm-99: whoever copies such a mail into a message has a link of somebody's in it.
    copied = magnetmail.createMagnetMailMessage(message=details(html_version_block1=body(mail, "html")))
    assert (copied["error"], copied["magnetMail_tracking_link_exists"]) == (0, True)
    forged = magnetmail.createMagnetMailMessage(message=details(text_version=away[:-3]))
    assert (forged["error"], forged["magnetMail_tracking_link_exists"]) == (0, False)
    number = int(copied["message_id"])
    types = {each["link_url"]: each["link_type"] for each in magnetmail.getLinkURLs(message_id=number, group_id=0)}
    assert (types[away], types[tracked[2]]) == (3, 1)
    # A tracked link alone is one of ours, too.
    with_link = magnetmail.createMagnetMailMessage(message=details(text_version=tracked[0]))
    assert (with_link["error"], with_link["magnetMail_tracking_link_exists"]) == (0, True)


def test_links_that_an_individual_send_adds(magnetmail: Any, mailroom: Mailroom, served: Any) -> None:
    """mm-101, mm-115: to each body what its own switch says."""
    message = create(magnetmail, html_version_block1="<p>Hello</p>")
    for html, text in ((True, False), (False, True), (False, False)):
        _, email = person(magnetmail)
        answer = to_people(magnetmail, message, email, html_web_version_link=html, text_web_version_link=text)
        assert answer["emails_sent"] == 1
        (mail,) = mailroom.mails(email)
        assert [f"{PUBLIC}/m/" in body(mail, kind) for kind in ("html", "plain")] == [html, text]
        if html:
            (link,) = links_in(mail)
            assert "Hello" in httpx.get(link.replace(PUBLIC, served.base)).text


def test_the_history_of_a_recipient(magnetmail: Any, mailroom: Mailroom) -> None:
    """mm-24, mm-86: by group or alone, in the order of sending; who was left out was not sent anything."""
    one, names = group(magnetmail), [f"message {uuid4()}" for _ in range(3)]
    number, email = person(magnetmail, one)
    first, second, third = (create(magnetmail, message_name=name) for name in names)
    begun = datetime.now(EASTERN).replace(tzinfo=None, microsecond=0)
    mailroom.done(numbers(to_groups(magnetmail, first, one)))
    assert to_people(magnetmail, second, email)["emails_sent"] == 1
    suppress(magnetmail, email)
    assert to_people(magnetmail, third, email)["emails_sent"] == 0
    history = magnetmail.getRecipientHistory(recipient_id=number)
    mails = history["emailHistory"]["email_history"]
    assert [(each["message_id"], each["message_name"]) for each in mails] == [(first, names[0]), (second, names[1])]
    for each in mails:
        assert (each["send_result"], each["open_date"], each["links"]) == ("Delivered", datetime.min, None)
        assert begun <= each["sent_date"] <= begun + timedelta(minutes=2)
    assert history["faxHistory"] is history["formHistory"] is None


def test_mm_103_mails_without_a_link_to_unsubscribe_go_on_with_a_warning(
    served: Any, magnetmail: Any, mailroom: Mailroom
) -> None:
    """Messages may ask for the link by a field or by their own switch; single people are not asked about."""
    one = group(magnetmail)
    _, email = person(magnetmail, one)
    messages = [
        create(magnetmail, text_version="Hello"),
        create(magnetmail, text_version="Hello {{ Unsubscribe_Link }}"),
        create(magnetmail, text_version="Hello", is_auto_unsubscribe_link=True),
    ]
    jobs = [number for message in messages for number in numbers(to_groups(magnetmail, message, one))]
    to_people(magnetmail, messages[0], email)
    kept = [job.request.get("unsubscribe") for job in mailroom.done(jobs)]
    assert kept == ["missing", None, None]
    warned = [f"the mails of send {job} to list {one} have no link" in served.log() for job in jobs]
    assert warned == [True, False, False]
    assert served.log().count(f"to list {one} have no link") == 1


# --- through a mail server ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def relayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Sink, Any]]:
    """A server that hands its mails to another one, that one, and where it keeps them."""
    folder = tmp_path_factory.mktemp("relayed")
    (folder / "mails").mkdir()
    sink = Sink(folder / "accepted.jsonl", "--refused", "25", "--deferred", "25", "--mails", str(folder / "mails"))
    url = f"smtp://127.0.0.1:{sink.port}"
    with locally_served(folder / "data", demo=False, smtp_url=url, smtp_retry_seconds=600) as running:
        yield running, sink, folder / "mails"
    sink.stop()


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_through_a_mail_server(client_class: Any, relayed: Any, version: str) -> None:
    """mm-86, mm-101: who was refused for good or for now has no mail yet, and the answer says so."""
    from tests.sending.sink import fate

    served, sink, mails = relayed
    records = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    accounts, name = Accounts(records), f"R{uuid4().hex[:8]}".upper()
    accounts.add_login(accounts.create(name, time_zone="UTC"), name, name)
    client = client_class(served.base, version, name, name)
    people: dict[str, tuple[int, str]] = {}
    while len(people) < 3:
        email = f"{uuid4().hex}@example.com"
        if (what := fate(email, 25, 25)) not in people:
            made = client.addRecipient(email=email, text_only=False, Groups=None)
            people[what] = int(made["id"]), email
    message = create(client, FromAddress="Ann <ann@example.com>", text_version="Over the wire")
    answer = to_people(client, message, *(email for _, email in people.values()))
    assert (answer["error"], answer["emails_sent"], answer["suppressed_emails"]) == (0, 1, None)
    assert f"Refused by the mail server: {people['refused'][1]}." in answer["msg"]
    assert "The rest follows" in answer["msg"]
    accepted = [line for line in sink.lines() if line["to"] in [email for _, email in people.values()]]
    assert [(line["to"], line["from"]) for line in accepted] == [(people[""][1], "ann@example.com")]
    mail = message_from_bytes((mails / f"{accepted[0]['id'].strip('<>')}.eml").read_bytes(), policy=policy.default)
    assert body(mail).strip() == "Over the wire"
    results = {
        what: client.getRecipientHistory(recipient_id=number)["emailHistory"]["email_history"][0]["send_result"]
        for what, (number, _) in people.items()
    }
    assert results == {"": "Delivered", "refused": "UserNotFound", "deferred": "TemporarilyUnavailable"}
    # mm-97: it waits still, for the one who was refused for now.
    edited = client.editMagnetMailMessage(message=details(message_id=message))
    assert (edited["errorObj"]["errorNumber"], edited["message_in_queue"]) == (9006, True)
    # Without an address of its own the server has nothing that its links could lead to.
    linked = create(client, text_version="{{ Unsubscribe_Link }}")
    assert refusal(to_people(client, linked, people[""][1]))[:2] == (2, 9001)
    records.close()
