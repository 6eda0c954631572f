"""Imports survive the deaths of their workers: nobody can tell afterwards that there were any."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.kills.assignments import submit_all
from tests.kills.picture import picture, torn, unfinished
from tests.kills.site import PATIENCE, Site, opened_site
from tests.kills.trial import hold
from tests.postgresql import Databases

from soapstone.clock import now
from soapstone.jobs.worker import LEASE

# The work may be over before the last kills came to their turn, on a fast machine.
PEOPLE, KILLS = 12_000, 5


@pytest.fixture
def postgresql_urls(postgresql_databases: Databases) -> Iterator[tuple[str, str]]:
    """The URLs of two databases without a schema."""
    with postgresql_databases.bare() as first, postgresql_databases.bare() as second:
        yield first, second


@pytest.mark.long
def test_kills_leave_no_trace(tmp_path: Path) -> None:
    trial = hold(tmp_path, ("", ""), people=PEOPLE, kills=KILLS, seed=1)
    assert trial.wrong == []
    assert trial.kills.count >= KILLS // 2, trial


@pytest.mark.long
def test_kills_leave_no_trace_on_postgresql(tmp_path: Path, postgresql_urls: tuple[str, str]) -> None:
    trial = hold(tmp_path, postgresql_urls, people=PEOPLE // 4, kills=3, seed=2)
    assert trial.wrong == []
    assert trial.kills.count >= 1, trial


@pytest.mark.long
def test_a_lease_runs_out_by_itself(tmp_path: Path, postgresql_urls: tuple[str, str]) -> None:
    """Another worker of a PostgreSQL database takes over the jobs of one that was not heard of for a while."""
    with opened_site(tmp_path / "data", postgresql_urls[0]) as site:
        job_ids = submit_all(site.product, 2000, seed=3)
        site.await_rows(job_ids)
        site.workers.now.freeze()
        held = [job for job in site.open_jobs() if job.state == "running"]
        site.workers.now.kill()
        site.workers.next()
        site.wait()
        for job in held:
            events = [event for event in site.product.jobs.events(job.id) if event.attempt == 2]
            assert job.lease_until is not None
            assert events[0].at >= job.lease_until
            assert events[0].at - job.lease_until < LEASE


@pytest.mark.long
def test_a_frozen_worker_holds_nothing(tmp_path: Path, postgresql_urls: tuple[str, str]) -> None:
    """Frozen inside a chunk, it holds rows of its jobs; another worker goes on with them while it is still frozen."""
    with opened_site(tmp_path / "data", postgresql_urls[0]) as site:
        frozen = site.workers.now
        job_ids = submit_all(site.product, 3000, seed=4)
        site.await_rows(job_ids)
        site.workers.next()
        end = time.monotonic() + PATIENCE
        while True:
            frozen.freeze()
            at = now()
            held = [job for job in site.open_jobs() if job.state == "running" and f":{frozen.pid}:" in job.worker]
            if held and site.writing():
                break
            frozen.thaw()
            assert time.monotonic() < end, "it is never inside a chunk"
            time.sleep(0.05)
        first = {job.id: job.attempt for job in held}
        # A job whose commit the server had in hand ends by the frozen worker still.
        while missing := [job.id for job in site.open_jobs() if job.attempt == first.get(job.id)]:
            assert time.monotonic() < end, f"nobody goes on with {missing}: {site.log()}"
            time.sleep(0.2)
        frozen.thaw()
        site.wait()
        frozen.stop()
        found = picture(site.product, job_ids)
        assert [*torn(found), *unfinished(found)] == []
        # The first event of each further attempt. With the sessions of the frozen one there would be none.
        attempts = [(each, _attempts(site, each)) for each in first]
        taken = [
            next(at for attempt, at in seen if attempt > first[each])
            for each, seen in attempts
            if seen[-1][0] > first[each]
        ]
        assert max(taken) - at < timedelta(seconds=15), [str(each - at) for each in taken]


def _attempts(site: Site, job_id: int) -> list[tuple[int, datetime]]:
    """Attempt and time of each event of a job."""
    return [(event.attempt, event.at) for event in site.product.jobs.events(job_id)]
