"""Imports survive the deaths of their workers: nobody can tell afterwards that there were any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kills.assignments import submit_all
from tests.kills.site import opened_site
from tests.kills.trial import hold
from tests.postgresql import Databases

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
