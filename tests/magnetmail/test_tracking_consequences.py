"""What follows from mails: complaints, unsubscribes by a link, suppression, deletion; on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from tests.magnetmail.tracked_world import TrackedWorld

from soapstone.accounts.audit import COMMAND_LINE
from soapstone.magnetmail import types
from soapstone.sending.link_actions import Sent
from soapstone.tracking.recording import Act, AnonymousAct, record_acts
from soapstone.vocabulary.tracking import MailEventKind

make: Any = types


@pytest.fixture
def world(desk: Any, monkeypatch: pytest.MonkeyPatch) -> TrackedWorld:
    return TrackedWorld(desk, monkeypatch)


def tracked(world: TrackedWorld, **members: Any) -> Any:
    given = {"MessageId": 0, "GroupId": 0, "GroupCategoryId": 0, **members}
    criteria = make.UnsubscribeSearchCriteria(PageNo=1, PageSize=0, **given)
    return world.desk.GetUnsubscribeTracking(criteria=criteria)


def test_a_complaint(world: TrackedWorld) -> None:
    """mm-118, mm-123, mm-126: it tells of its message, suppresses the address and ends the membership."""
    desk, group = world.desk, world.desk.group("Angry").id
    number = int(desk.addRecipient(email="complains@simulator.example", Groups=[group]).id)
    assert desk.getSuppressedRecipientList(group_id=group) == []
    before = desk.getGroupDetails(groupId=group)
    assert (before.TotalEmailSuppressed, before.TotalUnsubscribed) == (0, 0)
    world.send(world.messages[0], group)
    for rows in (desk.getSpamComplaints(), desk.getUnsubscribes()):
        (row,) = rows
        assert (row.recipient.id, row.message_name, row.group_name) == (str(number), "May", "Angry")
        assert row.recipient.email_send_suppress is True
    (suppressed,) = desk.getSuppressedRecipientList(group_id=group)
    assert suppressed.recipient.id == str(number)
    assert suppressed.extended_field[0].field_value is types.SuppressionType.Email
    after = desk.getGroupDetails(groupId=group)
    assert (after.TotalEmailSuppressed, after.TotalUnsubscribed) == (1, 1)
    assert desk.getTrackingData(message_id=world.messages[0], group_id=group).Unsubscribed == 1


def test_an_unsubscribe_by_the_link_of_a_mail(world: TrackedWorld) -> None:
    """mm-112, mm-113, mm-116: it is the message's, once, however often somebody follows the link."""
    desk, one = world.desk, world.groups[0]
    world.send(world.messages[0], one)
    mail = world.mails[-1]
    sent = Sent(
        account_id=desk.account.id,
        job_id=world.product.reports.of_message(desk.account.id, mail.message)[0].job.id,
        message_id=mail.message,
        contact_id=mail.person,
        email="",
        list_id=one,
        sender="One",
    )
    for _ in range(2):
        world.product.link_actions.unsubscribe(sent, by="Unsubscribe Link")
    (row,) = desk.getUnsubscribes()
    assert (row.recipient.id, row.message_name, row.group_name) == (str(mail.person), "May", "One")
    found = tracked(world, MessageId=mail.message)
    assert [(each.MessageId, each.RecipientId, each.GroupId) for each in found.data] == [
        (mail.message, mail.person, one)
    ]
    assert found.Count == 1
    assert tracked(world, MessageId=world.messages[1]).Count == 0
    for group, number in ((0, 1), (one, 1), (world.groups[1], 0)):
        assert desk.getTrackingData(message_id=mail.message, group_id=group).Unsubscribed == number
        answer = desk.getDetailedTracking(
            message_id=mail.message, group_id=group, report_type=types.tracking_report_type.unsubscribed
        )
        told = [(each.recipient.id, each.MMId, each.Status.value) for each in answer.RecipientDetails]
        assert told == [(str(mail.person), mail.number, "Delivered")][:number]
        assert answer.totalRecords == number


def test_a_deleted_person_and_opens_without_a_person(world: TrackedWorld) -> None:
    """mm-113, mm-116: figures and numbers of rows stay; the rows tell of nobody."""
    desk, message = world.desk, world.messages[0]
    world.send(message, world.groups[0])
    first = next(each for each in world.mails if each.person)
    criteria = make.MessageTrackingSearchCriteria()
    with world.database.write() as connection:
        job = world.product.reports.of_message(desk.account.id, message)[0].job.id
        anonymous = AnonymousAct(
            kind=MailEventKind.OPEN, account_id=desk.account.id, message_id=message, job_id=job, is_test=False
        )
        record_acts(connection, [Act(kind=MailEventKind.OPEN, delivery_id=first.number), anonymous])
    before = desk.getTrackingData(message_id=message, group_id=0)
    assert before.EmailOpened == 2
    assert desk.GetMessageOpenTracking(criteria=criteria).Count == 1
    world.product.erasure.delete(desk.account, first.person, COMMAND_LINE)
    assert desk.getTrackingData(message_id=message, group_id=0) == before
    opens = desk.getDetailedTracking(message_id=message, report_type=types.tracking_report_type.email_opened)
    assert opens.totalRecords == 2
    told = [(each.recipient.id, each.recipient.email, each.MMId) for each in opens.RecipientDetails]
    assert told == [("0", "", first.number), ("0", "", 0)]
    found = desk.GetMessageOpenTracking(criteria=criteria)
    assert (found.Count, [each.RecipientId for each in found.data]) == (1, [0])
