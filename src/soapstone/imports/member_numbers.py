"""The numbers of new members, taken from the account's numbers (lk-35)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, text, update

from soapstone.jobs.run import JobFailed
from soapstone.store.bulk import upsert_rows
from soapstone.store.database import Database
from soapstone.store.numbers import LARGEST
from soapstone.store.tables import accounts, taken_numbers

# Locked with the account's number. Imports queue here rather than for the account's row, where those that wait for the
# end of an import stand before them.
_LOCK = 7390
# In this order. After so many seconds a chunk is rather done again, and its commit brings this one to disk.
_QUEUE_UP = text(
    "SELECT set_config('lock_timeout', '5s', true), set_config('synchronous_commit', 'off', true),"
    f" pg_advisory_xact_lock({_LOCK}, CAST(:account AS integer))"
)


class MemberNumbers:
    """Takes the numbers of one import's new members.

    Beside other imports they are taken in a transaction of their own, so that these need not wait for the end of the
    chunk. A chunk that is done again takes the same numbers: no number is lost by a crash.
    """

    def __init__(self, account_id: int, job_id: int, database: Database) -> None:
        self._account_id, self._job_id, self._database = account_id, job_id, database

    def take(self, connection: Connection, count: int, *, shared: bool) -> int:
        """Return the first of `count` numbers for the chunk of this transaction, which holds the account.

        `shared` says that other imports may hold it too. Raises JobFailed if the account has not so many numbers left.
        """
        if connection.dialect.name == "sqlite":
            return self._next(connection, count)
        mine = taken_numbers.c.job_id == self._job_id
        taken = connection.execute(select(taken_numbers).where(mine)).one_or_none()
        if taken is not None and taken.numbers >= count:
            first = int(taken.first)
        elif shared:
            first = self._take_apart(count)
        else:
            return self._next(connection, count)
        if connection.execute(delete(taken_numbers).where(mine, taken_numbers.c.numbers == count)).rowcount == 0:
            # What is left over serves the next chunk.
            values = {"first": taken_numbers.c.first + count, "numbers": taken_numbers.c.numbers - count}
            connection.execute(update(taken_numbers).where(mine).values(**values))
        return first

    def _take_apart(self, count: int) -> int:
        with self._database.write() as connection:
            connection.execute(_QUEUE_UP, {"account": self._account_id % (1 << 31)})
            first = self._next(connection, count)
            upsert_rows(connection, taken_numbers, ("job_id", "first", "numbers"), [(self._job_id, first, count)])
            return first

    def _next(self, connection: Connection, count: int) -> int:
        last = accounts.c.last_number
        mine = update(accounts).where(accounts.c.id == self._account_id, last <= LARGEST - count)
        given = connection.execute(mine.values(last_number=last + count).returning(last)).scalar_one_or_none()
        if given is None:
            raise JobFailed("The account has given out all its contact numbers.")
        return int(given) - count + 1
