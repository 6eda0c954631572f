"""Tracking through a stock client, in both SOAP versions: what it reads of the declared types."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from tests.magnetmail.mailing import create, whole_send

from soapstone.store.tables import deliveries, tracked_links
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import Act, record_acts, record_bounces
from soapstone.vocabulary.tracking import MailEventKind

ANY = datetime(1, 1, 1)
URL = "https://example.com/path?a=1&b=%20"
CRITERIA = {"PageNo": 1, "PageSize": 10, "SearchStartDate": ANY, "SearchEndDate": datetime(9999, 12, 31)}


class Sent:
    """A message that two people were sent: one opened it and clicked, the other's mail came back."""

    def __init__(self, magnetmail: Any, served: Any) -> None:
        name = uuid4().hex
        self.group = int(magnetmail.addGroup(group_name=name, categoryId=0)["id"])
        self.people = [self._person(magnetmail, f"{which}-{name}@example.com") for which in ("ann", "bob")]
        self.message = create(magnetmail, text_version=f"See {URL}")
        self.begin = datetime.now(UTC)
        given = {"message_id": self.message, "group_ids": {"int": [self.group]}, "sendDespiteBadFrom": True}
        answer = magnetmail.sendMessageToGroup(**whole_send(scheduledDateTime=ANY, **given))
        assert answer["error"] == 0, answer
        database = served.product.database
        query = select(deliveries.c.id).where(deliveries.c.message_id == self.message, deliveries.c.state == "handed")
        end = time.monotonic() + 60
        self.mails: list[int] = []
        while len(self.mails) < 2:
            assert time.monotonic() < end
            time.sleep(0.02)
            with database.read() as connection:
                self.mails = list(connection.execute(query.order_by(deliveries.c.id)).scalars())
        with database.write() as connection:
            found = select(tracked_links).where(tracked_links.c.message_id == self.message, tracked_links.c.url == URL)
            row = connection.execute(found).one()
            self.link, self.words = int(row.id), (row.label or None, row.description or None)
            acts = [Act(kind=MailEventKind.CLICK, delivery_id=self.mails[0], link_id=self.link)]
            self.opened_at = record_acts(connection, acts)
            record_bounces(connection, {self.mails[1]: of_reply("552 5.2.2  Mailbox\r\n full")})

    def _person(self, magnetmail: Any, email: str) -> int:
        made = magnetmail.addRecipient(email=email, text_only=False, first_name="Bo", Groups={"int": [self.group]})
        return int(made["id"])


@pytest.fixture(scope="module")
def sent(magnetmail: Any, served: Any) -> Sent:
    return Sent(magnetmail, served)


def asked(sent: Sent, report: str, **members: Any) -> dict[str, Any]:
    given = {"report_type": report, "message_id": sent.message, "group_id": 0, "page": 1, "recordsPerPage": 10}
    return {**given, "fromDate": ANY, "toDate": ANY, **members}


def test_totals(magnetmail: Any, sent: Sent) -> None:
    """mm-24, mm-111, mm-112"""
    for operation in ("getOverallTracking", "getTrackingData"):
        for group in (0, sent.group):
            told = getattr(magnetmail, operation)(message_id=sent.message, group_id=group)
            to = told.pop("GroupsEmailSentTo")["JobToGroup"]
            assert [each["group_id"] for each in to] == [sent.group]
            assert to[0]["sent_date"].tzinfo is None
            assert told.pop("GroupsFaxSentTo") in (None, {"JobToGroup": []})
            one = dict.fromkeys(("EmailDelivered", "EmailOpened", "EmailBounced", "EmailLinksClicked"), 1)
            assert {name: value for name, value in told.items() if value} == {"EmailSent": 2, **one}
        assert getattr(magnetmail, operation)(message_id=987_654, group_id=0) is None


