"""Fixtures of import tests: run a file through an import, look at everything it left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Account
from soapstone.imports.imports import Imports
from soapstone.imports.runner import run_import
from soapstone.imports.spec import ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import JobFailed, Run
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import accounts, contacts, lists, memberships, rejected_rows
from soapstone.vocabulary.jobs import IMPORTS

# Everything but ids and times.
RECORD = [column for column in contacts.c if column.name not in ("id", "account_id", "created_at", "updated_at")]


@pytest.fixture
def imports(database: Database, blobs: Blobs) -> Imports:
    return Imports(database, blobs, Jobs(database))


@pytest.fixture
def newsletter(database: Database, account: Account) -> ContactList:
    return Lists(database).create(account.id, "Newsletter")


@pytest.fixture
def submit(imports: Imports, blobs: Blobs) -> Callable[..., Job]:
    """Submit an import: account, list or None, file, spec."""

    def submit(account: Account, contact_list: ContactList | None, data: bytes, spec: ImportSpec) -> Job:
        upload = blobs.new()
        upload.write(data)
        return imports.submit(
            account=account, login=None, contact_list=contact_list, upload=upload, spec=spec, label="people.csv"
        )

    return submit


@pytest.fixture
def work_off(database: Database, blobs: Blobs) -> Callable[..., None]:
    """Make one attempt at the oldest import that waits; `run_type` replaces the usual run."""

    def work_off(*, chunk_rows: int = 5000, stage_rows: int = 5000, run_type: type[Run] = Run) -> None:
        jobs = Jobs(database)
        jobs.expire_leases()
        job = jobs.claim("test", IMPORTS, timedelta(minutes=5))
        assert job is not None, jobs.find()
        run = run_type(database, blobs, job, lease=timedelta(minutes=5), stopping=lambda: False)
        try:
            run_import(run, chunk_rows=chunk_rows, stage_rows=stage_rows)
        except JobFailed as failure:
            run.fail(str(failure))
        except Exception:
            run.fail("fault")
            raise
        else:
            run.complete()

    return work_off


@pytest.fixture
def run_file(database: Database, submit: Callable[..., Job], work_off: Callable[..., None]) -> Callable[..., Job]:
    """Submit an import and run it to its end: account, list or None, file, spec; `chunk_rows`, `stage_rows`."""

    def run_file(*args: Any, **options: Any) -> Job:
        job_id = submit(*args).id
        work_off(**options)
        job = Jobs(database).get(None, job_id)
        assert job is not None
        assert job.over
        return job

    return run_file


@pytest.fixture
def look(database: Database) -> Callable[[int], dict[str, Any]]:
    """All that imports have left in an account, without ids and times, and checked to be sound in itself."""

    def look(account_id: int) -> dict[str, Any]:
        with database.read() as connection:
            people = (
                connection.execute(select(contacts.c.id, *RECORD).where(contacts.c.account_id == account_id))
                .mappings()
                .all()
            )
            identity = {row["id"]: row["custom_id"] or row["email_key"] for row in people}
            members = (
                connection.execute(select(memberships).where(memberships.c.account_id == account_id)).mappings().all()
            )
            kept = connection.execute(
                select(lists.c.id, lists.c.members, lists.c.subscribed).where(lists.c.account_id == account_id)
            ).all()
            last_number = connection.execute(
                select(accounts.c.last_number).where(accounts.c.id == account_id)
            ).scalar_one()
        for list_id, count, subscribed in kept:
            here = [row for row in members if row["list_id"] == list_id]
            assert count == len(here)
            assert subscribed == sum(row["state"] == "subscribed" for row in here)
        numbers = [row["number"] for row in members]
        assert len(set(numbers)) == len(numbers)
        assert all(0 < number <= last_number for number in numbers)
        assert all((row["removed_at"] is not None) == bool(row["removed_by"]) for row in members)
        return {
            "contacts": sorted(
                (tuple((name, value) for name, value in row.items() if name != "id" and value) for row in people),
                key=repr,
            ),
            "members": sorted(
                (
                    row["list_id"],
                    identity[row["contact_id"]],
                    row["state"],
                    sorted(row["profile"].items()),
                    row["number"],
                )
                for row in members
            ),
            "last_number": last_number,
        }

    return look


@pytest.fixture
def rejects(database: Database) -> Callable[[int], list[tuple[int, str]]]:
    """Line and reason of a job's rejected rows."""

    def rejects(job_id: int) -> list[tuple[int, str]]:
        table = rejected_rows
        query = select(table.c.line, table.c.reason).where(table.c.job_id == job_id).order_by(table.c.line)
        with database.read() as connection:
            return [(row.line, row.reason) for row in connection.execute(query)]

    return rejects
