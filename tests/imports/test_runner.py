"""An import goes on where it was, whatever moment it is killed at, and its chunks leave no seams."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.imports import blocks, index, reader, reading, sweep
from soapstone.imports.imports import Imports
from soapstone.imports.merge import Merge
from soapstone.imports.runner import run_import
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Cancelled, Chunk, Run, Runner, Stopped
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList, Lists
from soapstone.lists.profiles import Profiles
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import accounts, contacts, lists, memberships, profile_attributes
from soapstone.vocabulary.jobs import IMPORTS

RunFile = Callable[..., Job]
Look = Callable[[int], dict[str, Any]]
Rejects = Callable[[int], list[tuple[int, str]]]

EMAIL = Column(index=0, target="email")
CUSTOM_ID = Column(index=1, target="custom_id")
NAME = Column(index=2, target="first_name")


class Crash(BaseException):
    """The process is gone."""


def crashing(at: int, when: str) -> type[Run]:
    """A run that dies at its n-th chunk, counted from 0, just before or just after it is committed."""

    class CrashingRun(Run):
        count = 0

        @contextmanager
        def chunk(self, **how: bool) -> Iterator[Chunk]:
            mine, self.count = self.count, self.count + 1
            with super().chunk(**how) as chunk:
                yield chunk
                if mine == at and when == "before":
                    raise Crash
            if mine == at:
                raise Crash

    return CrashingRun


FIRST = b"""a@x.com,1,Ann
b@x.com,2,Bob
c@x.com,3,Cem
d@x.com,4,Dan
e@x.com,5,Eve
f@x.com,6,Fay
"""
SECOND = b"""b@x.com,2,Bert
bad,7,x
c@x.com,3,Cem
g@x.com,8,"Gus
tav"
b@x.com,2,Berta
,,
h@x.com,9,Hal
d@x.com,4,Dora
H@x.com,9,"Halina
i@x.com,10,Ida
"""
CASES = {
    "add": ImportSpec(columns=(EMAIL, NAME), known="overwrite"),
    "replace": ImportSpec(columns=(EMAIL, NAME), replace=True),
    "remove": ImportSpec(columns=(EMAIL,), action="remove", blocked="skip"),
    "custom id": ImportSpec(columns=(EMAIL, CUSTOM_ID, NAME), known="update"),
    "dry run": ImportSpec(columns=(EMAIL, NAME), known="overwrite", replace=True, dry_run=True),
}


@pytest.fixture
def prepare(database: Database, run_file: RunFile) -> Callable[[str], tuple[Account, ContactList]]:
    """An account with a list of six, made as the case wants it."""

    def prepare(case: str) -> tuple[Account, ContactList]:
        identifier = "custom_id" if case == "custom id" else "email"
        made = Accounts(database).create(f"case {now():%H%M%S%f}", time_zone="UTC", identifier=identifier)
        here = Lists(database).create(made.id, "Newsletter")
        run_file(made, here, FIRST, ImportSpec(columns=(EMAIL, CUSTOM_ID, NAME)))
        return made, here

    return prepare


def portable(found: dict[str, Any], here: ContactList) -> dict[str, Any]:
    """What was looked at, without the list's number."""
    return found | {"members": [member[1:] for member in found["members"] if member[0] == here.id]}


