"""Sending stored messages (mm-100 to mm-108)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.errors import InvalidError, NotFoundError, SoapstoneError
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList
from soapstone.magnetmail.call import Call, number_in
from soapstone.magnetmail.errors import (
    INTERNAL_ERROR,
    SEE_ERROR_OBJECT,
    NotSupportedError,
    error_object,
    no_error,
    number_of,
)
from soapstone.magnetmail.messages import message_of, sender_of
from soapstone.magnetmail.operations import sendEmailToIndividual, sendMessageToGroup
from soapstone.magnetmail.types import EmailToGroupResult, EmailToIndividualResult, recipient_type, sendType
from soapstone.product import RecordsUnavailable
from soapstone.sending.mail.builder import NO_LINKS
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.messages.content import LINK_KEYS, Content
from soapstone.sending.messages.message import Draft, Message
from soapstone.sending.notices import Notice
from soapstone.vocabulary.deliveries import DeliveryState, SkipReason
from soapstone.wire.types import Struct

log = logging.getLogger(__name__)

# How long a send to single people is waited for (mm-101), and by how many calls at a time: the others answer at once.
PATIENCE_SECONDS = 20.0
_waiting = threading.BoundedSemaphore(8)
# Recipients in these states may have their mail at any moment.
UNDER_WAY = {DeliveryState.QUEUED, DeliveryState.BUILT, DeliveryState.SENDING}

# Text of a skipped recipient's reason that tells of no address of theirs.
NO_ADDRESS = SkipReason.INVALID_ADDRESS

STARTS = Draft(
    subject="Being sent: {{ Message }}",
    plain="The message {{ Message }} (number {{ Message_Number }}) is being sent.\n",
)
ENDED = Draft(
    subject="Sent: {{ Message }}",
    plain="The send of the message {{ Message }} (number {{ Message_Number }}) has ended: {{ Outcome }}.\n"
    "Mails handed over: {{ Mails }}.\n",
)


@dataclass(frozen=True)
class _Found:
    """The people of a call; `missing` are the names of those who are not there."""

    contact_ids: list[int]
    missing: list[str]


def send_email_to_individual(call: Call, request: sendEmailToIndividual) -> EmailToIndividualResult:
    """Send a message to single people, also to those who unsubscribed (mm-100, mm-101).

    The answer waits until all mails are handed over, and not longer than PATIENCE_SECONDS.
    """
    try:
        if request.recp_type is recipient_type.fax:
            raise NotSupportedError("Faxes are not sent.")
        message = _message(call, request.message_id)
        overrides = _overrides(request)
        _check_own_links(call, message, overrides)
        named = [name.strip() for name in request.recipients or [] if name and name.strip()]
        if not named:
            raise InvalidError("The recipients are missing.")
        found = _people(call, request.recp_type, named)
        if not found.contact_ids:
            return _sent(call, found, None)
        ticket = call.product.sends.to_people(
            account=call.account,
            login=call.identity.login,
            message=message,
            contact_ids=found.contact_ids,
            overrides=overrides,
            links=_links(message, request),
            settings=_billing(request),
        )
    except SoapstoneError as error:
        return _individual_refusal(number_of(error), str(error))
    return _known(call, found, ticket.job)


def send_message_to_group(call: Call, request: sendMessageToGroup) -> EmailToGroupResult:
    """Queue a message for groups: a job for each, and one for all test copies (mm-102 to mm-108)."""
    try:
        if request.send_type is sendType.FaxOnly:
            raise NotSupportedError("Faxes are not sent.")
        message = _message(call, request.message_id)
        groups = _groups(call, request.group_ids or [])
        exclude = _groups(call, request.filteredout_groups or [])
        tests = [email.strip() for email in request.test_emails or [] if email and email.strip()]
        for email in tests:
            if not is_mailbox(email):
                raise InvalidError(f"The test address is not a valid e-mail address: {email}")
        if not groups and not tests:
            raise InvalidError("The groups are missing.")
        if message.archived and not request.sendDespiteArchived:
            raise InvalidError(f"Message {message.id} is archived.")
        overrides = _overrides(request)
        _check_own_links(call, message, overrides)
        sender = overrides["from_address"] or message.from_address
        if not request.sendDespiteBadFrom and not _may_send_as(call, sender):
            raise InvalidError(f"The sender is not an allowed address of the account: {sender}")
        due_at = _due(call, request.scheduledDateTime)
        tickets = call.product.sends.to_groups(
            account=call.account,
            login=call.identity.login,
            groups=groups,
            message=message,
            overrides=overrides,
            exclude=exclude,
            allow_repeat=request.ignore_dedupe,
            due_at=due_at,
            links=_links(message, request),
            settings=_settings(request),
            test_emails=tests,
            notices=list(_notices(request, due_at)),
        )
    except SoapstoneError as error:
        return _group_refusal(number_of(error), str(error))
    return EmailToGroupResult(
        email_job_ids=[ticket.job.id for ticket in tickets],
        error=0,
        errorObj=no_error(),
        fax_job_ids=[],
        msg="The message has been queued.",
    )


def _message(call: Call, message_id: int) -> Message:
    message = message_of(call, message_id)
    if message is None:
        raise NotFoundError(f"Message {message_id} does not exist.")
    if message.extras.get("is_fax_only"):
        raise NotSupportedError(f"Message {message_id} is for fax only, and faxes are not sent.")
    return message


def _groups(call: Call, numbers: Sequence[int]) -> list[ContactList]:
    """Return the groups of these numbers, each once, in this order."""
    known = {group.id: group for group in call.groups}
    for number in numbers:
        if number not in known:
            raise NotFoundError(f"Group {number} does not exist.")
    return [known[number] for number in dict.fromkeys(numbers)]


def _overrides(request: sendEmailToIndividual | sendMessageToGroup) -> dict[str, str]:
    """Return what replaces parts of the message; empty is as it was stored (mm-101)."""
    from_name, from_address = sender_of(request.message_from)
    return {"subject": request.message_subject or "", "from_name": from_name, "from_address": from_address}


def _check_own_links(call: Call, message: Message, overrides: dict[str, str]) -> None:
    """Refuse at once what could not be sent later."""
    names = {*Content(message).names, *Content(Draft(**{**overrides, "plain": ""})).names}
    if LINK_KEYS.keys() & names and call.product.links is None:
        raise InvalidError(NO_LINKS)


def _links(message: Message, request: sendEmailToIndividual | sendMessageToGroup) -> dict[str, list[str]]:
    """Return the links that are added to each body."""
    always = ["removal_link"] if message.extras.get("is_auto_unsubscribe_link") else []
    return {
        "html": [*always, *(["browser_link"] if request.html_web_version_link else [])],
        "plain": [*always, *(["browser_link"] if request.text_web_version_link else [])],
    }


def _billing(request: sendEmailToIndividual | sendMessageToGroup) -> dict[str, Any]:
    return {"billing_code": request.billing_code or "", "billing_initial": request.billing_initial or ""}


def _settings(request: sendMessageToGroup) -> dict[str, Any]:
    """Return what is kept with the jobs and has no effect (mm-105)."""
    return {
        **_billing(request),
        "send_type": request.send_type.value,
        "faxToFailedEmail_emailToFailedFax": request.faxToFailedEmail_emailToFailedFax,
        "fax_resolution": request.fax_resolution.value,
        "Newsletter": _plain(request.Newsletter),
        "rssPublishType": request.rssPublishType.value,
    }


def _plain(given: Struct) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.__dict__.items()}


def _may_send_as(call: Call, sender: str) -> bool:
    """Return whether the account's groups have this sender; where none has one, every sender is allowed (mm-107)."""
    groups = call.product.lists.all(call.account.id)
    allowed = {address_key(group.from_address) for group in groups if group.from_address}
    return not allowed or address_key(sender) in allowed


