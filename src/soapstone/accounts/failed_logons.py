"""Failed logons, counted by name and by address before a password is checked (lk-13)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Connection, Delete, delete, func, insert, select

from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import logon_failures
from soapstone.store.transient_errors import RecordsUnavailable

log = logging.getLogger(__name__)

# Seconds that a logon waits for other writers; then it is counted in memory.
PATIENCE = 2.0
# Most counts in memory while the database cannot be written.
MOST_IN_MEMORY = 10_000


class CountReached(Exception):
    """Too many failures: no further attempt is allowed for now."""


@dataclass(frozen=True)
class Count:
    """Failures under one key, a digest of 64 characters, and the number that locks it."""

    key: str
    limit: int


@dataclass(frozen=True)
class Attempt:
    """A failure counted in advance, in rows or in memory."""

    counts: Sequence[Count]
    at: datetime
    rows: Sequence[int]


class FailedLogons:
    """Counts of failed logons. `limit` failures within a time lock a count until the same time after the last one.

    While the database cannot be written, for example on a full disk, failures are counted in memory.
    """

    def __init__(self, database: Database, within: timedelta) -> None:
        self._database = database
        self._within = within
        self._memory: OrderedDict[str, list[datetime]] = OrderedDict()
        self._lock = Lock()

    def reached(self, connection: Connection, counts: Sequence[Count]) -> bool:
        """Return whether one of the counts is locked."""
        moment = now()
        rows = self._rows(connection, counts, moment)
        with self._lock:
            return self._reached(rows, counts, moment)

    def begin(self, counts: Sequence[Count]) -> Attempt:
        """Count a failure in advance: an attempt that succeeds takes it back. Raises CountReached.

        Of concurrent callers, in any number of processes, at most `limit` succeed.
        """
        try:
            with self._database.write(patience=PATIENCE) as connection:
                if self._database.kind == "postgresql":
                    for key in sorted(count.key for count in counts):
                        number = int.from_bytes(bytes.fromhex(key)[:8], signed=True)
                        connection.execute(select(func.pg_advisory_xact_lock(number)))
                moment = now()
                connection.execute(self._too_old(moment))
                known = self._rows(connection, counts, moment)
                with self._lock:
                    if self._reached(known, counts, moment):
                        raise CountReached
                    locks = self._reached([*known, *((count.key, moment) for count in counts)], counts, moment)
                values = [{"count_key": count.key, "failed_at": moment} for count in counts]
                rows = connection.execute(insert(logon_failures).returning(logon_failures.c.id), values).scalars().all()
                if locks:
                    # A caller who is known is refused from now on.
                    self._database.count_change(connection)
                return Attempt(counts, moment, rows)
        except RecordsUnavailable as reason:
            return self._begin_in_memory(counts, reason)

    def take_back(self, attempt: Attempt) -> None:
        """Uncount the attempt, which succeeded."""
        with self._lock:
            for count in () if attempt.rows else attempt.counts:
                times = self._memory.get(count.key, [])
                if attempt.at in times:
                    times.remove(attempt.at)
        if attempt.rows:
            try:
                with self._database.write() as connection:
                    connection.execute(delete(logon_failures).where(logon_failures.c.id.in_(attempt.rows)))
            except RecordsUnavailable as trouble:
                # It counts as a failure until it expires.
                log.warning("a successful logon stays counted as a failure: %s", trouble.told)

    def sweep(self) -> None:
        """Delete expired failures."""
        with self._database.write() as connection:
            connection.execute(self._too_old(now()))

    def _too_old(self, moment: datetime) -> Delete:
        return delete(logon_failures).where(logon_failures.c.failed_at < moment - 2 * self._within)

    def _begin_in_memory(self, counts: Sequence[Count], reason: RecordsUnavailable) -> Attempt:
        moment = now()
        with self._database.read() as connection:
            rows = self._rows(connection, counts, moment)
        with self._lock:
            if not self._memory:
                log.warning("failed logons are counted in memory: %s", reason)
            if self._reached(rows, counts, moment):
                raise CountReached
            for count in counts:
                self._memory.setdefault(count.key, []).append(moment)
                self._memory.move_to_end(count.key)
            self._forget(moment)
        return Attempt(counts, moment, ())

    def _rows(
        self, connection: Connection, counts: Sequence[Count], moment: datetime
    ) -> Sequence[tuple[str, datetime]]:
        row = logon_failures.c
        query = select(row.count_key, row.failed_at).where(
            row.count_key.in_([count.key for count in counts]), row.failed_at > moment - 2 * self._within
        )
        return [(key, at) for key, at in connection.execute(query)]

    def _reached(self, rows: Iterable[tuple[str, datetime]], counts: Sequence[Count], moment: datetime) -> bool:
        """Return whether these rows and the counts in memory lock a count. The caller holds the lock."""
        if self._memory:
            self._forget(moment)
        for count in counts:
            times = sorted([at for key, at in rows if key == count.key] + self._memory.get(count.key, []))
            last = times[-count.limit :]
            if len(last) == count.limit and last[-1] - last[0] <= self._within and moment < last[-1] + self._within:
                return True
        return False

    def _forget(self, moment: datetime) -> None:
        for key, times in list(self._memory.items()):
            kept = [at for at in times if at > moment - 2 * self._within]
            if kept:
                self._memory[key] = kept
            else:
                del self._memory[key]
        while len(self._memory) > MOST_IN_MEMORY:
            self._memory.popitem(last=False)