@pytest.mark.parametrize(
    ("case", "chunk_rows", "stage_rows"),
    [*((case, 4, 4) for case in CASES), *((case, 10, 2) for case in ("add", "replace", "custom id"))],
)
def test_killed_at_any_chunk_it_ends_as_if_undisturbed(
    database: Database,
    prepare: Callable[[str], tuple[Account, ContactList]],
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    look: Look,
    rejects: Rejects,
    imports: Imports,
    blobs: Blobs,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    chunk_rows: int,
    stage_rows: int,
) -> None:
    monkeypatch.setattr(sweep, "SWEEP_ROWS", 4)
    sizes = {"chunk_rows": chunk_rows, "stage_rows": stage_rows}

    def outcome(*crashes: tuple[int, str]) -> tuple[Any, ...]:
        account, here = prepare(case)
        job_id = submit(account, here, SECOND, CASES[case]).id
        for at, when in crashes:
            try:
                work_off(**sizes, run_type=crashing(at, when))
            except Crash:
                continue
            break
        else:
            work_off(**sizes)
        job = Jobs(database).get(None, job_id)
        assert job is not None
        kept = Lists(database).get(account.id, here.id)
        assert kept is not None
        passing = ("swept", "read", "since", "at", "done_before")
        progress = {name: value for name, value in job.checkpoint.items() if name not in passing}
        return (
            portable(look(account.id), here),
            (kept.members, kept.subscribed),
            (job.state, job.step, job.error, job.counters, progress, imports.counts(job)),
            rejects(job_id),
            [(row.line, row.outcome, row.email, row.number) for row in imports.outcomes(job_id)],
            job.attempt,
        )

    *undisturbed, attempt = outcome()
    assert undisturbed[2][0] == "completed"
    assert attempt == 1
    chunks = 0
    while True:
        for when in ("before", "after"):
            *found, attempt = outcome((chunks, when))
            assert found == undisturbed, (chunks, when)
        if attempt == 1:
            break
        chunks += 1
    # The beginning, ten rows by four, the end; replacing sweeps in between.
    assert chunks >= 5
    *found, attempt = outcome(*((1, "before"), (1, "after")) * chunks)
    assert found == undisturbed
    assert attempt > chunks / 2
    assert [path.name for path in blobs.folder.iterdir() if path.suffix] == []


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("chunk_rows", "stage_rows"), [(1, 1), (2, 2), (7, 7), (7, 3), (10, 1)])
def test_the_size_of_chunks_makes_no_difference(
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    look: Look,
    rejects: Rejects,
    case: str,
    chunk_rows: int,
    stage_rows: int,
) -> None:
    """But for the order in which new members are numbered: in a chunk it is that of their keys."""
    results = []
    for sizes in ((5000, 5000), (chunk_rows, stage_rows)):
        account, here = prepare(case)
        job = run_file(account, here, SECOND, CASES[case], chunk_rows=sizes[0], stage_rows=sizes[1])
        found = portable(look(account.id), here)
        found["members"] = [member[:-1] for member in found["members"]]
        results.append((found, job.counters, job.checkpoint["list_members"], rejects(job.id)))
    assert results[0] == results[1]


def test_the_size_of_chunks_may_change_between_attempts(
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    look: Look,
    rejects: Rejects,
) -> None:
    account, here = prepare("add")
    job = run_file(account, here, SECOND, CASES["add"])
    other_account, other = prepare("add")
    other_job = submit(other_account, other, SECOND, CASES["add"])
    for size in (3, 2, 7):
        with pytest.raises(Crash):
            work_off(chunk_rows=size, run_type=crashing(1, "after"))
    work_off(chunk_rows=4)
    assert portable(look(account.id), here) == portable(look(other_account.id), other)
    assert rejects(job.id) == rejects(other_job.id)


