"""Pages of mail events: whatever the order of pages and the borders of a range, each event is there once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from tests.sending.conftest import Office

from soapstone.store.tables import deliveries, tracked_links
from soapstone.tracking import figures
from soapstone.tracking.recording import Act, AnonymousAct, record_acts
from soapstone.tracking.reports import EventReports, MailEvent, Period
from soapstone.vocabulary.tracking import MailEventKind


@pytest.fixture
def sent(office: Office) -> tuple[int, int, list[int]]:
    """A message that five members were sent: its number, its job, and its deliveries."""
    for number in range(5):
        office.contact(f"person{number}@example.com")
    ticket = office.to_list(subject="Hello", plain="Text")
    office.work()
    rows = office.rows(ticket)
    assert [row.state for row in rows] == ["handed"] * 5
    return rows[0].message_id, ticket.job.id, [row.id for row in rows]


def test_sent_mails_are_events_in_order(office: Office, sent: tuple[int, int, list[int]]) -> None:
    message, job, numbers = sent
    reports = EventReports(office.database)
    page = reports.of_message(office.account.id, message, MailEventKind.SENT)
    assert page.total == 5
    assert [event.delivery_id for event in page.events] == numbers
    assert [event.email for event in page.events] == [f"person{number}@example.com" for number in range(5)]
    assert all(event.contact_number > 0 for event in page.events)
    assert figures.of_sends(office.database, [job])[job].delivered == 5
    account = reports.of_account(office.account.id, MailEventKind.SENT)
    assert (account.total, account.events) == (5, page.events)


def test_a_range_has_the_first_open_of_each_mail_within_it(office: Office, sent: tuple[int, int, list[int]]) -> None:
    """lk-107, lk-25: windows that touch miss nothing, and the whole is the sum of the very first."""
    message, job, numbers = sent
    dates = []
    for opened in ([0, 1], [0], [2, 0], [2]):
        with office.database.write() as connection:
            acts = [Act(kind=MailEventKind.OPEN, delivery_id=numbers[index]) for index in opened]
            dates.append(record_acts(connection, acts))
    reports = EventReports(office.database)

    def opens(period: Period, **how: Any) -> list[MailEvent]:
        page = reports.of_message(office.account.id, message, MailEventKind.OPEN, period=period, **how)
        assert page.total == len(page.events)
        return page.events

    assert len(opens(Period())) == 6
    assert [event.delivery_id for event in opens(Period(), first=True)] == [numbers[0], numbers[1], numbers[2]]
    assert dates == sorted(dates)
    late = Period(start=dates[1], end=dates[3])
    assert [event.delivery_id for event in opens(late, first=True)] == [numbers[0], numbers[2]]
    assert [event.at for event in opens(late, first=True)] == [dates[1], dates[2]]
    assert opens(Period(end=dates[0])) == []
    assert len(opens(Period(start=dates[0], end=dates[0] + timedelta(microseconds=1)))) == 2
    found = figures.of_sends(office.database, [job])[job]
    assert (found.opens, found.openers) == (6, 3)


def test_pages_in_any_order(office: Office, sent: tuple[int, int, list[int]]) -> None:
    message, _, numbers = sent
    with office.database.write() as connection:
        record_acts(connection, [Act(kind=MailEventKind.CLICK, delivery_id=number) for number in numbers * 3])
    reports = EventReports(office.database)

    def page(offset: int, **how: object) -> list[int | None]:
        found = reports.of_message(
            office.account.id,
            message,
            MailEventKind.CLICK,
            offset=offset,
            limit=4,
            **how,  # type: ignore[arg-type]
        )
        assert found.total == 15
        return [event.delivery_id for event in found.events]

    whole = [number for offset in (0, 4, 8, 12, 16) for number in page(offset)]
    assert whole == numbers * 3
    assert page(8) == whole[8:12]
    with office.database.read() as connection:
        job_ids = {row.job_id for row in connection.execute(deliveries.select())}
    assert page(8, job_ids=job_ids) == whole[8:12]


def test_clicks_on_one_link_in_real_and_in_test_mails(office: Office, sent: tuple[int, int, list[int]]) -> None:
    """mm-108: a message has figures of its own for its tests; both number their clicks from 1."""
    message, job, numbers = sent
    with office.database.write() as connection:
        values = {"account_id": office.account.id, "message_id": message, "position": 1, "body": "html"}
        values |= {"url": "https://example.com", "target": "https://example.com"}
        link = connection.execute(insert(tracked_links).values(**values).returning(tracked_links.c.id)).scalar_one()
        click = {"kind": MailEventKind.CLICK, "link_id": link}
        record_acts(connection, [Act(**click, delivery_id=number) for number in numbers[:2]])
        test = AnonymousAct(**click, account_id=office.account.id, message_id=message, job_id=job, is_test=True)
        record_acts(connection, [test, Act(**click, delivery_id=numbers[2])])
    reports = EventReports(office.database)
    real = reports.of_link(office.account.id, link)
    assert (real.total, [event.delivery_id for event in real.events]) == (3, numbers[:3])
    assert [event.delivery_id for event in reports.of_link(office.account.id, link, offset=1).events] == numbers[1:3]
    assert [event.delivery_id for event in reports.of_link(office.account.id, link, is_test=True).events] == [None]
    assert reports.of_link(office.account.id, link, job_ids=[]).total == 0


def test_opens_without_a_person_are_nobodys_first(office: Office, sent: tuple[int, int, list[int]]) -> None:
    """lk-107"""
    message, job, numbers = sent
    act: dict[str, Any] = {"account_id": office.account.id, "message_id": message, "job_id": job, "is_test": False}
    with office.database.write() as connection:
        at = record_acts(
            connection,
            [AnonymousAct(kind=MailEventKind.OPEN, **act), Act(kind=MailEventKind.OPEN, delivery_id=numbers[0])],
        )
    for period in (Period(), Period(start=at)):
        page = EventReports(office.database).of_message(
            office.account.id, message, MailEventKind.OPEN, first=True, period=period
        )
        assert [event.delivery_id for event in page.events] == [numbers[0]]