def _due(call: Call, scheduled: datetime) -> datetime | None:
    """Return when the send is to begin; None for now (mm-31, mm-103)."""
    if scheduled.year == 1:
        return None
    if scheduled.year == 9999:
        raise InvalidError("The scheduled time is too far away.")
    due = call.instant(scheduled)
    return due if due is not None and due > now() else None


def _notices(request: sendMessageToGroup, due_at: datetime | None) -> Iterator[Notice]:
    """Yield mails about the start and the end of the send (mm-106)."""
    wanted = request.job_notification
    if wanted.send_notification:
        before = _minutes(wanted.send_notification_when)
        yield Notice(
            draft=_from(STARTS, wanted.send_notification_from),
            emails=_addresses(wanted.send_notification_to),
            due_at=None if due_at is None else due_at - before,
        )
    if wanted.complete_notification:
        yield Notice(
            draft=_from(ENDED, wanted.send_complete_notification_from),
            emails=_addresses(wanted.send_complete_notification_to),
            after=_minutes(wanted.send_complete_notification_when),
        )


def _minutes(given: int) -> timedelta:
    if not 0 <= given <= 366 * 24 * 60:
        raise InvalidError("The minutes of a notification are between 0 and those of a year.")
    return timedelta(minutes=given)


def _from(draft: Draft, sender: str | None) -> Draft:
    name, address = sender_of(sender)
    if not is_mailbox(address):
        raise InvalidError(f"The sender of a notification is not a valid e-mail address: {address}")
    # A name is text here, whatever it looks like.
    name = name.replace("{", '{{ "{" }}')
    return Draft(subject=draft.subject, plain=draft.plain, from_name=name, from_address=address)