def test_the_rest_of_a_chunk_is_merged_wherever_the_next_attempt_cuts_the_file(
    database: Database,
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    look: Look,
    rejects: Rejects,
    imports: Imports,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after an update of the program between two stages of one chunk."""

    def told(job: Job) -> list[tuple[int, str, str]]:
        return [(row.line, row.outcome, row.email) for row in imports.outcomes(job.id)]

    account, here = prepare("add")
    job = run_file(account, here, SECOND, CASES["add"])
    other_account, other = prepare("add")
    other_job = submit(other_account, other, SECOND, CASES["add"])
    with pytest.raises(Crash):
        work_off(chunk_rows=10, stage_rows=2, run_type=crashing(3, "after"))
    half = Jobs(database).get(None, other_job.id)
    assert half is not None
    assert 4 == half.checkpoint["complete"] < half.checkpoint["done"] < 8
    lines = [line for line, _, _ in told(half)]
    assert len(lines) == half.checkpoint["done"]
    assert lines == sorted(lines)
    assert Counter(outcome for _, outcome, _ in told(half)) == half.counters
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 40)
    monkeypatch.setattr(index, "RANGE_BYTES", 20)
    work_off()
    found, expected = look(other_account.id), look(account.id)
    assert portable(found, other)["contacts"] == portable(expected, here)["contacts"]
    assert rejects(job.id) == rejects(other_job.id)
    assert told(other_job) == told(job)


def test_each_row_is_merged_once_however_often_the_file_is_cut_anew(
    database: Database,
    account: Account,
    newsletter: ContactList,
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    imports: Imports,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows of a stage may be far behind its first one, and behind the chunk in which the next attempt ends."""
    names = ["f", "g", "h", "i", "a", "z", "y", "b", "j", "k"]
    data = "".join(f"{name}@x.com\n" for name in names).encode()
    job_id = submit(account, newsletter, data, ImportSpec(columns=(EMAIL,))).id
    with pytest.raises(Crash):
        # The last rows that it merges are those of a and b.
        work_off(chunk_rows=10, stage_rows=2, run_type=crashing(3, "after"))
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8)
    monkeypatch.setattr(index, "RANGE_BYTES", 8)
    for _ in names:
        try:
            work_off(run_type=crashing(1, "after"))
        except Crash:
            continue
        break
    assert [row.email for row in imports.outcomes(job_id)] == [f"{name}@x.com" for name in names]
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert (job.state, job.counters, job.checkpoint["done"]) == ("completed", {"added": 10}, 10)


@pytest.mark.parametrize("chunk_rows", [2, 5000])
def test_rows_that_are_to_be_rejected_count_for_nothing_else(
    database: Database,
    blobs: Blobs,
    submit: Callable[..., Job],
    account: Account,
    newsletter: ContactList,
    rejects: Rejects,
    chunk_rows: int,
) -> None:
    """Not as the last row about a person either; and a heading is no row."""
    data = b"email\nann@x.example\nbob@x.example\nno address\ncat@x.example\nann@x.example\n"
    job = submit(account, newsletter, data, ImportSpec(columns=(EMAIL,), header=True))
    told = {1: "banned", 3: "too_long", 4: "encoding", 6: "suppressed", 7: "banned"}
    runners: dict[str, Runner] = dict.fromkeys(IMPORTS, partial(run_import, chunk_rows=chunk_rows, rejects=told))
    jobs = Jobs(database)
    Worker(database, blobs, runners, idle=0.05).run(until=lambda: all(each.over for each in jobs.find()))
    done = jobs.get(None, job.id)
    assert done is not None
    assert done.counters == {"added": 2, "too_long": 1, "encoding": 1, "suppressed": 1}
    assert rejects(job.id) == [(3, "too_long"), (4, "encoding"), (6, "suppressed")]


def test_keys_that_go_to_disk_are_compared_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    rejects: Rejects,
    blobs: Blobs,
) -> None:
    monkeypatch.setattr(index, "HELD_KEYS", 3)
    account, here = prepare("add")
    data = b"".join(b"n%d@x.com\n" % (n % 10) for n in range(30))
    before = set(blobs.folder.iterdir())
    job = run_file(account, here, data, ImportSpec(columns=(EMAIL,)), chunk_rows=4)
    assert job.counters == {"added": 10, "duplicate": 20}
    assert rejects(job.id) == [(line, "duplicate") for line in range(1, 21)]
    assert {path.name for path in set(blobs.folder.iterdir()) - before} == {job.blob}