def test_details(magnetmail: Any, sent: Sent) -> None:
    """mm-30 to mm-32, mm-39, mm-113: the same instants in the account's zone, and in UTC by the twin."""
    plain = magnetmail.getDetailedTracking(**asked(sent, "all"))
    twin = magnetmail.getDetailedTrackingUTC(**asked(sent, "all"))
    for told in (plain, twin):
        assert (told["totalRecords"], told["page"], told["recordsPerPage"]) == (2, 1, 10)
        ann, bob = told["RecipientDetails"]["recp_track"]
        assert [ann["recipient"]["id"], bob["recipient"]["id"]] == [str(each) for each in sent.people]
        assert (ann["recipient"]["first_name"], ann["Status"], ann["remarks"]) == ("Bo", "Delivered", None)
        assert (bob["Status"], bob["remarks"], bob["OpenDate"]) == ("MF", "552 5.2.2 Mailbox full", ANY)
        assert [ann["MMId"], bob["MMId"]] == sent.mails
        assert ann["faxStatus"] == "Inprogress"
    here, there = (told["RecipientDetails"]["recp_track"][0] for told in (plain, twin))
    eastern = ZoneInfo("America/New_York")
    for name in ("ResultDate", "OpenDate"):
        assert here[name].tzinfo is None
        assert here[name].replace(tzinfo=eastern) == there[name]
        assert there[name].utcoffset() == timedelta(0)
    assert there["OpenDate"] == sent.opened_at.replace(microsecond=0)
    (click,) = magnetmail.getDetailedTracking(**asked(sent, "links"))["RecipientDetails"]["recp_track"]
    assert click["remarks"] == URL
    (bob,) = magnetmail.getDetailedTracking(**asked(sent, "email_bounced"))["RecipientDetails"]["recp_track"]
    assert bob["recipient"]["id"] == str(sent.people[1])
    beyond = magnetmail.getDetailedTracking(**asked(sent, "all", page=3))
    assert (beyond["totalRecords"], beyond["page"]) == (2, 3)
    assert beyond["RecipientDetails"] in (None, {"recp_track": []})
    later = sent.opened_at.astimezone(eastern).replace(tzinfo=None) + timedelta(hours=1)
    assert magnetmail.getDetailedTracking(**asked(sent, "all", fromDate=later))["totalRecords"] == 0


def test_events_of_the_account(magnetmail: Any, sent: Sent) -> None:
    """mm-39, mm-116, mm-117"""
    since = {**CRITERIA, "PageSize": 1000, "SearchStartDate": sent.begin}
    told = magnetmail.GetMessageSentTracking(criteria={**since, "ReportType": "Opened"})
    rows = told["data"]["MessageSentTrackingData"]
    assert told["Count"] == len(rows)
    # Others of the account may be of the same second.
    rows = [each for each in rows if each["MessageId"] == sent.message]
    assert [(each["RecipientId"], each["Type"], each["Status"]) for each in rows] == [
        (sent.people[0], "Sent", "Delivered"),
        (sent.people[1], "Sent", "MailboxFull"),
    ]
    assert {(each["UserId"], each["MessageId"]) for each in rows} == {("DEMO", sent.message)}
    told = magnetmail.GetMessageOpenTracking(criteria={**since, "ReportType": "Sent"})
    (opened,) = [each for each in told["data"]["MessageTrackingData"] if each["MessageId"] == sent.message]
    assert (opened["RecipientId"], opened["Type"]) == (sent.people[0], "Opened")
    for url in (URL, "", None):
        told = magnetmail.GetMessageLinkTracking(criteria={**CRITERIA, "MessageId": sent.message, "LinkUrl": url})
        (click,) = told["data"]["MessageLinkTrackingData"]
        assert (told["Count"], click["RecipientId"], click["Url"]) == (1, sent.people[0], URL)
        assert (click["LinkLabel"], click["LinkText"]) == sent.words
    for url in (URL.upper(), URL + " ", URL[:-1]):
        told = magnetmail.GetMessageLinkTracking(criteria={**CRITERIA, "MessageId": sent.message, "LinkUrl": url})
        assert told["Count"] == 0


def test_links_and_history(magnetmail: Any, sent: Sent) -> None:
    """mm-86, mm-115"""
    (link,) = magnetmail.getLinkURLs(message_id=sent.message, group_id=0)
    assert (link["linkid"], link["link_url"], link["link_clicks"]) == (sent.link, URL, 1)
    history = magnetmail.getRecipientHistory(recipient_id=sent.people[0])
    (mail,) = history["emailHistory"]["email_history"]
    assert mail["send_result"] == "Delivered"
    assert mail["open_date"] > ANY
    (clicked,) = mail["links"]["link"]
    assert (clicked["link_url"], clicked["link_url_id"]) == (URL, sent.link)
    (other,) = magnetmail.getRecipientHistory(recipient_id=sent.people[1])["emailHistory"]["email_history"]
    assert (other["send_result"], other["open_date"]) == ("MailboxFull", ANY)
