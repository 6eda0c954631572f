"""The message that a report is about, and the rows of both twins of a report (lk-19, lk-33)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from soapstone.listrak.call import PAGE_ROWS, Call, answer, not_found, offset
from soapstone.sending.reports import SendRecord
from soapstone.tracking import figures
from soapstone.tracking.figures import SendFigures
from soapstone.tracking.reports import ANY_TIME, MailEvent, Period
from soapstone.vocabulary.tracking import MailEventKind
from soapstone.wire.types import Struct


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message with those of its sends that count: the real ones, or the tests of a message that has no other.

    Only sends to lists that the login sees are among them; `whole` says that these are all.
    """

    id: int
    is_test: bool
    job_ids: tuple[int, ...]
    list_ids: frozenset[int]
    whole: bool


Row = TypeVar("Row")
Rows = Callable[[Call, SentMessage, int, Period], list[Row]]


class MessageRequest(Protocol):
    """A request about one message."""

    MsgID: int
    Page: int


class RangeRequest(MessageRequest, Protocol):
    """A request about one message within a range."""

    StartDate: datetime
    EndDate: datetime


def counting(sends: Sequence[SendRecord]) -> Sequence[SendRecord]:
    """Return those sends of one message that count: the real ones, or the tests of a message that has no other (lk-106,
    mm-108)."""
    return [each for each in sends if not each.is_test] or sends


def find_message(call: Call, number: int) -> SentMessage | None:
    """Return a message with a send to a list that the login sees; any other is unknown (lk-9, lk-19)."""
    sends = call.product.reports.of_message(call.account.id, number)
    lists = {each.list_id for each in sends}
    seen = {each for each in lists if call.product.lists.sees(call.login, call.account.id, each)}
    if not seen:
        return None
    mine = [each for each in counting(sends) if each.list_id in seen]
    return SentMessage(
        id=number,
        is_test=all(each.is_test for each in sends),
        job_ids=tuple(each.job.id for each in mine),
        list_ids=frozenset(each.list_id for each in mine if each.list_id is not None),
        whole=seen == lists,
    )


def plain(rows: Rows[Row]) -> Callable[[Call, MessageRequest], Struct]:
    """Return the handler of a report without a range; an unknown message is a business error (lk-19)."""

    def report(call: Call, request: MessageRequest) -> Struct:
        message = find_message(call, request.MsgID)
        if message is None:
            raise not_found("Message", request.MsgID)
        return answer(request, rows(call, message, request.Page, ANY_TIME))

    return report


def within(rows: Rows[Row]) -> Callable[[Call, RangeRequest], list[Row]]:
    """Return the handler of a report within a range; an unknown message has no rows (lk-19, lk-25)."""

    def report(call: Call, request: RangeRequest) -> list[Row]:
        message = find_message(call, request.MsgID)
        if message is None:
            return []
        period = Period(start=call.range_start(request.StartDate), end=call.range_end(request.EndDate))
        return rows(call, message, request.Page, period)

    return report


def events(
    call: Call, message: SentMessage, kind: MailEventKind, page: int, period: Period, *, first: bool = False
) -> list[MailEvent]:
    """Return a page of a message's events; with `first` one for each recipient (lk-107)."""
    return call.product.event_reports.of_message(
        call.account.id,
        message.id,
        kind,
        is_test=message.is_test,
        first=first,
        period=period,
        job_ids=None if message.whole else message.job_ids,
        offset=offset(page),
        limit=PAGE_ROWS,
    ).events


def clicks(call: Call, message: SentMessage, page: int, period: Period) -> list[MailEvent]:
    """Return a page of a message's clicks; those of sends that are tracked without persons are left out."""
    return call.product.event_reports.of_message(
        call.account.id,
        message.id,
        MailEventKind.CLICK,
        is_test=message.is_test,
        period=period,
        job_ids=clicked_sends(call, message),
        offset=offset(page),
        limit=PAGE_ROWS,
    ).events


def clicked_sends(call: Call, message: SentMessage) -> Collection[int] | None:
    """Return the sends whose clicks have a person; None if these are all sends of the message."""
    found = figures.of_sends(call.product.database, message.job_ids)
    personal = [number for number, each in found.items() if not _is_anonymous(each)]
    return None if message.whole and len(personal) == len(found) else personal


def _is_anonymous(found: SendFigures) -> bool:
    """Return whether all clicks of a send came without a person: it is tracked either so or so."""
    return found.clicks > 0 and found.clickers == 0