def test_replace_keeps_those_who_join_while_it_runs(
    database: Database,
    prepare: Callable[[str], tuple[Account, ContactList]],
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    look: Look,
) -> None:
    """mm-60: members that existed when the job began and are not in the file leave; they are not unsubscribed."""
    account, here = prepare("replace")
    submit(account, here, b"a@x.com\nz@x.com\n", ImportSpec(columns=(EMAIL,), replace=True))
    with pytest.raises(Crash):
        work_off(chunk_rows=1, run_type=crashing(1, "after"))
    join(database, account, here, "late@x.com")
    work_off(chunk_rows=1)
    found = look(account.id)
    assert [member[1:3] for member in found["members"]] == [
        ("1", "subscribed"),
        ("late@x.com", "subscribed"),
        ("z@x.com", "subscribed"),
    ]
    assert len(found["contacts"]) == 8


def join(database: Database, account: Account, here: ContactList, email: str) -> None:
    """Somebody subscribes by other means."""
    with database.write() as connection:
        number = connection.execute(
            update(accounts)
            .where(accounts.c.id == account.id)
            .values(last_number=accounts.c.last_number + 1)
            .returning(accounts.c.last_number)
        ).scalar_one()
        stamp = {"created_at": now(), "updated_at": now()}
        who = connection.execute(
            insert(contacts)
            .values(account_id=account.id, email=email, email_key=email, unique_email=email, **stamp)
            .returning(contacts.c.id)
        ).scalar_one()
        connection.execute(
            insert(memberships).values(
                list_id=here.id,
                contact_id=who,
                account_id=account.id,
                number=number,
                state="subscribed",
                added_at=now(),
                added_by="API",
            )
        )
        connection.execute(
            update(lists)
            .where(lists.c.id == here.id)
            .values(members=lists.c.members + 1, subscribed=lists.c.subscribed + 1)
        )


