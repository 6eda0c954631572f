"""Imports of one account beside each other, and beside single changes, on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from tests.postgresql import Databases

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.changes import Changes
from soapstone.imports import account_lock, merge
from soapstone.imports.merge import Merge
from soapstone.imports.runner import run_import
from soapstone.imports.spec import Column, ImportSpec, OptOut
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Run
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import contacts, lists, memberships, taken_numbers
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.vocabulary.jobs import IMPORTS

EMAIL, NAME = Column(index=0, target="email"), Column(index=1, target="first_name")
ADD = ImportSpec(columns=(EMAIL, NAME), known="overwrite")
# Seconds that something takes at most here, and in which something that waits shows that it does.
PATIENCE, MOMENT = 60.0, 0.5


@pytest.fixture
def database_url(postgresql_databases: Databases) -> Iterator[str]:
    with postgresql_databases.fresh() as url:
        yield url


@pytest.fixture
def impatient(database_url: str) -> Iterator[Database]:
    """The same database for somebody who waits for no lock."""
    with closing(Database(database_url)) as database:

        @event.listens_for(database.engine, "connect")
        def _connect(connection: Any, _record: object) -> None:
            connection.autocommit = True
            connection.execute("SET lock_timeout = 50")
            connection.autocommit = False

        yield database


@pytest.fixture
def stopped(database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Inside the context the next import stands still at the end of its first chunk, before the commit."""

    @contextmanager
    def stopped() -> Iterator[threading.Thread]:
        there, go_on, apply = threading.Event(), threading.Event(), Merge.apply
        job = claim(database)

        def apply_and_stop(self: Merge, *args: Any) -> Any:
            done = apply(self, *args)
            if threading.current_thread() is thread and not there.is_set():
                there.set()
                assert go_on.wait(PATIENCE)
            return done

        monkeypatch.setattr(Merge, "apply", apply_and_stop)
        thread = threading.Thread(target=carry_out, args=(database, blobs, job))
        thread.start()
        try:
            assert there.wait(PATIENCE)
            yield thread
        finally:
            go_on.set()
            thread.join(PATIENCE)
            monkeypatch.setattr(Merge, "apply", apply)
        ended = Jobs(database).get(None, job.id)
        assert ended is not None
        assert (ended.state, ended.error) == ("completed", "")

    return stopped


def claim(database: Database) -> Job:
    job = Jobs(database).claim("test", IMPORTS, timedelta(minutes=5))
    assert job is not None
    return job


def carry_out(database: Database, blobs: Blobs, job: Job) -> None:
    run = Run(database, blobs, job, lease=timedelta(minutes=5), stopping=lambda: False)
    run_import(run, chunk_rows=50)
    run.complete()


def people(first: int, count: int, name: str) -> bytes:
    return "".join(f"p{n:03}@x.com,{name},\n" for n in range(first, first + count)).encode()


@pytest.mark.parametrize("known", [False, True])
def test_an_import_waits_for_no_lock_of_one_that_stands_still(
    database: Database,
    impatient: Database,
    blobs: Blobs,
    account: Account,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    stopped: Callable[[], Any],
    look: Callable[[int], dict[str, Any]],
    known: bool,
) -> None:
    one, two = (Lists(database).create(account.id, name) for name in ("one", "two"))
    if known:
        submit(account, None, people(0, 200, "Old"), ADD)
        work_off()
    submit(account, one, people(0, 100, "Ann"), ADD)
    other = submit(account, two, people(100, 100, "Bob"), replace(ADD, replace=True))
    with stopped():
        carry_out(impatient, blobs, claim(impatient))
        ended = Jobs(database).get(None, other.id)
        assert ended is not None
        assert ended.state == "completed"
    found = look(account.id)
    assert (len(found["contacts"]), len(found["members"]), found["last_number"]) == (200, 200, 200)
    assert {dict(each)["first_name"] for each in found["contacts"]} == {"Ann", "Bob"}
    with database.read() as connection:
        assert connection.execute(select(taken_numbers)).all() == []


