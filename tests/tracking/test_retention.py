"""Old opens, reads and clicks are deleted; figures, mails and later events stay, and pages stay whole."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from tests.sending.conftest import Office

from soapstone import clock
from soapstone.store.tables import delivery_activities, mail_events
from soapstone.tracking import figures, retention
from soapstone.tracking.recording import Act, record_acts
from soapstone.tracking.reports import EventReports, Period
from soapstone.tracking.retention import EventRetention
from soapstone.vocabulary.tracking import MailEventKind

DAYS = 400


def acted(office: Office, *acts: tuple[MailEventKind, int]) -> datetime:
    with office.database.write() as connection:
        return record_acts(connection, [Act(kind=kind, delivery_id=number) for kind, number in acts])


def test_old_events_go_and_figures_stay(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    shift = clock.Shift()
    with clock.shifted(shift):
        for number in range(4):
            office.contact(f"person{number}@example.com")
        ticket = office.to_list()
        office.work()
        rows = office.rows(ticket)
        one, two, three, four = (row.id for row in rows)
        acted(office, (MailEventKind.CLICK, one), (MailEventKind.OPEN, two), (MailEventKind.OPEN, one))
        acted(office, (MailEventKind.OPEN, three), (MailEventKind.OPEN, two), (MailEventKind.OPEN, three))
        shift.ahead = timedelta(days=DAYS - 1)
        late = acted(office, (MailEventKind.OPEN, two), (MailEventKind.OPEN, four))
        EventRetention(office.database, DAYS).sweep()
        before = figures.of_sends(office.database, [ticket.job.id])
        reports = EventReports(office.database)

        def opens(**how: object) -> list[int | None]:
            page = reports.of_message(
                office.account.id,
                rows[0].message_id,
                MailEventKind.OPEN,
                **how,  # type: ignore[arg-type]
            )
            assert page.total == len(page.events)
            return [event.delivery_id for event in page.events]

        assert opens() == [one, two, one, three, two, three, two, four]
        shift.ahead = timedelta(days=DAYS + 1)
        EventRetention(office.database, 0).sweep()
        assert len(opens()) == 8
        EventRetention(office.database, DAYS).sweep()
        assert opens() == [two, four]
        assert opens(first=True) == [four]
        assert opens(period=Period(start=late)) == [two, four]
        assert opens(period=Period(end=late)) == []
        account = reports.of_account(office.account.id, MailEventKind.OPEN)
        assert [event.delivery_id for event in account.events] == [two, four]
        assert reports.of_message(office.account.id, rows[0].message_id, MailEventKind.SENT).total == 4
    assert figures.of_sends(office.database, [ticket.job.id]) == before
    with office.database.read() as connection:
        kept = connection.execute(select(delivery_activities.c.delivery_id)).scalars()
        assert sorted(kept) == [two, four]
        query = select(func.count()).where(mail_events.c.kind == MailEventKind.CLICK.value)
        assert connection.execute(query).scalar_one() == 0
