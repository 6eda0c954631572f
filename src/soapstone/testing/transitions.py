"""Transitions: when the jobs of a test server begin and end, so that a test decides what a waiting client sees.

A client sees a job with a transition in no other state than the transition says: a poll is answered once the worker has
brought the job there. Other jobs go on by themselves.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from soapstone.clock import now
from soapstone.errors import ConflictError, NotFoundError, SoapstoneError
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import JobFailed, Run, Runner
from soapstone.store.database import Database
from soapstone.store.tables import jobs

if TYPE_CHECKING:
    from soapstone.testing.transition_forms import Moment, TransitionIn

log = logging.getLogger(__name__)

# Most seconds that a poll waits for the worker to bring the job into its state.
LONGEST_WAIT = 10.0
# Seconds between two looks of a thread that waits for a job, and of a job that waits for its end.
LOOK = 0.005
LOOK_AROUND = 0.02
MOST_TRANSITIONS = 1_000


@dataclass
class Transition:
    """A transition with its number, and the jobs that it was for so far."""

    number: int
    asked: TransitionIn
    jobs: list[int] = field(default_factory=list)


@dataclass
class _Course:
    """How one job goes along its transition: what was said of it, and how many polls have seen its present state."""

    transition: TransitionIn
    begins: bool
    ends: bool = False
    polls: int = 0
    has_failed: bool = False
    # Polls take turns: what one sees must not be what a later one has brought about.
    turn: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Let the job begin."""
        self.begins, self.polls = True, 0

    def look_at_clock(self, job: Job) -> None:
        """Let the job begin or end if its time has come."""
        if not self.begins and _has_come(self.transition.start, job.submitted_at):
            self.begin()
        if self.begins and not self.ends:
            self.ends = _has_come(self.transition.end, job.started_at)

    def count_poll(self) -> None:
        """Count a poll, which is the first to see the next state if enough of them have seen this one."""
        self.polls += 1
        if not self.begins and _is_seen(self.transition.start, self.polls):
            self.begin()
            self.polls = 1
            # With an end at once, no poll sees the job run.
            self.ends = self.transition.end == "at_once"
        if self.begins and not self.ends:
            self.ends = _is_seen(self.transition.end, self.polls)


def _has_come(moment: Moment, since: datetime | None) -> bool:
    return moment == "at_once" if isinstance(moment, str) else moment.has_come(since)


def _is_seen(moment: Moment, polls: int) -> bool:
    return not isinstance(moment, str) and moment.is_seen(polls)


