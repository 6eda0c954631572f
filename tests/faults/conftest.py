"""Fixtures of the tests with faults of the machine: a site with large imports, and what they leave without faults."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from tests.kills.assignments import LARGE, submit_all
from tests.kills.picture import Picture, picture
from tests.kills.site import opened_site

PEOPLE, SEED = 22_000, 11
# Only Linux changes the limits of another process that runs.
collect_ignore = [] if hasattr(resource, "prlimit") else ["test_limits.py"]


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """What the imports leave when nothing is in their way."""
    with opened_site(tmp_path_factory.mktemp("calm") / "data") as site:
        job_ids = submit_all(site.product, PEOPLE, SEED, LARGE)
        site.wait()
        return picture(site.product, job_ids)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a site's data lie."""
    return tmp_path / "data"
