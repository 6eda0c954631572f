"""The feed of mail events: each event once, in the order in which they were recorded, read on from a number.

Numbers are given without gaps under a lock that is held until the commit. So no event appears before a number
that was read, and a program that remembers the last number misses and repeats none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_granted_list
from soapstone.store.repository import Repository
from soapstone.store.tables import bounces, mail_events, sends, tracked_links
from soapstone.tracking.reports import BounceRecord, MailEvent, event_rows
from soapstone.vocabulary.tracking import BounceClass, MailEventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent(MailEvent):
    """An event of a mail in a feed. `contact_number` is 0, too, for a contact that is not on the list any more.

    `is_first` marks the first open, read or click of a mail. A click has its link, a bounce what the server said.
    """

    is_first: bool
    url: str | None
    bounce: BounceRecord | None


class EventFeed(Repository):
    """Reads the feeds of messages, sends and accounts, always within the given account."""

    def of_message(
        self,
        account_id: int,
        message_id: int,
        kind: MailEventKind,
        *,
        is_test: bool = False,
        job_id: int | None = None,
        login: Login | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[FeedEvent]:
        """Return events of a message's real sends, or with `is_test` of its test sends, after the number `after`.

        `job_id` narrows them to one send. A login gets events of sends to lists that it sees.
        """
        event = mail_events.c
        these = [event.message_id == message_id, event.is_test == is_test, event.account_id == account_id]
        these += of_granted_list(login, sends.c.list_id)
        if job_id is not None:
            these.append(event.job_id == job_id)
        return self._page(these, kind, event.number, after, limit)

    def of_account(
        self,
        account_id: int,
        kind: MailEventKind,
        *,
        list_id: int | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[FeedEvent]:
        """Return events of contacts in all messages after the number `after`; test mails are left out.

        `list_id` narrows them to sends to one list.
        """
        event = mail_events.c
        these = [event.account_id == account_id]
        if list_id is not None:
            these.append(sends.c.list_id == list_id)
        return self._page(these, kind, event.account_number, after, limit)

    def _page(
        self,
        these: list[ColumnElement[bool]],
        kind: MailEventKind,
        number: ColumnElement[Any],
        after: int,
        limit: int,
    ) -> list[FeedEvent]:
        event, bounce = mail_events.c, bounces.c
        is_bounce = event.kind == MailEventKind.BOUNCE.value
        query = (
            event_rows(and_(*these, event.kind == kind.value, number > after), number)
            .add_columns(event.first_number, tracked_links.c.url)
            .add_columns(*(bounce[name].label(f"bounce_{name}") for name in _OF_BOUNCE))
            .join(tracked_links, tracked_links.c.id == event.link_id, isouter=True)
            .join(bounces, and_(is_bounce, bounce.delivery_id == event.delivery_id), isouter=True)
            .order_by(number)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(query).mappings()]


_OF_BOUNCE = ("at", "class", "reason", "code", "detail", "contact_bounces")


def _event(row: Any) -> FeedEvent:
    bounce = None
    if row["bounce_at"] is not None:
        told = {name: row[f"bounce_{name}"] for name in _OF_BOUNCE}
        found = BounceClass(told.pop("class"))
        bounce = BounceRecord(delivery_id=row["delivery_id"], bounce_class=found, **told)
    names = FeedEvent.__dataclass_fields__.keys() - {"is_first", "bounce"}
    return FeedEvent(**{name: row[name] for name in names}, is_first=row["first_number"] is not None, bounce=bounce)