class Transitions:
    """The transitions of one test server.

    This is the JobGate of its worker, which takes these `runners`, and `asked` is the Jobs.asked of its product.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs = Jobs(database)
        self._wake: Callable[[], None] = lambda: None
        self._changed = threading.Condition()
        # All below is guarded by it.
        self._resting = 0
        self._number = 0
        self._transitions: list[Transition] = []
        self._next: deque[Transition] = deque()
        self._all: Transition | None = None
        self._courses: dict[int, _Course] = {}
        # Jobs up to this number have got their transition, if there is one for them.
        self._seen = 0

    # --- setting transitions ------------------------------------------------------------------------------------------

    def add(self, asked: TransitionIn) -> Transition:
        """Set a transition. Raises NotFoundError, and ConflictError for one that is over."""
        job = None if isinstance(asked.jobs, str) else self._unfinished(asked.jobs)
        with self._changed:
            if len(self._transitions) >= MOST_TRANSITIONS:
                raise ConflictError("There are too many transitions: delete them, or reset the server.")
            self._learn()
            self._number += 1
            made = Transition(self._number, asked)
            self._transitions.append(made)
            if job is not None:
                self._apply(made, job.id)
                self._courses[job.id].begins |= job.started_at is not None
            elif asked.jobs == "next":
                self._next.append(made)
            else:
                self._all = made
        self._tell()
        return made

    def all(self) -> list[Transition]:
        """Return all transitions, oldest first."""
        with self._changed:
            self._learn()
            return list(self._transitions)

    def clear(self) -> None:
        """Forget all transitions: the jobs that they hold go on by themselves."""
        with self._changed:
            self._transitions.clear()
            self._next.clear()
            self._all = None
            self._courses.clear()
            # After a reset numbers are given again.
            self._seen = 0
        self._tell()

    def advance(self, number: int) -> Job:
        """Bring a job that is held into its next state and return it.

        Raises NotFoundError, and ConflictError when nothing holds it.
        """
        job = self._unfinished(number)
        with self._changed:
            course = self._course(number)
            if course is None or course.ends:
                raise ConflictError("No transition holds this job.")
            course.look_at_clock(job)
            stays = course.transition.end if course.begins else course.transition.start
            if stays == "never":
                raise ConflictError("The job's transition says that it stays where it is.")
            if not course.begins:
                course.begin()
            else:
                course.ends = True
        self._tell()
        return self._arrived(job)

    # --- the worker's side --------------------------------------------------------------------------------------------

    @property
    def resting(self) -> int:
        """See JobGate."""
        return self._resting

    def attach(self, wake: Callable[[], None]) -> None:
        """See JobGate."""
        self._wake = wake

    def closed_to(self) -> Collection[int]:
        """See JobGate."""
        with self._changed:
            self._learn()
            held = {number: each for number, each in self._courses.items() if not each.begins}
        for number, course in held.items():
            if not isinstance(course.transition.start, str) and (job := self._jobs.get(None, number)):
                course.look_at_clock(job)
        return [number for number, each in held.items() if not each.begins]

    def may_begin(self, job: Job) -> bool:
        """See JobGate."""
        with self._changed:
            course = self._course(job.id)
            if course is None:
                return True
            course.look_at_clock(job)
            return course.begins

    def runners(self, made: Mapping[str, Runner]) -> dict[str, Runner]:
        """Return the runners of a worker whose jobs end as their transitions say."""

        # It is loaded with the runners, for the first job.
        from soapstone.imports.runner import run_import

        def rejecting(run: Run) -> None:
            run_import(run, rejects=self._rejected_lines(run.job.id))

        return {kind: self._held(rejecting if runner is run_import else runner) for kind, runner in made.items()}

    def _held(self, runner: Runner) -> Runner:

        def run_held(run: Run) -> None:
            failure: SoapstoneError | None = None
            with self._changed:
                course = self._course(run.job.id)
                if course is not None and course.has_failed:
                    # The job is retried, and goes on by itself.
                    del self._courses[run.job.id]
                    course = None
            if course is not None and course.transition.outcome == "failed":
                failure = JobFailed(course.transition.reason)
            else:
                try:
                    runner(run)
                except SoapstoneError as trouble:
                    failure = trouble
            self._wait_for_end(run)
            if failure is not None:
                if course is not None:
                    course.has_failed = True
                raise failure

        return run_held

    def _rejected_lines(self, job_id: int) -> Mapping[int, str]:
        with self._changed:
            course = self._course(job_id)
            return {} if course is None else {each.row: each.reason for each in course.transition.reject_rows}

    def _wait_for_end(self, run: Run) -> None:
        """Wait until a running job may end. Raises what a chunk raises: the job can be cancelled meanwhile."""
        with self._changed:
            self._resting += 1
        self._wake()
        try:
            while True:
                with self._changed:
                    course = self._course(run.job.id)
                    if course is not None:
                        course.look_at_clock(run.job)
                    if course is None or course.ends:
                        return
                    self._changed.wait(LOOK_AROUND)
                job = self._jobs.get(None, run.job.id)
                if run.stopping() or job is None or job.cancel_asked or job.paused or job.attempt != run.job.attempt:
                    with run.chunk() as chunk:
                        chunk.progress = False
        finally:
            with self._changed:
                self._resting -= 1

    # --- the clients' side --------------------------------------------------------------------------------------------

    def asked(self, job: Job) -> Job:
        """Return a job as somebody is to see it who asks how far it is: see Jobs.asked. This counts as a poll."""
        with self._changed:
            course = None if job.over else self._course(job.id)
        if course is None:
            return job
        with course.turn:
            with self._changed:
                course.look_at_clock(job)
                course.count_poll()
            self._tell()
            return self._arrived(job)

    def _arrived(self, job: Job) -> Job:
        """Wait until a job is where its transition says, or cannot get there for another reason, and return it."""
        end = time.monotonic() + LONGEST_WAIT
        while True:
            with self._changed:
                course = self._courses.get(job.id)
            # As it stands in the records: what is remembered may be older than the last commit by a moment.
            job = self._jobs.get(None, job.id) or job
            if course is not None:
                course.look_at_clock(job)
            if job.over or course is None or not course.begins:
                return job
            if not course.ends and job.state == "running":
                return job
            if job.state == "queued" and self._waits(job):
                return job
            if time.monotonic() > end:
                log.warning("job %d did not get where its transition says within %.0f s", job.id, LONGEST_WAIT)
                return job
            time.sleep(LOOK)

    def _waits(self, job: Job) -> bool:
        """Return whether a queued job waits for something else: its time, its owner, or another job of its list."""
        if job.paused or not job.is_due(now()):
            return True
        column = jobs.c
        before = (column.list_id == job.list_id) & (column.id < job.id) & column.finished_at.is_(None)
        query = select(column.id).where(before, ~column.passes)
        with self._database.read() as connection:
            return job.list_id is not None and connection.execute(query.limit(1)).first() is not None

    # --- which transition is for which job ----------------------------------------------------------------------------

    def _course(self, job_id: int) -> _Course | None:
        if job_id > self._seen:
            self._learn()
        return self._courses.get(job_id)

    def _learn(self) -> None:
        """Give the jobs that were submitted since the last look their transitions, in the order of their numbers."""
        if not self._next and self._all is None:
            self._seen = self._newest()
            return
        query = select(jobs.c.id).where(jobs.c.id > self._seen, jobs.c.finished_at.is_(None)).order_by(jobs.c.id)
        with self._database.read() as connection:
            new = connection.execute(query).scalars().all()
        for number in new:
            self._seen = number
            if number not in self._courses and (made := self._next.popleft() if self._next else self._all):
                self._apply(made, number)

    def _apply(self, made: Transition, number: int) -> None:
        made.jobs.append(number)
        self._courses[number] = _Course(made.asked, begins=made.asked.start == "at_once")

    def _newest(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.max(jobs.c.id))).scalar_one() or 0

    def _unfinished(self, number: int) -> Job:
        job = self._jobs.get(None, number)
        if job is None:
            raise NotFoundError("There is no such job.")
        if job.over:
            raise ConflictError("The job is over.")
        return job

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._wake()
