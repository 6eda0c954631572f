"""Reports of mail events: of a message, of an account, or of a link; every page is read by its numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.visibility import is_restricted, of_no_hidden_list, of_visible_person
from soapstone.contacts.search import Example, Search
from soapstone.store.repository import Repository
from soapstone.store.tables import (
    bounces,
    contacts,
    deliveries,
    delivery_activities,
    event_counters,
    lists,
    mail_events,
    memberships,
    sends,
    tracked_links,
)
from soapstone.vocabulary.tracking import BounceClass, MailEventKind


@dataclass(frozen=True, kw_only=True)
class Period:
    """A range of dates, from `start` to before `end`; None leaves an end open."""

    start: datetime | None = None
    end: datetime | None = None


ANY_TIME = Period()


@dataclass(frozen=True, kw_only=True)
class Matching:
    """The contacts of an account that match an example, as a search finds them (mm-114)."""

    account: Account
    example: Example


@dataclass(frozen=True, slots=True, kw_only=True)
class MailEvent:
    """An event of a mail and its recipient.

    `number` is its place in the order of the report. `contact_number` is the contact's number on the list of the send
    (lk-35), 0 without a list. Without a person, `delivery_id` and `contact_id` are None and the address is empty.
    """

    number: int
    kind: str
    at: datetime
    message_id: int
    job_id: int
    is_test: bool
    delivery_id: int | None
    contact_id: int | None
    email: str
    contact_number: int
    link_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedLink:
    """A link of a message. `position` is from 1, through the HTML text and then the plain text.

    `body` is "html" or "plain". `url` is the author's, with its merge fields.
    """

    id: int
    message_id: int
    position: int
    body: str
    url: str
    label: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceRecord:
    """The bounce of a mail; `contact_bounces` counts those of its contact on that list up to and with this one."""

    delivery_id: int
    at: datetime
    bounce_class: BounceClass
    reason: str
    code: str
    detail: str
    contact_bounces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a mail's recipient did so far: dates of the first acts, and numbers of opens and clicks."""

    delivery_id: int
    opened_at: datetime | None
    read_at: datetime | None
    clicked_at: datetime | None
    opens: int
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Rows of a report, and the number of all its rows."""

    total: int
    events: list[MailEvent]


class EventReports(Repository):
    """Reads mail events, always within the given account."""

    def of_message(
        self,
        account_id: int,
        message_id: int,
        kind: MailEventKind,
        *,
        is_test: bool = False,
        first: bool = False,
        period: Period = ANY_TIME,
        job_ids: Collection[int] | None = None,
        list_id: int | None = None,
        matching: Matching | None = None,
        not_bounced: bool = False,
        login: Login | None = None,
        after: int | None = None,
        offset: int = 0,
        limit: int = 2500,
        total: int | None = None,
    ) -> EventPage:
        """Return events of a message by date: of its real sends, or with `is_test` of its test sends.

        With `first` the report has the first event of each mail within the period only. `job_ids` narrows it to some
        sends, `list_id` to those to a list, `matching` to some contacts, and `not_bounced` to mails that have not come
        back. A login gets events of sends to lists that it sees.

        `after` is the number of the last event of the page before. `total` is the number of rows where the caller knows
        it: a narrowed report counts them otherwise.
        """
        event = mail_events.c
        these = [event.message_id == message_id, event.is_test == is_test, event.kind == kind.value]
        with self._database.read() as connection:
            jobs = _visible(connection, account_id, message_id, is_test, job_ids, list_id, login)
            if jobs is not None:
                these.append(event.job_id.in_(jobs))
            else:
                these.append(event.account_id == account_id)
            scope = ("test" if is_test else "message", message_id)
            if first and period.start is None:
                # The first event within the period is the very first.
                numbers, counter = event.first_number, f"first {kind}"
                these.append(numbers.is_not(None))
            else:
                numbers, counter = event.number, kind.value
                if first:
                    these.append(or_(event.previous_at.is_(None), event.previous_at < period.start))
                    # Opens without a person are no recipient's first.
                    these.append(event.delivery_id.is_not(None))
            narrowed = jobs is not None or (first and period.start is not None) or matching is not None or not_bounced
            low, high = _numbers(connection, (*scope, counter), these[:3], numbers, period)
            if not_bounced:
                if total is None and period == ANY_TIME and jobs is None and matching is None:
                    # Each bounce is that of one sent mail.
                    bounced = _last(connection, (*scope, MailEventKind.BOUNCE.value))
                    total = high - bounced
                these.append(~exists().where(bounces.c.delivery_id == event.delivery_id))
            if matching is not None:
                these.append(event.delivery_id.in_(self._mails_to(matching, message_id)))
            window = _Window(low=low, high=high, after=after, offset=offset, limit=limit, total=total)
            return _page(connection, these, numbers, window, narrowed=narrowed)

    def of_link(
        self,
        account_id: int,
        link_id: int,
        *,
        is_test: bool = False,
        job_ids: Collection[int] | None = None,
        offset: int = 0,
        limit: int = 2500,
    ) -> EventPage:
        """Return the clicks on a link by date; `is_test` and `job_ids` as for `of_message`."""
        event = mail_events.c
        kind = MailEventKind.CLICK.value
        these = [event.link_id == link_id, event.is_test == is_test, event.kind == kind, event.account_id == account_id]
        narrowing = [] if job_ids is None else [event.job_id.in_(job_ids)]
        with self._database.read() as connection:
            counter = ("test link" if is_test else "link", link_id, kind)
            numbers = event.link_number
            low, high = _numbers(connection, counter, these, numbers, ANY_TIME)
            window = _Window(low=low, high=high, offset=offset, limit=limit)
            return _page(connection, [*these, *narrowing], numbers, window, narrowed=bool(narrowing))

    def of_account(
        self,
        account_id: int,
        kind: MailEventKind,
        *,
        period: Period = ANY_TIME,
        message_id: int | None = None,
        list_id: int | None = None,
        list_category_id: int | None = None,
        url: str | None = None,
        login: Login | None = None,
        after: int | None = None,
        offset: int = 0,
        limit: int = 2000,
        total: int | None = None,
    ) -> EventPage:
        """Return events of contacts in all messages of an account by date, test mails left out.

        The filters narrow them to a message, to sends to a list or to lists of a category, or to the links with a URL.
        A login gets events of sends to lists, and of contacts, that it sees. `after` and `total` are as in
        `of_message`.
        """
        event = mail_events.c
        these = [event.account_id == account_id, event.kind == kind.value, event.account_number.is_not(None)]
        narrowing: list[ColumnElement[bool]] = []
        if message_id is not None:
            narrowing.append(event.message_id == message_id)
        of_list: list[ColumnElement[bool]] = [*of_no_hidden_list(login, sends.c.list_id)]
        if list_id is not None:
            of_list.append(sends.c.list_id == list_id)
        if list_category_id is not None:
            of_list.append(sends.c.list_id.in_(select(lists.c.id).where(lists.c.category_id == list_category_id)))
        if of_list:
            narrowing.append(event.job_id.in_(select(sends.c.job_id).where(sends.c.account_id == account_id, *of_list)))
        mail = deliveries.alias()
        if seen := of_visible_person(login, mail.c.contact_id):
            narrowing.append(exists(select(mail.c.id).where(mail.c.id == event.delivery_id, *seen)))
        if url is not None:
            link = tracked_links.c
            narrowing.append(event.link_id.in_(select(link.id).where(link.account_id == account_id, link.url == url)))
        with self._database.read() as connection:
            numbers = event.account_number
            low, high = _numbers(connection, ("account", account_id, kind.value), these, numbers, period)
            window = _Window(low=low, high=high, after=after, offset=offset, limit=limit, total=total)
            return _page(connection, [*these, *narrowing], numbers, window, narrowed=bool(narrowing))

    def links(self, account_id: int, message_id: int) -> list[TrackedLink]:
        """Return the links of a message by position."""
        link = tracked_links.c
        query = _LINKS.where(link.account_id == account_id, link.message_id == message_id).order_by(link.position)
        return self._database.records(TrackedLink, query)

    def links_by_id(self, account_id: int, link_ids: Collection[int]) -> dict[int, TrackedLink]:
        """Return these links of the account by number; unknown ones are left out."""
        query = _LINKS.where(tracked_links.c.account_id == account_id, tracked_links.c.id.in_(link_ids))
        return {each.id: each for each in self._database.records(TrackedLink, query)}

    def link_numbers(self, account_id: int, message_ids: Collection[int]) -> dict[tuple[int, str], int]:
        """Return one number for each message and URL: the lowest of the links to it (mm-115)."""
        link = tracked_links.c
        query = select(link.message_id, link.url, func.min(link.id).label("id")).where(
            link.account_id == account_id, link.message_id.in_(message_ids)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(link.message_id, link.url))
            return {(row.message_id, row.url): row.id for row in rows}

    def clicked_urls(self, delivery_ids: Collection[int]) -> dict[int, list[str]]:
        """Return the URLs that were clicked in each of these mails, each once, by the first click."""
        event, link = mail_events.c, tracked_links.c
        query = (
            select(event.delivery_id, link.url, func.min(event.number))
            .join(tracked_links, link.id == event.link_id)
            .where(event.delivery_id.in_(delivery_ids), event.kind == MailEventKind.CLICK.value)
            .group_by(event.delivery_id, link.url)
            .order_by(event.delivery_id, func.min(event.number))
        )
        found: dict[int, list[str]] = {}
        with self._database.read() as connection:
            for delivery_id, url, _ in connection.execute(query):
                found.setdefault(delivery_id, []).append(url)
        return found

    def bounces(self, delivery_ids: Collection[int]) -> dict[int, BounceRecord]:
        """Return the bounces of these mails by delivery."""
        names = [name for name in BounceRecord.__dataclass_fields__ if name != "bounce_class"]
        columns = [bounces.c[name] for name in names]
        query = select(*columns, bounces.c["class"].label("bounce_class")).where(
            bounces.c.delivery_id.in_(delivery_ids)
        )
        with self._database.read() as connection:
            return {
                row["delivery_id"]: BounceRecord(**{**row, "bounce_class": BounceClass(row["bounce_class"])})
                for row in connection.execute(query).mappings()
            }

    def activities(self, delivery_ids: Collection[int]) -> dict[int, Activity]:
        """Return what the recipients of these mails did so far, by delivery; those who did nothing are left out."""
        columns = [delivery_activities.c[name] for name in Activity.__dataclass_fields__]
        query = select(*columns).where(delivery_activities.c.delivery_id.in_(delivery_ids))
        return {each.delivery_id: each for each in self._database.records(Activity, query)}

    def _mails_to(self, matching: Matching, message_id: int) -> Select[Any]:
        found = Search(self._database).query(matching.account, matching.example).with_only_columns(contacts.c.id)
        return select(deliveries.c.id).where(
            deliveries.c.message_id == message_id, deliveries.c.contact_id.in_(found.order_by(None))
        )


_LINKS = select(*(tracked_links.c[name] for name in TrackedLink.__dataclass_fields__))


def _visible(
    connection: Connection,
    account_id: int,
    message_id: int,
    is_test: bool,
    job_ids: Collection[int] | None,
    list_id: int | None,
    login: Login | None,
) -> list[int] | None:
    """Return the sends of a message to which a report is narrowed; None for all."""
    if job_ids is None and list_id is None and not is_restricted(login):
        return None
    query = select(sends.c.job_id).where(
        sends.c.account_id == account_id, sends.c.message_id == message_id, sends.c.is_test == is_test
    )
    every = set(connection.execute(query).scalars())
    of_list = () if list_id is None else (sends.c.list_id == list_id,)
    seen = set(connection.execute(query.where(*of_no_hidden_list(login, sends.c.list_id), *of_list)).scalars())
    wanted = seen if job_ids is None else seen.intersection(job_ids)
    return None if wanted == every else sorted(wanted)


def _numbers(
    connection: Connection,
    counter: tuple[str, int, str],
    these: list[ColumnElement[bool]],
    numbers: ColumnElement[Any],
    period: Period,
) -> tuple[int, int]:
    """Return the first and the last number within a period; the last is below the first if there is none."""
    last = _last(connection, counter)
    # Retention deletes from the lowest number.
    lowest = select(func.min(numbers)).where(*these, numbers.is_not(None))
    low: int | None = connection.execute(lowest).scalar_one_or_none() if last else None
    if low is None:
        return 1, 0
    high = last
    if period.start is not None:
        low = _first_from(connection, these, numbers, period.start, low, last)
    if period.end is not None:
        high = _first_from(connection, these, numbers, period.end, low, last) - 1
    return low, high


def _last(connection: Connection, counter: tuple[str, int, str]) -> int:
    """Return the last number that a counter gave; 0 for none."""
    scope, scope_id, kind = counter
    key = (event_counters.c.scope == scope, event_counters.c.scope_id == scope_id, event_counters.c.kind == kind)
    return connection.execute(select(event_counters.c.last).where(*key)).scalar_one_or_none() or 0


def _first_from(
    connection: Connection,
    these: list[ColumnElement[bool]],
    numbers: ColumnElement[Any],
    moment: datetime,
    low: int,
    last: int,
) -> int:
    """Return the first number whose event is not before `moment`, one more than `last` if there is none.

    Dates ascend with the numbers, so some thirty look-ups find it among any number of events.
    """
    high = last + 1
    while low < high:
        middle = (low + high) // 2
        at = connection.execute(select(mail_events.c.at).where(*these, numbers == middle)).scalar_one_or_none()
        if at is None or at < moment:
            # Without a date retention has just deleted it.
            low = middle + 1
        else:
            high = middle
    return low


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The page to read of the numbers from `low` to `high`; `total` is None where it has to be counted."""

    low: int
    high: int
    after: int | None = None
    offset: int
    limit: int
    total: int | None = None


