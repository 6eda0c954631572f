"""The recipients of a message by what happened (mm-113, mm-114)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from soapstone.contacts.contacts import Contact as Person
from soapstone.contacts.search import Example
from soapstone.magnetmail.call import NO_DATE, Call, page_size
from soapstone.magnetmail.operations import getDetailedTracking, getDetailedTrackingUTC
from soapstone.magnetmail.recipient import nobody, wire
from soapstone.magnetmail.sent_status import SHORT, event_status
from soapstone.magnetmail.tracking import event_page, visible_message
from soapstone.magnetmail.types import EmailStatus, FaxStatus, TrackingDetails, recp_track
from soapstone.magnetmail.types import tracking_report_type as Report
from soapstone.tracking.message_unsubscribes import UnsubscribeQuery, Unsubscriber
from soapstone.tracking.reports import Activity, BounceRecord, MailEvent, Matching, Period
from soapstone.vocabulary.tracking import MailEventKind

# Report → the events that are its rows. Those of fax have none.
EVENTS: Mapping[Report, MailEventKind] = {
    Report.email_sent: MailEventKind.SENT,
    Report.email_delivered: MailEventKind.SENT,
    Report.all: MailEventKind.SENT,
    Report.email_bounced: MailEventKind.BOUNCE,
    Report.email_opened: MailEventKind.OPEN,
    Report.links: MailEventKind.CLICK,
}


def get_detailed_tracking(call: Call, request: getDetailedTracking) -> TrackingDetails:
    """Return one page of a report; an unknown message or group has an empty one (mm-25)."""
    return _Asked(call, request, utc=False).details()


def get_detailed_tracking_utc(call: Call, request: getDetailedTrackingUTC) -> TrackingDetails:
    """Return the same with dates in UTC (mm-28, mm-30)."""
    return _Asked(call, request, utc=True).details()


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What a row tells, before its recipient and its mail are looked up."""

    at: datetime
    contact_id: int | None
    email: str
    delivery_id: int | None
    link_id: int | None = None


class _Asked:
    """One call of getDetailedTracking or its twin."""

    def __init__(self, call: Call, request: getDetailedTracking | getDetailedTrackingUTC, *, utc: bool) -> None:
        self._call, self._request, self._utc = call, request, utc
        self._report = request.report_type
        self._page = max(request.page, 1)
        self._size = page_size(request.recordsPerPage)
        start, end = call.range(request.fromDate, request.toDate, utc=utc)
        self._period = Period(start=start, end=end)
        names = ("first_name", "last_name", "email", "fax")
        given = {name: (getattr(request, name) or "").strip() for name in names}
        values = {name: text for name, text in given.items() if text}
        self._example = Example(values=values) if values else None

    def details(self) -> TrackingDetails:
        call, request = self._call, self._request
        message = visible_message(call, request.message_id)
        total, rows = 0, list[_Row]()
        if message is not None and (not request.group_id or call.group(request.group_id) is not None):
            if self._report is Report.unsubscribed:
                total, rows = self._unsubscribed()
            elif self._report in EVENTS:
                total, rows = self._events(EVENTS[self._report])
        return TrackingDetails(
            totalRecords=total, page=self._page, recordsPerPage=self._size, RecipientDetails=self._told(rows)
        )

    @property
    def _key(self) -> tuple[object, ...]:
        """What the rows of all pages have in common."""
        call, request = self._call, self._request
        example = None if self._example is None else self._example.key
        asked = (self._report, request.message_id, request.group_id, self._period, example)
        return ("detailed", call.account.id, call.sight, *asked)

    def _events(self, kind: MailEventKind) -> tuple[int, list[_Row]]:
        call, request = self._call, self._request
        matching = None if self._example is None else Matching(account=call.account, example=self._example)
        page = event_page(
            call,
            self._key,
            self._page,
            self._size,
            lambda after, offset, total: call.product.event_reports.of_message(
                call.account.id,
                request.message_id,
                kind,
                period=self._period,
                list_id=request.group_id or None,
                matching=matching,
                not_bounced=self._report is Report.email_delivered,
                login=call.login,
                after=after,
                offset=offset,
                limit=self._size,
                total=total,
            ),
        )
        return page.total, [_of_event(event) for event in page.events]

    def _unsubscribed(self) -> tuple[int, list[_Row]]:
        call, request = self._call, self._request
        unsubscribes = call.product.message_unsubscribes
        wanted = UnsubscribeQuery(
            account=call.account,
            message_id=request.message_id,
            list_id=request.group_id or None,
            period=self._period,
            example=self._example,
            login=call.login,
        )
        total = call.product.row_counts.get(self._key, self._page, lambda: unsubscribes.count(wanted))
        found = unsubscribes.page(wanted, offset=(self._page - 1) * self._size, limit=self._size)
        return total, [_of_person(each) for each in found]

    def _told(self, rows: Sequence[_Row]) -> list[recp_track]:
        product, account_id = self._call.product, self._call.account.id
        numbers = list(dict.fromkeys(row.contact_id for row in rows if row.contact_id is not None))
        people = {each.id: each for each in product.contacts.many(account_id, numbers, login=self._call.login)}
        mails = {row.delivery_id for row in rows if row.delivery_id is not None}
        bounces, activities = product.event_reports.bounces(mails), product.event_reports.activities(mails)
        links = product.event_reports.links_by_id(account_id, {row.link_id for row in rows if row.link_id is not None})
        urls = {number: link.url for number, link in links.items()}
        return [
            self._row(
                row,
                people.get(row.contact_id or 0),
                bounces.get(row.delivery_id or 0),
                activities.get(row.delivery_id or 0),
                urls.get(row.link_id or 0, ""),
            )
            for row in rows
        ]

    def _row(
        self, row: _Row, person: Person | None, bounce: BounceRecord | None, activity: Activity | None, url: str
    ) -> recp_track:
        first = None if activity is None else activity.opened_at
        opened = row.at if self._report is Report.email_opened else first
        unsubscribed = self._report is Report.unsubscribed
        words = "" if bounce is None else bounce.detail
        status = SHORT[event_status(None if bounce is None else bounce.bounce_class)]
        return recp_track(
            # Not the address of a contact that the login may not see.
            recipient=wire(self._call, person) if person else nobody(row.email if row.contact_id is None else ""),
            ResultDate=self._date(row.at),
            remarks=url if self._report is Report.links else words,
            # Who left without a mail of the message has none that arrived.
            Status=EmailStatus.Inprogress if row.delivery_id is None and unsubscribed else status,
            OpenDate=self._date(opened),
            MMId=row.delivery_id or 0,
            faxStatus=FaxStatus.Inprogress,
        )

    def _date(self, moment: datetime | None) -> datetime:
        return (self._call.utc(moment) if self._utc else self._call.local(moment)) or NO_DATE


def _of_event(event: MailEvent) -> _Row:
    return _Row(
        at=event.at,
        contact_id=event.contact_id,
        email=event.email,
        delivery_id=event.delivery_id,
        link_id=event.link_id,
    )


def _of_person(person: Unsubscriber) -> _Row:
    return _Row(at=person.at, contact_id=person.contact_id, email="", delivery_id=person.delivery_id)
