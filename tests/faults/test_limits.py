"""The system refuses a running worker what it asks for: more room in its files, more open files."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults.conftest import PEOPLE, SEED
from tests.kills.assignments import LARGE, submit_all
from tests.kills.picture import Picture, differences, picture, torn, unfinished
from tests.kills.site import Site, opened_site

from soapstone.store.transient_errors import DISK_FAILS, FILE_TOO_LARGE, NOT_OPENED, TOO_MANY_FILES


@contextmanager
def limited(site: Site, what: int, limit: int) -> Iterator[None]:
    """The worker has this limit within the block, and its old one afterwards."""
    pid = site.workers.now.pid
    before = resource.prlimit(pid, what, (limit, resource.prlimit(pid, what)[1]))
    yield
    resource.prlimit(pid, what, before)


def file_limit(site: Site) -> int:
    """The largest file that there is now."""
    return max(path.stat().st_size for path in site.workers.data.glob("soapstone.sqlite*"))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (resource.RLIMIT_FSIZE, (DISK_FAILS, FILE_TOO_LARGE)),
        (resource.RLIMIT_NOFILE, (TOO_MANY_FILES, NOT_OPENED)),
    ],
    ids=["room", "files"],
)
def test_jobs_wait_until_the_worker_gets_what_it_needs(
    folder: Path, calm: Picture, what: int, words: tuple[str, ...]
) -> None:
    with opened_site(folder) as site:
        job_ids = submit_all(site.product, PEOPLE, SEED, LARGE)
        site.await_rows(job_ids)
        # No further file can be opened; those that are open stay so.
        limit = 3 if what == resource.RLIMIT_NOFILE else file_limit(site)
        with limited(site, what, limit):
            site.await_log(*words)
            assert torn(picture(site.product, job_ids)) == []
            assert [job.id for job in site.product.jobs.find() if job.state == "failed"] == []
        site.wait()
        found = picture(site.product, job_ids)
        assert unfinished(found) + torn(found) + differences(found, calm) == []
