"""Attribute updates: one value for everybody subscribed, exactly once, whatever moment the worker is killed at."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.errors import InvalidError
from soapstone.imports.attribute_update import AttributeUpdates, run_attribute_update
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Cancelled, Chunk, JobFailed, Run
from soapstone.lists.lists import ContactList, Lists
from soapstone.lists.profiles import ProfileAttribute, Profiles
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import contacts, lists, memberships, profile_attributes
from soapstone.vocabulary.jobs import JobKind

LEASE = timedelta(minutes=5)
STATES = ("subscribed", "unsubscribed", "waiting", "subscribed", "subscribed")
Profile = dict[str, str]


class Crash(BaseException):
    """The process is gone."""


class CrashingRun(Run):
    """A run that dies at its n-th chunk, counted from 0, just before or just after it is committed."""

    at, when, count = 0, "before", 0

    @contextmanager
    def chunk(self, **how: bool) -> Iterator[Chunk]:
        mine, self.count = self.count, self.count + 1
        with super().chunk(**how) as chunk:
            yield chunk
            if mine == self.at and self.when == "before":
                raise Crash
        if mine == self.at:
            raise Crash


class Site:
    """A list with an attribute, and what is needed to fill it, to update it and to look at it."""

    def __init__(self, database: Database, blobs: Blobs, account: Account, kind: str = "text", length: int = 0) -> None:
        self.database, self.blobs, self.account = database, blobs, account
        self.jobs, self.updates = Jobs(database), AttributeUpdates(database, Jobs(database))
        self.list = Lists(database).create(account.id, "Newsletter")
        self.other = Lists(database).create(account.id, "Other")
        profiles = Profiles(database)
        header = profiles.add_header(account.id, self.list.id, "Header")
        number = profiles.add_attribute(account.id, self.list.id, header, "Colour", kind=kind, max_length=length)
        found = profiles.attribute(account.id, number)
        assert found is not None
        self.attribute: ProfileAttribute = found
        self.key = str(number)

    def join(self, profiles: list[Profile], states: tuple[str, ...] = ("subscribed",)) -> None:
        """New members of the list, with these profiles and, in turn, these states. They are on the other list too."""
        moment, account_id = now(), self.account.id
        with self.database.write() as connection:
            people = [
                {
                    "account_id": account_id,
                    "email": f"{number}@{self.list.id}.example",
                    "email_key": f"{number}@{self.list.id}.example",
                    "created_at": moment,
                    "updated_at": moment,
                }
                for number in range(len(profiles))
            ]
            connection.execute(insert(contacts), people)
            numbers = connection.execute(select(contacts.c.id).order_by(contacts.c.id)).scalars().all()
            rows = [
                {
                    "list_id": list_id,
                    "contact_id": contact_id,
                    "account_id": account_id,
                    "number": 2 * contact_id + (list_id == self.list.id),
                    "state": states[place % len(states)],
                    "added_at": moment,
                    "profile": profile,
                }
                for list_id in (self.list.id, self.other.id)
                for place, (contact_id, profile) in enumerate(zip(numbers[-len(profiles) :], profiles, strict=True))
            ]
            connection.execute(insert(memberships), rows)

    def submit(self, value: str) -> Job:
        return self.updates.submit(account=self.account, login=None, attribute=self.attribute, value=value)

    def run(self, run_type: type[Run] = Run, chunk_rows: int = 3) -> None:
        """Make one attempt at the job."""
        self.jobs.expire_leases()
        job = self.jobs.claim("test", [JobKind.ATTRIBUTE_UPDATE], LEASE)
        assert job is not None
        run = run_type(self.database, self.blobs, job, lease=LEASE, stopping=lambda: False)
        run_attribute_update(run, chunk_rows=chunk_rows)
        run.complete()

    def job(self, number: int) -> Job:
        job = self.jobs.get(None, number)
        assert job is not None
        return job

    def profiles(self, contact_list: ContactList | None = None) -> list[tuple[str, Profile]]:
        """State and profile of the members, in order."""
        here = memberships.c.list_id == (contact_list or self.list).id
        query = select(memberships.c.state, memberships.c.profile).where(here).order_by(memberships.c.contact_id)
        with self.database.read() as connection:
            return [(row.state, row.profile) for row in connection.execute(query)]


MakeSite = Callable[..., Site]


@pytest.fixture
def make(database: Database, blobs: Blobs, account: Account) -> MakeSite:
    return partial(Site, database, blobs, account)


def test_everybody_subscribed_gets_the_value(make: MakeSite) -> None:
    """lk-66: nobody else, on no other list, and no other value changes."""
    site = make()
    before: list[Profile] = [{}, {"7": "x"}, {site.key: "blue"}, {site.key: "Grün ☃", "7": "é"}, {"7": "x"}] * 4
    site.join(before, STATES)
    job = site.submit("Grün ☃")
    assert (job.kind, job.list_id, job.label, job.steps) == (JobKind.ATTRIBUTE_UPDATE, site.list.id, "Colour", 1)
    site.run()
    assert site.profiles() == [
        (state, profile | {site.key: "Grün ☃"} if state == "subscribed" else profile)
        for state, profile in zip(STATES * 4, before, strict=True)
    ]
    assert [profile for _, profile in site.profiles(site.other)] == before
    job = site.job(job.id)
    assert (job.state, job.step, dict(job.counters)) == ("completed", 1, {"updated": 8, "unchanged": 4})


@pytest.mark.parametrize("value", ["", " \t\n"])
def test_a_blank_value_empties_the_attribute(make: MakeSite, value: str) -> None:
    site = make()
    site.join([{}, {site.key: "blue"}, {"7": "x", site.key: "red"}, {"7": "x"}])
    job = site.submit(value)
    site.run()
    assert [profile for _, profile in site.profiles()] == [{}, {}, {"7": "x"}, {"7": "x"}]
    assert dict(site.job(job.id).counters) == {"updated": 2, "unchanged": 2}


@pytest.mark.parametrize("members", [0, 1, 2, 3, 4, 6, 7])
def test_a_list_of_any_size(make: MakeSite, members: int) -> None:
    site = make()
    if members:
        site.join([{}] * members)
    job = site.submit("blue")
    site.run()
    assert [profile for _, profile in site.profiles()] == [{site.key: "blue"}] * members
    assert dict(site.job(job.id).counters) == {"updated": members, "unchanged": 0}


@pytest.mark.parametrize(
    ("kind", "length", "value", "stored"),
    [
        ("text", 0, " as it is ", " as it is "),
        ("text", 3, "blue", "blu"),
        ("text_area", 0, "two\nlines", "two\nlines"),
        ("content_block", 0, '<b>"it\'s" {{ 1 }} \\u0041</b>', '<b>"it\'s" {{ 1 }} \\u0041</b>'),
        ("check_box", 0, "1", "on"),
        ("radio_button", 0, " False ", "off"),
        ("numeric", 0, " 12.50 ", "12.50"),
        ("date", 0, "2024-02-29", "02/29/2024"),
    ],
)
def test_the_stored_form(make: MakeSite, kind: str, length: int, value: str, stored: str) -> None:
    """lk-46, lk-47"""
    site = make(kind, length)
    site.join([{}])
    site.submit(value)
    site.run()
    assert site.profiles() == [("subscribed", {site.key: stored})]


@pytest.mark.parametrize(("kind", "value"), [("radio_button", "2"), ("numeric", "1.234"), ("date", "02/30/2024")])
def test_a_value_that_does_not_fit_is_refused(make: MakeSite, kind: str, value: str) -> None:
    """lk-47: nothing is started."""
    site = make(kind)
    with pytest.raises(InvalidError, match=r"The value does not fit the attribute Colour\."):
        site.submit(value)
    assert site.jobs.find() == []


@pytest.mark.parametrize("gone", ["attribute", "list"])
def test_what_is_gone_meanwhile(make: MakeSite, gone: str) -> None:
    site = make()
    site.join([{"7": "x"}])
    site.submit("blue")
    with site.database.write() as connection:
        if gone == "attribute":
            connection.execute(delete(profile_attributes).where(profile_attributes.c.id == site.attribute.id))
        else:
            connection.execute(update(lists).where(lists.c.id == site.list.id).values(deleted_at=now()))
    with pytest.raises(JobFailed, match=r"The attribute or its list no longer exists\."):
        site.run()
    assert site.profiles() == [("subscribed", {"7": "x"})]


def test_jobs_of_one_list_wait_for_each_other(make: MakeSite) -> None:
    """The last value is that of the last call."""
    site = make()
    site.join([{}] * 5)
    for value in ("one", "two", "three"):
        site.submit(value)
    first = site.jobs.claim("test", [JobKind.ATTRIBUTE_UPDATE], LEASE)
    assert first is not None
    assert site.jobs.claim("other", [JobKind.ATTRIBUTE_UPDATE], LEASE) is None
    for _ in range(3):
        site.run()
    assert site.profiles() == [("subscribed", {site.key: "three"})] * 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(5))
def test_killed_at_any_chunk_it_ends_as_if_undisturbed(make: MakeSite, at: int, when: str) -> None:
    """13 members in chunks of 3 make five chunks."""
    site = make()
    before: list[Profile] = [{}, {site.key: "blue"}, {"7": "x"}] * 4 + [{}]
    site.join(before, STATES)
    job = site.submit("blue")
    with pytest.raises(Crash):
        site.run(type("Dying", (CrashingRun,), {"at": at, "when": when}))
    site.run()
    found = site.job(job.id)
    assert (found.state, found.attempt) == ("completed", 2)
    assert dict(found.counters) == {"updated": 5, "unchanged": 2}
    assert [profile for _, profile in site.profiles()] == [
        profile | {site.key: "blue"} if STATES[place % 5] == "subscribed" else profile
        for place, profile in enumerate(before)
    ]


def test_a_cancelled_update_keeps_what_it_did(make: MakeSite) -> None:
    site = make()
    site.join([{}] * 10)
    job = site.submit("blue")

    class Asked(Run):
        @contextmanager
        def chunk(self, **how: bool) -> Iterator[Chunk]:
            with super().chunk(**how) as chunk:
                yield chunk
            site.jobs.cancel(None, job.id)

    with pytest.raises(Cancelled):
        site.run(Asked)
    assert [bool(profile) for _, profile in site.profiles()] == [True] * 3 + [False] * 7
    assert dict(site.job(job.id).counters) == {"updated": 3, "unchanged": 0}


# A worker in a process of its own, in small chunks.
WORK = """
import sys
from functools import partial
from pathlib import Path
from soapstone.imports.attribute_update import run_attribute_update
from soapstone.jobs.queue import Jobs
from soapstone.jobs.worker import Worker
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import JobKind

