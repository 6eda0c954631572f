"""The database has no room for another page: SQLite says that the disk is full."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.faults.conftest import PEOPLE, SEED
from tests.kills.assignments import LARGE, submit_all
from tests.kills.picture import Picture, differences, picture, torn, unfinished
from tests.kills.site import opened_site
from tests.kills.workers import WORKER

from soapstone.store.transient_errors import DISK_FULL

# Room for some of the rows of the first import, in pages.
ROOM = 700


def test_jobs_wait_for_room_and_nothing_is_half_done(folder: Path, calm: Picture) -> None:
    program = (str(Path(__file__).with_name("small_database.py")), str(ROOM))
    with opened_site(folder, program=program) as site:
        job_ids = submit_all(site.product, PEOPLE, SEED, LARGE)
        site.await_log(DISK_FULL)
        before = picture(site.product, job_ids)
        assert torn(before) == []
        waiting = [job for job in site.open_jobs() if job.error]
        assert all(job.error.endswith(DISK_FULL) for job in waiting)
        assert [job.state for job in site.product.jobs.find() if job.state == "failed"] == []
        with closing(sqlite3.connect(folder / "soapstone.sqlite")) as connection:
            assert connection.execute("PRAGMA page_count").fetchone()[0] <= ROOM
        site.workers.replace(WORKER)
        site.wait()
        found = picture(site.product, job_ids)
        assert unfinished(found) + torn(found) + differences(found, calm) == []