def test_a_session_may_have_had_temporary_tables(
    database: Database,
    account: Account,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    look: Callable[[int], dict[str, Any]],
) -> None:
    """PostgreSQL does not let such a session choose anew how much of them it keeps in memory."""
    database.engine.dispose()

    @event.listens_for(database.engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.autocommit = True
        connection.execute("CREATE TEMPORARY TABLE used (n integer)")
        connection.execute("INSERT INTO used VALUES (1)")
        connection.autocommit = False

    submit(account, None, people(0, 100, "Ann"), ADD)
    work_off()
    assert len(look(account.id)["contacts"]) == 100


def test_a_session_may_end_before_its_memory_is_chosen(
    account: Account,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when PostgreSQL restarts: a worker tries again after such an error, and no fault of ours has ended the job."""
    monkeypatch.setattr(merge, "MEMORY", "SELECT pg_terminate_backend(pg_backend_pid())")
    submit(account, None, people(0, 100, "Ann"), ADD)
    with pytest.raises(RecordsUnavailable, match="does not answer"):
        work_off()


@pytest.mark.parametrize("identifier", ["email", "custom_id"])
def test_a_change_waits_for_the_chunk_and_sees_what_it_made(
    database: Database,
    submit: Callable[..., Job],
    stopped: Callable[[], Any],
    identifier: str,
) -> None:
    account = Accounts(database).create("OTHER", time_zone="UTC", identifier=identifier)
    here = Lists(database).create(account.id, "one")
    spec = ADD if identifier == "email" else replace(ADD, columns=(EMAIL, replace(NAME, target="custom_id")))
    submit(account, here, people(0, 1, "Ann"), spec)
    found: list[int] = []

    def change() -> None:
        with Changes(database).begin(account) as change:
            query = select(func.count()).select_from(memberships).where(memberships.c.list_id == here.id)
            found.append(change.connection.execute(query).scalar_one())

    changing = threading.Thread(target=change)
    with stopped():
        changing.start()
        changing.join(MOMENT)
        assert found == []
    changing.join(PATIENCE)
    assert found == [1]


def test_an_import_gives_way_to_those_who_wait_for_the_account(
    database: Database, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or two imports, whose chunks overlap, would keep changes out for as long as they run."""
    monkeypatch.setattr(account_lock, "GIVE_WAY", PATIENCE)
    turns: list[str] = []

    def change() -> None:
        with Changes(database).begin(account):
            turns.append("change")

    def share() -> None:
        with database.write() as connection:
            account_lock.hold(connection, account.id, shared=True)
            turns.append("import")

    changing, sharing = threading.Thread(target=change), threading.Thread(target=share)
    with database.write() as connection:
        account_lock.hold(connection, account.id, shared=True)
        changing.start()
        await_waiting(database)
        sharing.start()
        sharing.join(MOMENT)
        assert turns == []
    changing.join(PATIENCE)
    sharing.join(PATIENCE)
    assert turns == ["change", "import"]


def test_an_import_does_not_give_way_for_ever(database: Database, impatient: Database, account: Account) -> None:
    changing = threading.Thread(target=change_once, args=(database, account))
    with database.write() as connection:
        account_lock.hold(connection, account.id, shared=True)
        changing.start()
        await_waiting(database)
        with impatient.write() as beside:
            account_lock.hold(beside, account.id, shared=True)
    changing.join(PATIENCE)


def change_once(database: Database, account: Account) -> None:
    with Changes(database).begin(account):
        pass


def await_waiting(database: Database) -> None:
    """Until somebody waits for the account."""
    with database.read() as connection:
        while not connection.execute(text("SELECT 1 FROM pg_locks WHERE locktype = 'tuple' AND granted")).all():
            pass


def test_opt_outs_of_a_file_wait_for_memberships_of_others(
    database: Database,
    blobs: Blobs,
    account: Account,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    stopped: Callable[[], Any],
    look: Callable[[int], dict[str, Any]],
) -> None:
    """Who leaves everything leaves the list, too, that another file is just putting them on."""
    here = Lists(database).create(account.id, "one")
    submit(account, None, people(0, 1, "Ann"), ADD)
    work_off()
    submit(account, here, people(0, 1, "Ann"), ADD)
    leaving = replace(ADD, opt_outs=(OptOut(index=2, heading="unsubscribed"),))
    submit(account, None, b"p000@x.com,Ann,yes\n", leaving)
    with stopped():
        other = threading.Thread(target=carry_out, args=(database, blobs, claim(database)))
        other.start()
        other.join(MOMENT)
        assert other.is_alive()
    other.join(PATIENCE)
    assert [member[2] for member in look(account.id)["members"]] == ["unsubscribed"]


def test_imports_of_the_same_people_at_once(
    database: Database,
    blobs: Blobs,
    account: Account,
    submit: Callable[..., Job],
    look: Callable[[int], dict[str, Any]],
) -> None:
    """New people, then known ones that each file changes: nobody twice, no deadlock, no number twice."""
    jobs = []
    for number in range(4):
        here: ContactList = Lists(database).create(account.id, f"{number}")
        jobs.append(submit(account, here, people(0, 300, f"Name {number}"), ADD))
    threads = [threading.Thread(target=carry_out, args=(database, blobs, claim(database))) for _ in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [getattr(Jobs(database).get(None, job.id), "state", None) for job in jobs] == ["completed"] * 4
    found = look(account.id)
    assert (len(found["contacts"]), len(found["members"]), found["last_number"]) == (300, 1200, 1200)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(contacts)).scalar_one() == 300
        assert connection.execute(select(lists.c.members)).scalars().all() == [300] * 4