database = Database(sys.argv[1])
jobs = Jobs(database)
jobs.expire_leases()
runners = {JobKind.ATTRIBUTE_UPDATE: partial(run_attribute_update, chunk_rows=100)}
worker = Worker(database, Blobs(Path(sys.argv[2])), runners)
worker.run(until=lambda: all(job.over for job in jobs.find()))
"""


def test_killed_for_real(make: MakeSite, database_url: str, tmp_path: Path) -> None:
    """SIGKILL at four random moments, then nobody disturbs."""
    site = make()
    site.join([{}, {"7": "x"}, {site.key: "blue"}, {site.key: "red"}] * 1500, STATES)
    job = site.submit("blue")
    chance, kills = random.Random(3), 0
    end = time.monotonic() + 100
    while not site.job(job.id).over:
        assert time.monotonic() < end
        attempt = site.job(job.id).attempt
        worker = subprocess.Popen([sys.executable, "-c", WORK, database_url, str(tmp_path / "blobs")])
        if kills < 4:
            while site.job(job.id).attempt == attempt and worker.poll() is None:
                assert time.monotonic() < end
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.03))
            worker.kill()
            kills += 1
        worker.wait(60)
    found = site.job(job.id)
    assert (found.state, dict(found.counters)) == ("completed", {"updated": 2700, "unchanged": 900})
    assert {profile.get(site.key) for state, profile in site.profiles() if state == "subscribed"} == {"blue"}
    # The others keep what they had: one in four of them has the same value, another one the other.
    others = [profile.get(site.key) for state, profile in site.profiles() if state != "subscribed"]
    assert {value: others.count(value) for value in others} == {None: 1200, "blue": 600, "red": 600}
    assert found.attempt > 2
