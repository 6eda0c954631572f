"""Metrics of jobs: open jobs, and totals since this process first read them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, select

from soapstone.clock import now
from soapstone.jobs.queue import is_due
from soapstone.store.database import Database
from soapstone.store.tables import job_events, jobs
from soapstone.store.timestamps import EPOCH
from soapstone.vocabulary.jobs import ENDED

# Most rows that one look reads: of jobs that are not over, of started ones, and of ends.
MOST_OPEN, MOST_BEGUN, MOST_ENDS = 100_000, 10_000, 10_000
# An event may be committed after one with a higher number: so many numbers are read again.
OVERLAP = 1000
# Jobs whose last counters are remembered, beside running ones: a failed job may be retried.
REMEMBERED = 10_000


@dataclass(frozen=True)
class OpenJobs:
    """Jobs that are not over, by kind and state, and the seconds that the oldest runnable one has waited.

    States are "queued" (may run), "scheduled" (due later), "paused" and "running".
    """

    counts: Mapping[tuple[str, str], int]
    oldest: float


class Activity:
    """Reads jobs repeatedly and adds up what is new. Used by one thread at a time.

    `ended` has the ends of jobs by kind and state, `counted` the growth of their counters by kind and name. Both begin
    at the first look. Falling counters, such as those of a delivery state, do not count.
    """

    def __init__(self, database: Database) -> None:
        self.ended: Counter[tuple[str, str]] = Counter()
        self.counted: Counter[tuple[str, str]] = Counter()
        self._database = database
        # The highest number of an event, and those of the last ends read.
        self._last_event: int | None = None
        self._read: set[int] = set()
        # The counters of each job at the last look. A job that starts after the latest start until then is new.
        self._counters: OrderedDict[int, Mapping[str, int]] = OrderedDict()
        self._latest_start = EPOCH

    def look(self) -> OpenJobs:
        """Read the jobs of all accounts. Raises RecordsUnavailable."""
        column = jobs.c
        begun = select(column.id, column.kind, column.started_at, column.counters)
        begun = begun.where(column.finished_at.is_(None), column.started_at.is_not(None))
        with self._database.read() as connection:
            found = _open_jobs(connection)
            first = self._last_event is None
            ends = self._ends(connection)
            rows = connection.execute(begun.order_by(column.id.desc()).limit(MOST_BEGUN)).all()
        for end in ends:
            self.ended[end.kind, end.state] += 1
        if first:
            self._latest_start = now()
        latest = self._latest_start
        for row in (*ends, *rows):
            if row.started_at is not None:
                self._add(row, is_new=not first and row.started_at > latest)
        while len(self._counters) > len(rows) + REMEMBERED:
            self._counters.popitem(last=False)
        return found

    def _ends(self, connection: Connection) -> Sequence[Any]:
        """Return the jobs that ended since the last look, oldest end first; none at the first look."""
        event = job_events.c
        highest = connection.execute(select(func.max(event.id))).scalar_one() or 0
        first = self._last_event is None
        since = (highest if self._last_event is None else self._last_event) - OVERLAP
        columns = (event.id.label("event_id"), event.state, jobs.c.id, jobs.c.kind, jobs.c.started_at, jobs.c.counters)
        query = select(*columns).join(jobs, jobs.c.id == event.job_id).where(event.id > since, event.state.in_(ENDED))
        found = connection.execute(query.order_by(event.id).limit(MOST_ENDS)).all()
        new = [end for end in found if end.event_id not in self._read]
        self._last_event = found[-1].event_id if len(found) == MOST_ENDS else max(highest, since + OVERLAP)
        self._read = {end.event_id for end in found}
        return [] if first else new

    def _add(self, row: Any, *, is_new: bool) -> None:
        """Add the growth of a job's counters. An older job that is not remembered adds nothing."""
        before = self._counters.get(row.id, {} if is_new else row.counters)
        for name, count in row.counters.items():
            if count > before.get(name, 0):
                self.counted[row.kind, name] += count - before.get(name, 0)
        self._counters[row.id] = row.counters
        self._counters.move_to_end(row.id)
        self._latest_start = max(self._latest_start, row.started_at)


def oldest_queued(database: Database) -> float:
    """Return the seconds that the oldest runnable job has waited. Raises RecordsUnavailable."""
    moment, column = now(), jobs.c
    runnable = (column.state == "queued") & ~column.paused & is_due(moment)
    query = select(func.min(column.due_at)).where(column.finished_at.is_(None), runnable)
    with database.read() as connection:
        due = connection.execute(query).scalar_one()
    return 0.0 if due is None else max(0.0, float((moment - due).total_seconds()))


def _open_jobs(connection: Connection) -> OpenJobs:
    moment, column = now(), jobs.c
    state = case(
        (column.state == "running", "running"),
        (column.paused, "paused"),
        (~is_due(moment), "scheduled"),
        else_="queued",
    )
    unfinished = select(column.kind, state.label("state"), column.due_at).where(column.finished_at.is_(None))
    row = unfinished.limit(MOST_OPEN).subquery().c
    query = select(row.kind, row.state, func.count().label("times"), func.min(row.due_at).label("due_at"))
    found = connection.execute(query.group_by(row.kind, row.state)).all()
    due = [each.due_at for each in found if each.state == "queued"]
    counts = {(each.kind, each.state): each.times for each in found}
    return OpenJobs(counts, max(0.0, (moment - min(due)).total_seconds()) if due else 0.0)