def test_somebody_who_was_stored_meanwhile_is_found_on_the_second_try(
    database: Database,
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account, here = prepare("add")
    apply, tries = Merge.apply, []

    def racing(self: Merge, *args: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise IntegrityError("insert", {}, Exception("unique"))
        return apply(self, *args)

    monkeypatch.setattr(Merge, "apply", racing)
    job = run_file(account, here, b"z@x.com\n", ImportSpec(columns=(EMAIL,)))
    assert (job.state, job.counters, len(tries)) == ("completed", {"added": 1}, 2)


def test_a_chunk_that_meets_a_key_is_undone_whole(
    database: Database,
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account, here = prepare("add")
    add, tries = Merge._add_contacts, []

    def met(self: Merge, connection: Connection, only: bool, moment: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            values = {"email": "Z@x.com", "email_key": "z@x.com", "unique_email": "z@x.com"}
            stamps = {"created_at": moment, "updated_at": moment}
            connection.execute(insert(contacts).values(account_id=account.id, **values, **stamps))
        add(self, connection, only, moment)

    monkeypatch.setattr(Merge, "_add_contacts", met)
    job = run_file(account, here, b"y@x.com\nz@x.com\n", ImportSpec(columns=(EMAIL,)))
    assert (job.state, job.counters, len(tries)) == ("completed", {"added": 2}, 2)
    found = [dict(person)["email"] for person in look(account.id)["contacts"]]
    assert found.count("z@x.com") == 1
    assert "Z@x.com" not in found


def test_a_chunk_that_meets_a_membership_is_undone_whole(
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    look: Look,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL gets several statements at once, and this is not the last of them."""
    account, here = prepare("add")
    add, tries = Merge._add_memberships, []

    def met(self: Merge, connection: Connection, *args: Any, **how: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            given = {"list_id": here.id, "account_id": account.id, "number": 0, "state": "subscribed", "added_at": 0}
            person = select(contacts.c.id, *map(literal, given.values())).where(contacts.c.email_key == "z@x.com")
            connection.execute(insert(memberships).from_select(["contact_id", *given], person, include_defaults=False))
        add(self, connection, *args, **how)

    monkeypatch.setattr(Merge, "_add_memberships", met)
    before = look(account.id)
    job = run_file(account, here, b"y@x.com\nz@x.com\n", ImportSpec(columns=(EMAIL,)))
    assert (job.state, job.counters, len(tries)) == ("completed", {"added": 2}, 2)
    after = look(account.id)
    assert [len(after[what]) - len(before[what]) for what in ("contacts", "members")] == [2, 2]
    assert after["last_number"] == before["last_number"] + 2


@pytest.mark.parametrize("case", CASES)
def test_an_import_leaves_no_orphan_and_its_connection_as_it_was(
    database: Database, prepare: Callable[[str], tuple[Account, ContactList]], run_file: RunFile, case: str
) -> None:
    """SQLite's import does without the checks of foreign keys; tests/postgresql.py looks for orphans there."""
    if database.kind == "postgresql":
        return
    pragmas = ("foreign_keys", "cache_size", "busy_timeout", "synchronous")

    def settings() -> list[Any]:
        with database.connect() as connection:
            return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas]

    account, here = prepare(case)
    before = settings()
    assert before[0] == 1
    run_file(account, here, SECOND, CASES[case])
    assert settings() == before
    with database.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_imports_of_one_account_run_at_once_and_store_nobody_twice(
    database: Database, blobs: Blobs, account: Account, submit: Callable[..., Job], look: Look
) -> None:
    data = b"".join(b"u%d@x.com,,Name %d\n" % (n, n) for n in range(200))
    people = ImportSpec(columns=(EMAIL, NAME), known="overwrite")
    for name in ("one", "two", "three"):
        submit(account, Lists(database).create(account.id, name), data, people)
    runners: dict[str, Runner] = dict.fromkeys(IMPORTS, partial(run_import, chunk_rows=10))
    jobs = Jobs(database)
    Worker(database, blobs, runners, idle=0.05).run(until=lambda: all(job.over for job in jobs.find()))
    assert [job.state for job in jobs.find()] == ["completed"] * 3
    assert sum(job.counters.get("added", 0) for job in jobs.find()) == 200
    assert sum(sum(job.counters.values()) for job in jobs.find()) == 600
    found = look(account.id)
    assert (len(found["contacts"]), len(found["members"]), found["last_number"]) == (200, 600, 600)


def test_it_stops_and_is_cancelled_while_it_reads_the_file(
    database: Database,
    blobs: Blobs,
    prepare: Callable[[str], tuple[Account, ContactList]],
    submit: Callable[..., Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "NEWS", -1)
    account, here = prepare("add")
    submit(account, here, SECOND, CASES["add"])
    job = Jobs(database).claim("test", IMPORTS, timedelta(minutes=5))
    assert job is not None
    run = Run(database, blobs, job, lease=timedelta(minutes=5), stopping=lambda: True)
    with pytest.raises(Stopped):
        run_import(run)
    assert Jobs(database).cancel(None, job.id)
    run = Run(database, blobs, job, lease=timedelta(minutes=5), stopping=lambda: False)
    with pytest.raises(Cancelled):
        run_import(run)
    found = Jobs(database).get(None, job.id)
    assert found is not None
    assert (found.counters, found.checkpoint) == ({}, {})


def test_a_stop_does_not_wait_for_a_reader_that_tells_nothing(
    database: Database,
    blobs: Blobs,
    prepare: Callable[[str], tuple[Account, ContactList]],
    submit: Callable[..., Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process starts, or reads the next rows of a large file; this one waits for the other end of a pipe."""
    monkeypatch.setattr(reader, "LARGE_BYTES", 0)
    account, here = prepare("add")
    submit(account, here, SECOND, CASES["add"])
    job = Jobs(database).claim("test", IMPORTS, timedelta(minutes=5))
    assert job is not None
    file = blobs.path(job.blob or "")
    file.unlink()
    os.mkfifo(file)
    asked: list[int] = []

    def stopping() -> bool:
        asked.append(len(asked))
        return len(asked) > 3

    with pytest.raises(Stopped):
        run_import(Run(database, blobs, job, lease=timedelta(minutes=5), stopping=stopping))


@pytest.mark.parametrize(
    ("data", "spec"),
    [
        (b"", replace(CASES["replace"])),
        (b"\n\n", replace(CASES["replace"])),
        (b"bad\n", replace(CASES["replace"])),
        (b"bad\n", replace(CASES["replace"], dry_run=True)),
    ],
)
def test_replace_without_a_good_row_fails_and_the_list_keeps_its_members(
    prepare: Callable[[str], tuple[Account, ContactList]],
    run_file: RunFile,
    look: Look,
    data: bytes,
    spec: ImportSpec,
) -> None:
    """mm-60."""
    account, here = prepare("replace")
    before = look(account.id)
    job = run_file(account, here, data, spec)
    assert (job.state, job.error) == ("failed", "The file has no good row; the list keeps its members.")
    assert look(account.id) == before


def test_a_file_without_rows(
    prepare: Callable[[str], tuple[Account, ContactList]], run_file: RunFile, imports: Imports
) -> None:
    account, here = prepare("add")
    for data, header in ((b"", False), (b"\r\n\r\n", False), (b"Email\n", True), (b"", True), (b"\xef\xbb\xbf", False)):
        job = run_file(account, here, data, ImportSpec(columns=(EMAIL,), header=header))
        counts = imports.counts(job)
        assert (job.state, job.step, counts.total, counts.list_members) == ("completed", 1, 0, 6)


def test_a_list_that_was_deleted_meanwhile(
    database: Database,
    prepare: Callable[[str], tuple[Account, ContactList]],
    submit: Callable[..., Job],
    work_off: Callable[..., None],
) -> None:
    account, here = prepare("add")
    job_id = submit(account, here, SECOND, CASES["add"]).id
    with database.write() as connection:
        connection.execute(update(lists).where(lists.c.id == here.id).values(deleted_at=now()))
    work_off()
    job = Jobs(database).get(None, job_id)
    assert job is not None
    assert (job.state, job.error, job.counters) == ("failed", "The list no longer exists.", {})


def test_a_file_that_is_gone(
    database: Database,
    blobs: Blobs,
    prepare: Callable[[str], tuple[Account, ContactList]],
    submit: Callable[..., Job],
    work_off: Callable[..., None],
) -> None:
    account, here = prepare("add")
    submitted = submit(account, here, SECOND, CASES["add"])
    blobs.remove(str(submitted.blob))
    work_off()
    job = Jobs(database).get(None, submitted.id)
    assert job is not None
    assert (job.state, job.error) == ("failed", "The file of this import is gone.")


def test_an_account_gives_out_no_contact_number_twice(
    database: Database, prepare: Callable[[str], tuple[Account, ContactList]], run_file: RunFile
) -> None:
    """lk-35: 32 bits."""
    account, here = prepare("add")
    with database.write() as connection:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(last_number=(1 << 31) - 2))
    assert run_file(account, here, b"y@x.com\n", ImportSpec(columns=(EMAIL,))).state == "completed"
    job = run_file(account, here, b"z@x.com\n", ImportSpec(columns=(EMAIL,)))
    assert (job.state, job.error) == ("failed", "The account has given out all its contact numbers.")
    with database.read() as connection:
        numbers = (
            connection.execute(select(memberships.c.number).where(memberships.c.list_id == here.id)).scalars().all()
        )
    assert max(numbers) == (1 << 31) - 1


def test_an_attribute_that_was_deleted_meanwhile_has_no_values(
    database: Database,
    prepare: Callable[[str], tuple[Account, ContactList]],
    submit: Callable[..., Job],
    work_off: Callable[..., None],
    look: Look,
) -> None:
    account, here = prepare("add")
    profiles = Profiles(database)
    number = profiles.add_attribute(account.id, here.id, profiles.add_header(account.id, here.id, "H"), "A")
    columns = (EMAIL, Column(index=1, target=f"attribute:{number}"))
    submit(account, here, b"z@x.com,value\n", ImportSpec(columns=columns))
    with database.write() as connection:
        connection.execute(profile_attributes.delete().where(profile_attributes.c.id == number))
    work_off()
    assert [member[3] for member in look(account.id)["members"] if member[1] == "z@x.com"] == [[]]
