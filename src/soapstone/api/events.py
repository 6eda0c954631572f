"""Mail events in the order in which they were recorded, and the bounces of a send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import is_restricted
from soapstone.api.authentication import Caller, Calling
from soapstone.api.figures import find_sent_message
from soapstone.api.sends import BounceOut
from soapstone.api.sends import find as find_send
from soapstone.api.values import LARGEST, Cursor, Limit, Number, Page, cursor_of, marked, page
from soapstone.errors import ConflictError
from soapstone.tracking.event_feed import FeedEvent
from soapstone.vocabulary.tracking import MailEventKind

router = APIRouter(tags=["mail events"])

Item = TypeVar("Item")

Kind = Annotated[MailEventKind, Query(description="The kind of events.")]


class MailEventOut(BaseModel):
    """An event of a mail.

    `recipient_id` is that of the send's ledger, null for mails that are tracked without persons. `first` marks the
    first open, read or click of a mail. A click has its link, and the link's URL as the author wrote it; a bounce has
    what the server said.
    """

    kind: MailEventKind
    at: datetime
    message_id: int
    send_id: int
    test: bool
    recipient_id: int | None
    contact_id: int | None
    email: str
    first: bool
    link_id: int | None
    url: str | None
    bounce: BounceOut | None

    @classmethod
    def of(cls, kind: MailEventKind, found: FeedEvent, login: Login | None = None) -> MailEventOut:
        """Return the event as a login sees it: without the number of a contact that has left its lists."""
        return cls(
            kind=kind,
            at=found.at,
            message_id=found.message_id,
            send_id=found.job_id,
            test=found.is_test,
            recipient_id=found.delivery_id,
            contact_id=_contact(found, login),
            email=found.email,
            first=found.is_first,
            link_id=found.link_id,
            url=found.url,
            bounce=BounceOut.of(found.bounce) if found.bounce else None,
        )


class BouncedOut(BaseModel):
    """A mail that came back, or that the server refused for good during the send."""

    recipient_id: int | None
    contact_id: int | None
    email: str
    bounce: BounceOut

    @classmethod
    def of(cls, found: FeedEvent, login: Login | None = None) -> BouncedOut:
        """Return the mail as a login sees it."""
        assert found.bounce is not None  # noqa: S101 - each bounce has its record
        return cls(
            recipient_id=found.delivery_id,
            contact_id=_contact(found, login),
            email=found.email,
            bounce=BounceOut.of(found.bounce),
        )


class Feed(Page[Item], Generic[Item]):
    """Some events, in the order in which they were recorded; `next` is null while there are no more.

    Ask with `resume` as the cursor later: no event is missing then, and none is there twice.
    """

    resume: str = Field(description="The cursor behind the last event of this page.")


@router.get("/events")
def list_events(
    caller: Calling,
    kind: Kind,
    list_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Feed[MailEventOut]:
    """List events of mails to contacts, of the sends to a list or, for logins that see all lists, of the account.

    Test mails, and mails to addresses that are no contacts, are left out.
    """
    caller.require(list_id)

    def read(after: int, most: int) -> list[FeedEvent]:
        return caller.product.event_feed.of_account(caller.account.id, kind, list_id=list_id, after=after, limit=most)

    return _feed(cursor, limit, read, lambda found: MailEventOut.of(kind, found, caller.login))


@router.get("/messages/{message_id}/events")
def list_message_events(
    message_id: Number,
    caller: Calling,
    kind: Kind,
    tests: Annotated[bool, Query(description="Those of the test sends instead.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Feed[MailEventOut]:
    """List the events of a message that was sent: the `message_id` of a send.

    The server refuses a stored message that was sent by copies: each send has events of its own.
    """
    message = find_sent_message(caller, message_id)
    if caller.product.reports.has_copies(caller.account.id, message.id):
        raise ConflictError("Sends made copies of this message. Ask for the events of each send.")

    def read(after: int, most: int) -> list[FeedEvent]:
        return caller.product.event_feed.of_message(
            caller.account.id, message_id, kind, is_test=tests, login=caller.login, after=after, limit=most
        )

    return _feed(cursor, limit, read, lambda found: MailEventOut.of(kind, found, caller.login))


@router.get("/sends/{send_id}/events")
def list_send_events(
    send_id: Number, caller: Calling, kind: Kind, limit: Limit = 100, cursor: Cursor = None
) -> Feed[MailEventOut]:
    """List the events of a send."""
    read = _of_send(caller, send_id, kind)
    return _feed(cursor, limit, read, lambda found: MailEventOut.of(kind, found, caller.login))


@router.get("/sends/{send_id}/bounces")
def list_send_bounces(send_id: Number, caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Feed[BouncedOut]:
    """List the mails of a send that did not arrive, with what the servers said."""
    read = _of_send(caller, send_id, MailEventKind.BOUNCE)
    return _feed(cursor, limit, read, lambda found: BouncedOut.of(found, caller.login))


def _of_send(caller: Caller, send_id: int, kind: MailEventKind) -> Callable[[int, int], list[FeedEvent]]:
    record = find_send(caller, send_id)
    return lambda after, most: caller.product.event_feed.of_message(
        caller.account.id,
        record.message_id,
        kind,
        is_test=record.is_test,
        job_id=send_id,
        after=after,
        limit=most,
    )


def _feed(
    cursor: str | None,
    limit: int,
    read: Callable[[int, int], Sequence[FeedEvent]],
    show: Callable[[FeedEvent], Item],
) -> Feed[Item]:
    # The numbers of the events that are shown.
    after = marked(cursor, 0)
    rows: list[FeedEvent] = []

    def noted(found: FeedEvent) -> Item:
        rows.append(found)
        return show(found)

    made = page(cursor, limit, read, noted, lambda found: found.number)
    return Feed(items=made.items, next=made.next, resume=cursor_of(rows[-1].number if rows else after))


def _contact(found: FeedEvent, login: Login | None) -> int | None:
    # A restricted login sees people that are on its lists.
    return None if is_restricted(login) and not found.contact_number else found.contact_id
