"""The database is locked by another process for longer than a worker waits for it."""

from __future__ import annotations

from pathlib import Path

from tests.faults.conftest import PEOPLE, SEED
from tests.kills.assignments import LARGE, submit_all
from tests.kills.picture import Picture, differences, picture, torn, unfinished
from tests.kills.site import opened_site

from soapstone.store.transient_errors import LOCKED


def test_jobs_wait_for_whoever_locks_the_database(folder: Path, calm: Picture) -> None:
    program = (str(Path(__file__).with_name("hurried_worker.py")), "1")
    with opened_site(folder, program=program) as site:
        job_ids = submit_all(site.product, PEOPLE, SEED, LARGE)
        site.await_rows(job_ids)
        with site.product.database.write():
            site.await_log(LOCKED)
            # While nobody can write: a picture is taken in several looks, and the jobs go on when the lock is gone.
            assert torn(picture(site.product, job_ids)) == []
        site.wait()
        found = picture(site.product, job_ids)
        assert unfinished(found) + torn(found) + differences(found, calm) == []
        assert site.workers.now.alive()