def _page(
    connection: Connection,
    these: list[ColumnElement[bool]],
    numbers: ColumnElement[Any],
    window: _Window,
    *,
    narrowed: bool = False,
) -> EventPage:
    """Return a page of the events with these numbers; only a `narrowed` report is counted and passed over."""
    low, high, total = window.low, window.high, window.total
    if high < low:
        return EventPage(total=0, events=[])
    first, offset = (low, window.offset) if window.after is None else (max(low, window.after + 1), 0)
    if narrowed:
        if total is None:
            within = and_(*these, numbers >= low, numbers <= high)
            total = connection.execute(select(func.count()).select_from(mail_events).where(within)).scalar_one()
        query = event_rows(and_(*these, numbers >= first, numbers <= high), numbers).offset(offset or None)
    else:
        total = high - low + 1
        first += offset
        query = event_rows(and_(*these, numbers >= first, numbers <= min(high, first + window.limit - 1)), numbers)
    rows = connection.execute(query.order_by(numbers).limit(window.limit)).mappings() if offset < total else ()
    return EventPage(total=total, events=[MailEvent(**row) for row in rows])


def event_rows(condition: ColumnElement[bool], numbers: ColumnElement[Any]) -> Select[Any]:
    """Return the query for the events that meet a condition, as MailEvent has them."""
    event, delivery, member = mail_events.c, deliveries.c, memberships.c
    own = [event[name] for name in ("kind", "at", "message_id", "job_id", "is_test", "delivery_id", "link_id")]
    return (
        select(
            numbers.label("number"),
            *own,
            delivery.contact_id,
            func.coalesce(delivery.email, "").label("email"),
            func.coalesce(member.number, 0).label("contact_number"),
        )
        .select_from(mail_events)
        .join(sends, sends.c.job_id == event.job_id)
        .join(deliveries, delivery.id == event.delivery_id, isouter=True)
        .join(
            memberships,
            and_(member.list_id == sends.c.list_id, member.contact_id == delivery.contact_id),
            isouter=True,
        )
        .where(condition)
    )