def _addresses(given: str | None) -> list[str]:
    found = [part.strip() for part in (given or "").replace(";", ",").split(",") if part.strip()]
    for address in found:
        if not is_mailbox(address):
            raise InvalidError(f"A notification goes to what is no e-mail address: {address}")
    if not found:
        raise InvalidError("A notification has no address to go to.")
    return found


def _people(call: Call, kind: recipient_type, named: Sequence[str]) -> _Found:
    recipients, account = call.product.contacts, call.account
    numbers: list[int] = []
    missing: list[str] = []
    for name in dict.fromkeys(named):
        number: int | None
        if kind is recipient_type.recipient_id:
            person = recipients.get(account.id, number_in(name) or 0, login=call.login)
            number = None if person is None else person.id
        elif kind is recipient_type.custom_id:
            number = recipients.find(account, custom_id=name, login=call.login)
        else:
            number = recipients.find(account, email=name, login=call.login)
        if number is None:
            missing.append(name)
        else:
            numbers.append(number)
    return _Found(list(dict.fromkeys(numbers)), missing)


def _waited_for(call: Call, job: Job) -> Job:
    """Return the job when nothing of it is under way any more, or as it is after a while."""
    if not _waiting.acquire(blocking=False):
        return job
    try:
        end, pause = time.monotonic() + PATIENCE_SECONDS, 0.02
        while not _settled(call, job) and time.monotonic() < end:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
            job = call.product.jobs.get([call.account.id], job.id) or job
    finally:
        _waiting.release()
    return job


def _settled(call: Call, job: Job) -> bool:
    return job.over or (job.step > 0 and not UNDER_WAY & call.product.reports.counts(job.id).keys())


def _known(call: Call, found: _Found, job: Job) -> EmailToIndividualResult:
    """Return what is known of a queued send after a while.

    The mails go out whatever hinders the wait: after an error the client would send them once more.
    """
    try:
        return _sent(call, found, _waited_for(call, job))
    except RecordsUnavailable as reason:
        log.warning("the answer says nothing of the mails of send %d: %s", job.id, reason)
        return EmailToIndividualResult(
            emails_sent=0,
            error=0,
            errorObj=no_error(),
            msg=f"The mails are queued; the send is job {job.id}.",
            suppressed_emails="",
        )


def _sent(call: Call, found: _Found, job: Job | None) -> EmailToIndividualResult:
    rows = [] if job is None else call.product.reports.recipients(call.account.id, job_id=job.id, limit=1_000_000)
    sent = sum(row.state == DeliveryState.SENT for row in rows)
    skipped = [row for row in rows if row.state == DeliveryState.SKIPPED and row.reason != SkipReason.DUPLICATE]
    if job is not None and job.state == "failed":
        return _individual_refusal(INTERNAL_ERROR, job.error or "The send has failed.", sent)
    words = [f"Mails handed over: {sent}."]
    if found.missing:
        words.append(f"Not found: {', '.join(found.missing)}.")
    if nameless := [str(row.contact_id) for row in skipped if row.reason == NO_ADDRESS]:
        words.append(f"Without an e-mail address: {', '.join(nameless)}.")
    if refused := [row.email for row in rows if row.state == DeliveryState.FAILED]:
        words.append(f"Refused by the mail server: {', '.join(refused)}.")
    if job is not None and not job.over:
        words.append(f"The rest follows; the send is job {job.id}.")
    return EmailToIndividualResult(
        emails_sent=sent,
        error=0,
        errorObj=no_error(),
        msg=" ".join(words),
        suppressed_emails=",".join(row.email for row in skipped if row.reason != NO_ADDRESS),
    )


def _individual_refusal(number: int, sentence: str, sent: int = 0) -> EmailToIndividualResult:
    particulars = error_object(number, sentence, component="Message", function="sendEmailToIndividual")
    return EmailToIndividualResult(
        emails_sent=sent, error=SEE_ERROR_OBJECT, errorObj=particulars, msg=sentence, suppressed_emails=""
    )


def _group_refusal(number: int, sentence: str) -> EmailToGroupResult:
    particulars = error_object(number, sentence, component="Message", function="sendMessageToGroup")
    return EmailToGroupResult(
        email_job_ids=[], error=SEE_ERROR_OBJECT, errorObj=particulars, fax_job_ids=[], msg=sentence
    )
