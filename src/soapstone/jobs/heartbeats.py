"""Heartbeats in the database, which show the live workers of all machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from soapstone.jobs import leases
from soapstone.store.repository import Repository
from soapstone.store.tables import workers

# Seconds between two heartbeats of a worker, on PostgreSQL at most, and the age of the last one at which it no longer
# counts as alive.
PAUSE = 10.0
LIVES = timedelta(seconds=60)
# How long the last heartbeat of a worker without a clean end is kept.
KEPT = timedelta(hours=1)
# Seconds that a heartbeat waits for other writers; the next one comes soon.
PATIENCE = 2.0


@dataclass(frozen=True)
class Heartbeat:
    """A worker by its name (`host:process:start`): its start, its last heartbeat, and the age of that.

    The age is measured by the database's clock; it is negative after that clock was set back.
    """

    worker: str
    began_at: datetime
    at: datetime
    age: timedelta

    @property
    def alive(self) -> bool:
        """Whether the worker counts as alive."""
        return abs(self.age) < LIVES


class Heartbeats(Repository):
    """The heartbeats of all workers of one installation.

    One clock times all of them, so that those of the machines need not agree: that of the PostgreSQL server, or of the
    one machine that uses a SQLite file.
    """

    def begin(self, worker: str) -> None:
        """Store a worker's first heartbeat. A SQLite file has one worker, so earlier ones are deleted."""
        with self._database.write(patience=PATIENCE) as connection:
            if self._database.kind == "sqlite":
                connection.execute(delete(workers))
            _beat(connection, worker)

    def beat(self, worker: str) -> None:
        """Store a worker's heartbeat, and delete those of workers that have long been silent."""
        with self._database.write(patience=PATIENCE) as connection:
            _beat(connection, worker)

    def end(self, worker: str) -> None:
        """Delete the heartbeat of a worker that ends."""
        with self._database.write(patience=PATIENCE) as connection:
            connection.execute(delete(workers).where(workers.c.name == worker))

    def all(self) -> list[Heartbeat]:
        """Return the last heartbeat of each worker that has not ended cleanly, the newest first; check `alive`."""
        query = select(workers).order_by(workers.c.beat_at.desc(), workers.c.name)
        with self._database.read() as connection:
            rows, moment = connection.execute(query).all(), leases.moment(connection)
        return [Heartbeat(row.name, row.began_at, row.beat_at, moment - row.beat_at) for row in rows]


def _beat(connection: Connection, worker: str) -> None:
    moment = leases.moment(connection)
    if not connection.execute(update(workers).where(workers.c.name == worker).values(beat_at=moment)).rowcount:
        connection.execute(insert(workers).values(name=worker, began_at=moment, beat_at=moment))
    connection.execute(delete(workers).where(workers.c.beat_at < moment - KEPT))
