"""Messages: stored ones, and the status of sent ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from soapstone.errors import InvalidError
from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import NO_DATE, Call
from soapstone.listrak.sent_message import counting
from soapstone.sending.messages.message import Message
from soapstone.sending.reports import SendRecord
from soapstone.tracking import figures
from soapstone.vocabulary.messages import MessageKind

# The most numbers that one call may name (lk-103).
MOST_NUMBERS = 2_500

# Purpose of a send → the kind of delivery; all others went to a list.
DELIVERY_TYPES = {
    "test": t.MessageDeliveryType.Test,
    "review": t.MessageDeliveryType.Review,
    "transactional": t.MessageDeliveryType.Transactional,
    "letter": t.MessageDeliveryType.Automated,
}


def get_saved_message_collection(call: Call, request: op.GetSavedMessageCollection) -> list[t.WSSavedMessage]:
    """Return the saved messages of a list by number; none for an unknown list (lk-19, lk-99)."""
    if call.find_list(request.ListID) is None:
        return []
    return [
        t.WSSavedMessage(
            SavedMsgID=each.id,
            SavedName=name_of(each),
            CreateDate=call.wall_clock(each.created_at),
            ModifiedDate=call.wall_clock(each.updated_at),
        )
        for each in call.product.messages.find(call.account.id, kind=MessageKind.SAVED, list_ids=[request.ListID])
    ]


def get_transactional_message_collection(
    call: Call, request: op.GetTransactionalMessageCollection
) -> list[t.WSTransactionalMessage]:
    """Return the transactional messages of a list by number; none for an unknown list (lk-19, lk-100)."""
    if call.find_list(request.ListID) is None:
        return []
    return [
        t.WSTransactionalMessage(TransactionalMsgID=each.id, MessageName=name_of(each))
        for each in call.product.messages.find(
            call.account.id, kind=MessageKind.TRANSACTIONAL, list_ids=[request.ListID]
        )
    ]


def get_message_status(call: Call, request: op.GetMessageStatus) -> t.WSMessageStatus | None:
    """Return how far the sends of a message are, test copies aside; nil for an unknown one and one that is sent by none
    (lk-19, lk-101)."""
    sends = call.product.reports.of_message(call.account.id, request.MsgID)
    if not sends or not all(_may_see(call, each.list_id) for each in sends):
        return None
    sends = [replace(each, job=call.product.jobs.asked(each.job)) for each in counting(sends)]
    flag = _flag(sends)
    ends = [each.job.finished_at for each in sends if each.job.finished_at is not None]
    return t.WSMessageStatus(
        MsgID=request.MsgID,
        DeliveryType=DELIVERY_TYPES.get(sends[0].purpose, t.MessageDeliveryType.List),
        MessageStatus=flag,
        SentCount=figures.total(figures.of_sends(call.product.database, [each.job.id for each in sends]).values()).sent,
        StartTime=call.wall_clock(min(each.job.started_at or each.job.due_at for each in sends)),
        EndTime=call.wall_clock(max(ends)) if flag is t.SentFlag.Sent else NO_DATE,
    )


def get_system_id_from_public_id(call: Call, request: op.GetSystemIDFromPublicID) -> int:
    """Return the number of a message; 0 for an unknown one (lk-19, lk-104)."""
    message = call.product.messages.public(call.account.id, request.PublicID or "")
    return message.id if message is not None and _may_see(call, message.list_id) else 0


def get_message_analytics_information(
    call: Call, request: op.GetMessageAnalyticsInformation
) -> list[t.WSMessageAnalyticsInformation]:
    """Return what sent messages hand over to web analytics, by the time of their send; unknown ones are left out
    (lk-103)."""
    numbers = set(request.MsgIDs or ())
    if len(request.MsgIDs or ()) > MOST_NUMBERS:
        raise InvalidError(f"More than {MOST_NUMBERS} messages.")
    sends: dict[int, list[SendRecord]] = {}
    for each in call.product.reports.find(call.account.id, message_ids=numbers, tests=True):
        sends.setdefault(each.message_id, []).append(each)
    sent = {number: counting(found)[0] for number, found in sends.items()}
    campaigns: dict[int, dict[int, str]] = {}
    rows = []
    for message in call.product.messages.find(call.account.id, numbers=sent.keys()):
        if not _may_see(call, message.list_id):
            continue
        list_id = message.list_id or sent[message.id].list_id or 0
        if message.campaign_id is not None and list_id not in campaigns:
            campaigns[list_id] = {one.id: one.name for one in call.product.campaigns.all(list_id)}
        job = sent[message.id].job
        begun = job.started_at or job.due_at
        row = t.WSMessageAnalyticsInformation(
            CampaignID=message.campaign_id or 0,
            CampaignName=campaigns[list_id].get(message.campaign_id, "") if message.campaign_id is not None else "",
            GoogleAnalyticsCampaignContent=str(message.extras.get("analytics_content", "")),
            GoogleAnalyticsCampaignName=str(message.extras.get("analytics_name", "")),
            # This server has no analytics service.
            ListrakAnalyticsCampaignName="",
            ListrakAnalyticsModuleName="",
            ListrakAnalyticsVersion="",
            ListID=list_id,
            MsgID=message.id,
            SendDate=call.wall_clock(begun),
            Subject=message.subject,
        )
        rows.append((begun, message.id, row))
    return [row for _, _, row in sorted(rows, key=lambda each: each[:2])]


def name_of(message: Message) -> str:
    """Return what a stored message is called: its name, or else its subject."""
    return message.name or message.subject


def _may_see(call: Call, list_id: int | None) -> bool:
    """Return whether the login sees figures of a list; those of a deleted one stay, for all lists (lk-44)."""
    return call.product.lists.sees(call.login, call.account.id, list_id)


def _flag(sends: Sequence[SendRecord]) -> t.SentFlag:
    """Return the state of a message's sends together: what is still to come counts more than what is over (lk-101)."""
    states = [_state(each) for each in sends]
    for flag in (t.SentFlag.Sending, t.SentFlag.ErrorSetToRetry, t.SentFlag.ToBeSent):
        if flag in states:
            # Some groups have it, and it waits for others.
            return t.SentFlag.Sending if flag is t.SentFlag.ToBeSent and t.SentFlag.Sent in states else flag
    # A send that was cancelled may have been made up for by a later one.
    return states[-1]


def _state(send: SendRecord) -> t.SentFlag:
    job = send.job
    match job.state:
        case "completed":
            return t.SentFlag.Sent
        case "failed":
            return t.SentFlag.ErrorSetToRetry
        case "cancelled":
            return t.SentFlag.NotReady
    if job.paused:
        return t.SentFlag.NotReady
    if job.state == "queued" and job.started_at is None:
        return t.SentFlag.ToBeSent
    # A send that was hindered, or whose mails were refused for now, waits until it is due again.
    return t.SentFlag.ErrorSetToRetry if job.state == "queued" and job.error else t.SentFlag.Sending
