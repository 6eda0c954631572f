"""What is deleted goes in pieces: values of an attribute, memberships of a list."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.contacts.changes import Changes
from soapstone.contacts.members import Members
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Run
from soapstone.lists import lists as contact_list
from soapstone.lists.attribute_removal import run_attribute_removal
from soapstone.lists.lists import Lists
from soapstone.lists.profiles import Profiles
from soapstone.store import tables
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import memberships
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.jobs import JobKind


def test_values_of_a_deleted_attribute(database: Database, account: Account, blobs: Blobs) -> None:
    """lk-48: chunk by chunk, those of other attributes stay."""
    news, profiles = Lists(database).create(account.id, "News"), Profiles(database)
    header = profiles.add_header(account.id, news.id, "Head")
    gone, kept = (profiles.add_attribute(account.id, news.id, header, name) for name in ("Gone", "Kept"))
    with Changes(database).begin(account) as change:
        for number in range(5):
            values = {str(kept): "k"} if number == 3 else {str(gone): "g", str(kept): "k"}
            change.join(news.id, change.add(email=f"p{number}@example.com"), profile=values)
    assert profiles.delete_attribute(account.id, gone)
    assert not profiles.delete_attribute(account.id, gone)
    job = Jobs(database).claim("test", [JobKind.ATTRIBUTE_REMOVAL], timedelta(minutes=1))
    assert job is not None
    run = Run(database, blobs, job, lease=timedelta(minutes=1), stopping=lambda: False)
    run_attribute_removal(run, chunk_rows=2)
    run.complete()
    with database.read() as connection:
        assert list(connection.execute(select(memberships.c.profile)).scalars()) == [{str(kept): "k"}] * 5
    assert run.job.counters == {"removed": 4}


def test_memberships_of_a_deleted_list(database: Database, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """lk-44"""
    monkeypatch.setattr(contact_list, "PURGE_ROWS", 2)
    lists = Lists(database)
    one, two = lists.create(account.id, "One"), lists.create(account.id, "Two")
    with Changes(database).begin(account) as change:
        for number in range(5):
            person = change.add(email=f"p{number}@example.com")
            change.join(one.id, person)
            change.join(two.id, person)
    assert lists.delete(account.id, one.id)
    lists.purge()
    members = Members(database)
    assert (len(members.page(one.id)), len(members.page(two.id))) == (0, 5)


def test_jobs_that_clean_up_hold_up_no_deletion(database: Database, account: Account) -> None:
    """lk-44"""
    lists, profiles = Lists(database), Profiles(database)
    news = lists.create(account.id, "News")
    header = profiles.add_header(account.id, news.id, "Head")
    assert profiles.delete_attribute(account.id, profiles.add_attribute(account.id, news.id, header, "Gone"))
    assert lists.delete(account.id, news.id)
    assert not lists.delete(account.id, news.id)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_work_that_is_not_over_holds_up_the_deletion(database: Database, account: Account, state: str) -> None:
    """lk-44: an import, also one that waits for its turn."""
    lists, jobs = Lists(database), Jobs(database)
    news = lists.create(account.id, "News")
    with database.write(durable=True) as connection:
        job = jobs.add(connection, account_id=account.id, kind="import", list_id=news.id)
    if state == "running":
        assert jobs.claim("test", ["import"], timedelta(minutes=1))
    assert not lists.delete(account.id, news.id)
    with database.write() as connection:
        connection.execute(update(tables.jobs).values(state="cancelled", finished_at=now()))
    assert lists.delete(account.id, news.id), job


def test_pages_of_who_left_at_once(database: Database, account: Account) -> None:
    """lk-34: many in one moment, page by page."""
    news = Lists(database).create(account.id, "News")
    with Changes(database).begin(account) as change:
        for number in range(7):
            person = change.add(email=f"p{number}@example.com")
            change.join(news.id, person)
            change.move(news.id, person, MembershipState.UNSUBSCRIBED)
    members, found, after = Members(database), [], None
    while rows := members.removed(news.id, after=after, limit=3):
        found += [row.email for row in rows]
        after = (rows[-1].removed_at, rows[-1].contact_id)
    assert found == [f"p{number}@example.com" for number in range(7)]
