"""A trial: the same imports on two databases, in peace on one, under kills on the other, and what differs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tests.kills.assignments import submit_all, whole
from tests.kills.disturbance import Disturber, Kills
from tests.kills.picture import differences, picture, torn, unfinished
from tests.kills.site import opened_site


@dataclass(frozen=True)
class Trial:
    """What came of it. `wrong` is empty when nobody can tell that there were kills."""

    kills: Kills
    jobs: int
    rows: int
    calm_seconds: float
    disturbed_seconds: float
    wrong: list[str]


def hold(folder: Path, urls: tuple[str, str], *, people: int, kills: int, seed: int) -> Trial:
    """Hold a trial in a folder; `urls` are those of two databases, empty for SQLite files there."""
    rows = whole(people)
    with opened_site(folder / "calm", urls[0]) as calm:
        job_ids = submit_all(calm.product, people, seed)
        began = time.monotonic()
        calm.wait()
        calm_seconds = time.monotonic() - began
        expected = picture(calm.product, job_ids)
    with opened_site(folder / "disturbed", urls[1], standby=True) as disturbed:
        assert submit_all(disturbed.product, people, seed) == job_ids
        began = time.monotonic()
        landed = Disturber(disturbed, job_ids, rows=rows, seconds=calm_seconds, kills=kills, seed=seed).run()
        disturbed_seconds = time.monotonic() - began
        found = picture(disturbed.product, job_ids)
        log = disturbed.log()
    wrong = [*torn(expected), *unfinished(expected), *torn(found), *unfinished(found), *differences(found, expected)]
    wrong += [f"process {pid} outlived its worker" for pid in landed.orphans]
    if "Traceback" in log:
        wrong.append(f"a worker met a fault of its own:\n{log}")
    return Trial(landed, len(job_ids), rows, calm_seconds, disturbed_seconds, wrong)
