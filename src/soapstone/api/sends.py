"""Sends of stored messages, and the ledger of their recipients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from soapstone.api.authentication import Caller, Calling
from soapstone.api.idempotency import Making
from soapstone.api.jobs import find as find_job
from soapstone.api.messages import Fields, Id, Made
from soapstone.api.messages import find as find_message
from soapstone.api.problems import existing, not_found
from soapstone.api.values import LARGEST, MOMENT, Body, Cursor, Email, Limit, Number, Page, Text, page
from soapstone.errors import ConflictError, InvalidError, NotFoundError
from soapstone.lists.profile_filter import Comparison, Join, Term
from soapstone.sending.messages.unsubscribe_link import REQUEST, Choice, NoUnsubscribeLinkError
from soapstone.sending.reports import DeliveryRecord, SendRecord, SendReports
from soapstone.sending.send_records import SendTicket
from soapstone.tracking.reports import Activity, BounceRecord, EventReports
from soapstone.vocabulary.deliveries import DeliveryState, Purpose, SkipReason
from soapstone.vocabulary.tracking import HARD_BOUNCES, BounceClass

router = APIRouter(prefix="/sends", tags=["sends"])

# Years that both databases hold in any time zone.
_FIRST_YEAR, _LAST_YEAR = 1970, 9990


def _written(value: Any) -> Any:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise ValueError("is not a time such as 2030-12-24T10:00:00+01:00")
    if not _FIRST_YEAR < int(value[:4]) < _LAST_YEAR:
        raise ValueError("is too far away")
    return value


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written)]


class TermIn(Body):
    """A comparison of a profile attribute; `join` is how it goes with those before it, from left to right.

    `in` looks for the value among several, with commas between them. `above` and `below` leave out the value itself
    unless `inclusive`.
    """

    attribute_id: Id
    compare: Comparison
    value: Text = ""
    negated: bool = False
    inclusive: bool = False
    join: Join = "and"


class ToList(Body):
    """The subscribed members of a list, or those who meet the filter."""

    kind: Literal["list"]
    list_id: Id
    filter: Annotated[list[TermIn], Field(max_length=100)] = Field(default_factory=list)


class ToGroups(Body):
    """Several lists, a send for each. A person on several of them gets one mail; earlier recipients get none."""

    kind: Literal["groups"]
    list_ids: Annotated[list[Id], Field(min_length=1, max_length=100)]
    allow_repeat: bool = Field(default=False, description="Send again to earlier recipients.")


class ToAddresses(Body):
    """Single addresses for a list; they need not be members. Test mails count in no figure."""

    kind: Literal["addresses"]
    list_id: Id
    emails: Annotated[list[Email], Field(min_length=1, max_length=1000)]
    fields: Fields = Field(default_factory=dict, description="Extra merge values.")
    test: bool = False


class SendIn(Body):
    """A new send. Without `at`, or with a past one, it begins at once."""

    message_id: Id
    to: Annotated[ToList | ToGroups | ToAddresses, Field(discriminator="kind")]
    at: Moment | None = None
    unsubscribe: Choice = Field(
        default="link",
        description="To lists: mails need a visible link to unsubscribe, unless this is `none`.",
    )


class SendHead(BaseModel):
    """A send. Its number is that of its job. `counters` is what the job has counted so far.

    `message_id` is what is sent; `source_id` is the stored message of which that is a copy. `unsubscribe` is "link" or
    "none" as the sender chose, "missing" where a contract asked for no choice and the mails have no link, else null.
    """

    id: int
    purpose: str
    message_id: int
    source_id: int | None
    list_id: int | None
    is_test: bool
    unsubscribe: Choice | Literal["missing"] | None
    state: str
    paused: bool
    step: int
    steps: int
    counters: dict[str, int]
    submitted_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str

    @classmethod
    def of(cls, record: SendRecord) -> SendHead:
        """Return the send as it is shown among others."""
        return cls(**_facts(record))


class SendOut(SendHead):
    """A send with its ledger in figures: recipients in each state, and those that were skipped, by reason."""

    recipients: dict[str, int]
    skipped: dict[str, int]

    @classmethod
    def whole(cls, reports: SendReports, record: SendRecord) -> SendOut:
        """Return the send as it is shown alone."""
        number = record.job.id
        return cls(**_facts(record), recipients=reports.counts(number), skipped=reports.reasons(number))


class Sends(BaseModel):
    """The created sends, in order: one, or one for each group."""

    sends: list[SendHead]


class BounceOut(BaseModel):
    """Why a mail did not arrive: its class, the reason as Listrak names it, the server's status code and words.

    A `hard` bounce counts toward the limit of the list. `bounces` is the number of those of the contact on that list,
    up to and with this one.
    """

    at: datetime
    bounce_class: BounceClass = Field(serialization_alias="class")
    reason: str
    code: str
    words: str
    hard: bool
    bounces: int

    @classmethod
    def of(cls, found: BounceRecord) -> BounceOut:
        """Return the bounce as it is shown."""
        return cls(
            at=found.at,
            bounce_class=found.bounce_class,
            reason=found.reason,
            code=found.code,
            words=found.detail,
            hard=found.bounce_class in HARD_BOUNCES,
            bounces=found.contact_bounces,
        )


class RecipientOut(BaseModel):
    """One recipient; `reason` says why one was skipped, `reply` what the SMTP server said last.

    `doubts` counts attempts with an unknown result: with one, the recipient may have the mail twice. `opened_at`,
    `read_at` and `clicked_at` are the dates of the first open, read and click.
    """

    id: int
    contact_id: int | None
    email: str
    state: str
    reason: str
    reply: str
    attempts: int
    doubts: int
    handed_at: datetime | None
    next_try_at: datetime | None
    opened_at: datetime | None
    read_at: datetime | None
    clicked_at: datetime | None
    opens: int
    clicks: int
    bounce: BounceOut | None

    @classmethod
    def all(cls, reports: EventReports, found: Sequence[DeliveryRecord]) -> list[RecipientOut]:
        """Return recipients as they are shown, with what became of their mails."""
        numbers = [each.id for each in found]
        activities, bounces = reports.activities(numbers), reports.bounces(numbers)
        of_ledger = cls.model_fields.keys() & DeliveryRecord.__dataclass_fields__.keys()
        return [
            cls(
                **{name: getattr(each, name) for name in of_ledger},
                **{name: getattr(activities.get(each.id, _NOTHING_DONE), name) for name in _DONE},
                bounce=BounceOut.of(bounces[each.id]) if each.id in bounces else None,
            )
            for each in found
        ]


_NOTHING_DONE = Activity(delivery_id=0, opened_at=None, read_at=None, clicked_at=None, opens=0, clicks=0)
_DONE = Activity.__dataclass_fields__.keys() - {"delivery_id"}


@router.get("")
def list_sends(
    caller: Calling,
    list_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    tests: Annotated[
        bool, Query(description="Include tests, reviews, and the server's own mails, such as confirmations.")
    ] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[SendHead]:
    """List the sends of a list or, for logins that see all lists, of the account, by number."""
    caller.require(list_id)
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.reports.find(
            caller.account.id,
            list_ids=None if list_id is None else [list_id],
            tests=tests,
            after=after,
            limit=most,
        ),
        SendHead.of,
        lambda record: record.job.id,
    )


@router.post("", status_code=202, response_model=Sends)
def create_send(given: SendIn, caller: Calling, once: Making) -> Response:
    """Send a stored message. The answer comes after everything is on disk."""
    return once(given, lambda: _submitted(caller, given), _shown, status=202)


@router.get("/{send_id}")
def get_send(send_id: Number, caller: Calling) -> SendOut:
    """Return one send with the figures of its ledger."""
    caller.product.jobs.asked(find(caller, send_id).job)
    return _whole(caller, send_id)


@router.get("/{send_id}/recipients")
def list_send_recipients(
    send_id: Number,
    caller: Calling,
    state: Annotated[list[DeliveryState] | None, Query(description="Only those in this state; repeatable.")] = None,
    reason: Annotated[
        list[SkipReason] | None, Query(description="Only those skipped for this reason; repeatable.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RecipientOut]:
    """List the ledger of a send: the state of each recipient."""
    find(caller, send_id)
    return page(
        cursor,
        limit,
        lambda after, most: RecipientOut.all(
            caller.product.event_reports,
            caller.product.reports.recipients(
                caller.account.id,
                job_id=send_id,
                states=state or (),
                reasons=reason or (),
                after=after,
                limit=most,
                login=caller.login,
            ),
        ),
        lambda recipient: recipient,
    )


@router.post("/{send_id}/retry", status_code=202, response_model=Sends)
def retry_send(send_id: Number, caller: Calling, once: Making) -> Response:
    """Retry the failed recipients of a finished send in a new send."""

    def made() -> list[SendTicket]:
        record = find(caller, send_id)
        if not record.job.over:
            raise ConflictError("The send has not ended.")
        if not caller.product.reports.counts(send_id).get("failed"):
            raise ConflictError("The send has no failed recipients.")
        ticket = existing(
            caller.product.sends.to_failed(account=caller.account, login=caller.login, job=record.job), "send"
        )
        return [ticket]

    return once(b"", made, _shown, status=202)


@router.post("/{send_id}/pause", status_code=202)
def pause_send(send_id: Number, caller: Calling) -> SendOut:
    """Pause a send after the mails under way."""
    find(caller, send_id)
    if not caller.product.jobs.pause([caller.account.id], send_id):
        raise ConflictError("The send is over or already paused.")
    return _whole(caller, send_id)


@router.post("/{send_id}/resume", status_code=202)
def resume_send(send_id: Number, caller: Calling) -> SendOut:
    """Resume a paused send."""
    find(caller, send_id)
    if not caller.product.jobs.pause([caller.account.id], send_id, paused=False):
        raise ConflictError("The send is not paused.")
    return _whole(caller, send_id)


@router.post("/{send_id}/cancel", status_code=202)
def cancel_send(send_id: Number, caller: Calling) -> SendOut:
    """Cancel a send after the mails under way; mails already sent stay sent."""
    find(caller, send_id)
    if not caller.product.jobs.cancel([caller.account.id], send_id):
        raise ConflictError("The send is over.")
    return _whole(caller, send_id)


def _submitted(caller: Caller, given: SendIn) -> list[SendTicket]:
    message = find_message(caller, given.message_id)
    sends, to = caller.product.sends, given.to
    common: dict[str, Any] = {
        "account": caller.account,
        "login": caller.login,
        "message": message,
        "due_at": given.at,
    }
    if isinstance(to, ToGroups):
        groups = [caller.list(number) for number in dict.fromkeys(to.list_ids)]
        choice = given.unsubscribe
        return _to_lists(
            lambda: sends.to_groups(groups=groups, allow_repeat=to.allow_repeat, unsubscribe=choice, **common)
        )
    contact_list = caller.list(to.list_id)
    if isinstance(to, ToAddresses):
        return [
            sends.to_addresses(
                contact_list=contact_list,
                emails=to.emails,
                purpose=Purpose.TEST if to.test else Purpose.TRANSACTIONAL,
                fields=to.fields,
                **common,
            )
        ]
    terms = [Term(**term.model_dump()) for term in to.filter]
    return [
        _to_lists(
            lambda: sends.to_members(contact_list=contact_list, terms=terms, unsubscribe=given.unsubscribe, **common)
        )
    ]


def _to_lists(send: Callable[[], Made]) -> Made:
    """Do `send`; the refusal of a missing link to unsubscribe says how to add one. Raises InvalidError."""
    try:
        return send()
    except NoUnsubscribeLinkError as trouble:
        remedy = "Set it for the server"
        if not trouble.url_missing:
            remedy = (
                "Put {{ Unsubscribe_Link }} into the message, or let the list add the link "
                f'(PATCH /lists/{trouble.list_id} with "removal_link": true)'
            )
        raise InvalidError(f'{trouble} {remedy}, or send without a link: "unsubscribe": "none".') from None


def find(caller: Caller, send_id: int) -> SendRecord:
    """Return a send that the login may see. Raises NotFoundError."""
    record = existing(caller.product.reports.of_job(caller.account.id, send_id), "send")
    try:
        find_job(caller, send_id)
    except NotFoundError:
        raise not_found("send") from None
    return record


def _whole(caller: Caller, send_id: int) -> SendOut:
    return SendOut.whole(caller.product.reports, find(caller, send_id))


def _shown(tickets: list[SendTicket]) -> Sends:
    return Sends(sends=[SendHead.of(ticket.record) for ticket in tickets])


def _facts(record: SendRecord) -> dict[str, Any]:
    of_job = {name: getattr(record.job, name) for name in SendHead.model_fields if hasattr(record.job, name)}
    of_send = ("purpose", "message_id", "source_id", "list_id", "is_test")
    return of_job | {name: getattr(record, name) for name in of_send} | {"unsubscribe": record.job.request.get(REQUEST)}
