"""The clock of the machine is set back: what was to begin at once still does, and what is scheduled waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from soapstone.accounts.account import Account
from soapstone.clock import Shift, now, shifted
from soapstone.jobs import wakeups
from soapstone.jobs.activity import Activity, oldest_queued
from soapstone.jobs.run import JobFailed, Run, Stopped
from soapstone.lists.lists import Lists
from soapstone.store.database import Database

if TYPE_CHECKING:
    from tests.jobs.conftest import Office

HOUR = timedelta(hours=1)


def test_a_queued_import_begins(office: Office, database: Database, account: Account) -> None:
    here = Lists(database).create(account.id, "News")
    with shifted(Shift(HOUR)):
        number = office.submit(account, here, b"a@x.com,Ann\n")
    assert Activity(database).look().counts == {("import", "queued"): 1}
    assert oldest_queued(database) == 0
    if database.kind == "postgresql":
        assert wakeups.wake_for_due(database) == 0, "its own wake-up waits already"
    office.work()
    assert office.job(number).state == "completed"


@pytest.mark.parametrize("end", [Stopped(), JobFailed("The file is odd.")], ids=lambda end: type(end).__name__)
def test_an_import_that_begins_again(office: Office, account: Account, end: Exception) -> None:
    """After the worker has stopped, and after an operator's retry."""
    met = list[int]()

    def once(run: Run) -> None:
        met.append(run.job.id)
        if len(met) == 1:
            raise end

    office.begin = once
    with shifted(Shift(HOUR)):
        number = office.submit(account, None, b"a@x.com,Ann\n")
        if isinstance(end, JobFailed):
            office.work()
            assert office.jobs.retry(None, number)
    office.work()
    assert (office.job(number).state, len(met)) == ("completed", 2)


def test_a_scheduled_job_waits(office: Office, database: Database, account: Account) -> None:
    with shifted(Shift(HOUR)), database.write(durable=True) as connection:
        office.jobs.add(connection, account_id=account.id, kind="import", due_at=now() + HOUR)
    assert office.jobs.claim("a worker", ["import"], HOUR) is None
    assert Activity(database).look().counts == {("import", "scheduled"): 1}
