"""Kills: a worker is frozen at a random moment of its work, looked at, and killed; the next one takes over."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.kills.site import PATIENCE, Site

from soapstone.imports.spec import ImportSpec
from soapstone.jobs.job import Job

# What a kill waits for, how often it is chosen, and the longest pause behind it as a share of the time between kills.
MOMENTS: dict[str, tuple[int, float]] = {
    "any": (3, 1.0),
    "claimed": (1, 0.1),
    "index": (2, 0.3),
    "merge": (4, 0.3),
    "writing": (4, 0.1),
    "end": (3, 0.05),
}
# How likely a kill is at the end of a job, where it seldom lands by itself.
SELDOM = {"sweep": 0.8, "end": 0.2}
# So often in a row, at most, a job loses its worker before another row of it is done; the server gives it up at ten.
MOST_FRUITLESS = 5


@dataclass
class Kills:
    """What came of it: where the kills landed, and the processes that outlived their worker."""

    phases: Counter[str] = field(default_factory=Counter)
    orphans: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.phases.total()


class Disturber:
    """Kills the workers of a site up to `kills` times, spread over the `rows` of all its jobs.

    `seconds` is what the jobs take when nobody disturbs them.
    """

    def __init__(self, site: Site, job_ids: list[int], *, rows: int, seconds: float, kills: int, seed: int) -> None:
        self._site = site
        self._jobs = job_ids
        self._chance = random.Random(seed)
        # Each kill becomes due when this many rows are done.
        self._due = sorted(self._chance.randrange(rows * 9 // 10) for _ in range(kills))
        self._pace = seconds / kills
        self._done_before: dict[int, int] = {}
        self._fruitless: Counter[int] = Counter()
        self._ended: set[int] = set()
        self.kills = Kills()

    def run(self) -> Kills:
        """Until the jobs are over."""
        end = time.monotonic() + PATIENCE
        moment = self._draw()
        while under_way := self._site.open_jobs():
            assert time.monotonic() < end, f"the jobs do not end: {under_way}\n{self._site.log()}"
            assert self._site.workers.now.alive(), f"the worker ended by itself\n{self._site.log()}"
            if self._due and all(self._may_lose(job) for job in under_way):
                if self._seldom(under_way):
                    self._kill()
                elif self._site.rows_done(self._jobs) >= self._due[0]:
                    self._await(Disturber._claimed, PATIENCE)
                    self._await(self._tests[moment], self._pace)
                    time.sleep(self._chance.uniform(0, MOMENTS[moment][1] * self._pace))
                    self._kill()
                    moment = self._draw()
            if any(self._mine(job) for job in under_way):
                # Not sooner: the next one could be faster at the lock.
                self._site.workers.prepare()
            time.sleep(0.005)
        return self.kills

    def _draw(self) -> str:
        return self._chance.choices(list(MOMENTS), [weight for weight, _ in MOMENTS.values()])[0]

    def _kill(self) -> None:
        worker = self._site.workers.now
        worker.freeze()
        under_way = self._site.open_jobs()
        if under_way:
            phase = self._phase(under_way)
            self.kills.orphans += worker.kill()
            self.kills.phases[phase] += 1
            self._due.pop(0)
            for job in filter(self._mine, under_way):
                self._fruitless[job.id] = 1 if self._progressed(job) else self._fruitless[job.id] + 1
        else:
            worker.kill()
        self._done_before = {job.id: _done(job) for job in under_way}
        if self._site.kind == "postgresql":
            # Its lease would run out by itself; the test need not wait for that each time.
            self._site.product.jobs.expire_leases()
        self._site.workers.next()

    def _phase(self, under_way: list[Job]) -> str:
        running = [job for job in under_way if self._mine(job)]
        if not running:
            return "between jobs"
        names = {self._stage(job) for job in running}
        where = next(name for name in ("end", "sweep", "later chunk", "first chunk", "index") if name in names)
        return f"{where}, writing" if self._site.writing() else where

    def _stage(self, job: Job) -> str:
        progress = self._site.product.imports.progress(job)
        if progress.rows is None:
            return "index"
        if progress.done < progress.rows:
            return "later chunk" if self._progressed(job) else "first chunk"
        spec = ImportSpec.of(job.request)
        return "sweep" if spec.replace and not spec.dry_run else "end"

    def _may_lose(self, job: Job) -> bool:
        """Whether the job's worker may be killed once more."""
        return self._fruitless[job.id] < MOST_FRUITLESS or self._progressed(job)

    def _progressed(self, job: Job) -> bool:
        """Whether rows were done since the last kill."""
        return _done(job) > self._done_before.get(job.id, 0)

    def _mine(self, job: Job) -> bool:
        """Whether the present worker runs the job."""
        return job.state == "running" and f":{self._site.workers.now.pid}:" in job.worker

    def _await(self, test: Callable[[Disturber], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not test(self) and time.monotonic() < end and self._site.open_jobs():
            time.sleep(0.003)

    def _seldom(self, under_way: list[Job]) -> bool:
        """Whether a job is where kills would seldom land by themselves, and chance wants one there; once for a job."""
        for job in under_way:
            if job.id not in self._ended and self._mine(job) and (stage := self._stage(job)) in SELDOM:
                self._ended.add(job.id)
                return self._chance.random() < SELDOM[stage]
        return False

    def _any(self, stages: tuple[str, ...]) -> bool:
        return any(self._mine(job) and self._stage(job) in stages for job in self._site.open_jobs())

    def _claimed(self) -> bool:
        return any(self._mine(job) for job in self._site.open_jobs())

    _tests: dict[str, Callable[[Disturber], bool]] = {  # noqa: RUF012
        "any": lambda self: self._claimed(),
        "claimed": lambda self: self._claimed(),
        "index": lambda self: self._any(("index",)),
        "merge": lambda self: self._any(("first chunk", "later chunk")),
        "writing": lambda self: self._claimed() and self._site.writing(),
        "end": lambda self: self._any(("sweep", "end")),
    }


def _done(job: Job) -> int:
    return sum(job.counters.values())
