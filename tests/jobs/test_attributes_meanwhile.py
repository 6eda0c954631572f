"""Attributes of a list that change while an import of the list is under way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Account
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.run import Run, Runner, Stopped
from soapstone.jobs.worker import Worker
from soapstone.lists.attribute_removal import run_attribute_removal
from soapstone.lists.lists import Lists
from soapstone.lists.profiles import Profiles
from soapstone.store.database import Database
from soapstone.store.tables import memberships
from soapstone.vocabulary.jobs import IMPORTS, JobKind

if TYPE_CHECKING:
    from tests.jobs.conftest import Office

OnChunk = Callable[[Callable[[Run], object]], None]
FILE = b"".join(b"u%d@x.com,%d\n" % (row, row) for row in range(60))


@pytest.mark.parametrize("again", [False, True], ids=["same attempt", "next attempt"])
def test_an_attribute_that_is_deleted_meanwhile(
    office: Office, database: Database, account: Account, on_chunk: OnChunk, again: bool
) -> None:
    """The rows are imported all the same. The job that removes its values comes behind the import, and leaves none."""
    here = Lists(database).create(account.id, "News")
    profiles = Profiles(database)
    header = profiles.add_header(account.id, here.id, "Person")
    size = profiles.add_attribute(account.id, here.id, header, "Size")
    spec = ImportSpec(columns=(Column(index=0, target="email"), Column(index=1, target=f"attribute:{size}")))
    number = office.submit(account, here, FILE, spec)
    acted: list[int] = []

    def behind(run: Run) -> None:
        if not acted and run.job.checkpoint.get("done", 0) >= 20:
            acted.append(1)
            assert profiles.delete_attribute(account.id, size)
            if again:
                raise Stopped

    on_chunk(behind)
    work: dict[str, Runner] = {
        **dict.fromkeys(IMPORTS, partial(office._run)),
        JobKind.ATTRIBUTE_REMOVAL: run_attribute_removal,
    }
    Worker(database, office.blobs, work, idle=0.05).run(until=lambda: all(job.over for job in office.all()))
    assert acted
    imported, removal = office.all()
    assert (imported.id, imported.state, imported.counters) == (number, "completed", {"added": 60})
    assert (removal.kind, removal.state) == (JobKind.ATTRIBUTE_REMOVAL, "completed")
    with database.read() as connection:
        assert connection.execute(select(memberships.c.profile)).scalars().all() == [{}] * 60
