"""The numbers of new members, taken from the account's numbers (lk-35)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from soapstone.jobs.run import JobFailed
from soapstone.store.database import Database
from soapstone.store.numbers import LARGEST
from soapstone.store.tables import accounts, taken_numbers

# Locked with the account's number. Imports queue here rather than for the account's row, where those that wait for the
# end of an import stand before them.
_LOCK = 7390
# Seconds after which a chunk is rather done again.
_PATIENCE = 5


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
        # What is left over serves the next chunk.
        values = {"first": taken_numbers.c.first + count, "numbers": taken_numbers.c.numbers - count}
        connection.execute(update(taken_numbers).where(mine).values(**values))
        connection.execute(delete(taken_numbers).where(mine, taken_numbers.c.numbers == 0))
        return first

    def _take_apart(self, count: int) -> int:
        with self._database.write() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}s'")
            # The chunk's commit brings this one to disk.
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK, self._account_id % (1 << 31))))
            first = self._next(connection, count)
            connection.execute(delete(taken_numbers).where(taken_numbers.c.job_id == self._job_id))
            connection.execute(insert(taken_numbers).values(job_id=self._job_id, first=first, numbers=count))
            return first

    def _next(self, connection: Connection, count: int) -> int:
        last = accounts.c.last_number
        mine = update(accounts).where(accounts.c.id == self._account_id, last <= LARGEST - count)
        given = connection.execute(mine.values(last_number=last + count).returning(last)).scalar_one_or_none()
        if given is None:
            raise JobFailed("The account has given out all its contact numbers.")
        return int(given) - count + 1
