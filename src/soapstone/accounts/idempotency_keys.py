"""Answers to requests that carry an idempotency key: the same request again gets the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select, update

from soapstone.accounts.account import Login
from soapstone.clock import now
from soapstone.errors import ConflictError, InvalidError
from soapstone.store.database import Database
from soapstone.store.tables import idempotent_answers
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.store.unique import looks_again

# How long a key is kept, with its answer or, when its request never ended and its effect is unknown, without.
KEPT = timedelta(days=1)
# Most keys remembered as released until the database accepts changes again.
MOST_RELEASED = 10_000


@dataclass(frozen=True)
class Answer:
    """A stored answer: HTTP status and body."""

    status: int
    body: str


class IdempotencyKeys:
    """Stores answers by login and key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Login and key of keys that could not be released in the database.
        self._released: set[tuple[int, str]] = set()

    @looks_again
    def begin(self, login: Login, key: str, request_hash: str) -> Answer | None:
        """Claim a key. Return the stored answer, or None when the request is new and must be answered.

        Raises InvalidError for a key of another request, ConflictError while the request is unanswered.
        """
        table, moment = idempotent_answers.c, now()
        mine = (table.login_id == login.id) & (table.key == key)
        values = {"account_id": login.account_id, "login_id": login.id, "key": key, "request_hash": request_hash}
        stale = table.created_at < moment - KEPT
        # Only one request may claim a released key.
        if released := self._take_released(login, key):
            stale |= table.status.is_(None)
        try:
            with self._database.write() as connection:
                connection.execute(delete(idempotent_answers).where(mine, stale))
                row = connection.execute(select(idempotent_answers).where(mine)).one_or_none()
                if row is None:
                    connection.execute(insert(idempotent_answers).values(**values, created_at=moment))
                    return None
        except Exception:
            if released:
                self._released.add((login.id, key))
            raise
        if row.request_hash != request_hash:
            raise InvalidError("This idempotency key was used for another request.")
        if row.status is None:
            raise ConflictError("The request with this idempotency key is still being answered, or was broken off.")
        return Answer(row.status, row.answer)

    def end(self, login: Login, key: str, answer: Answer | None) -> None:
        """Store the answer; None releases the key of a request without effect."""
        table = idempotent_answers.c
        mine = (table.login_id == login.id) & (table.key == key)
        with self._database.write() as connection:
            if answer is None:
                connection.execute(delete(idempotent_answers).where(mine))
            else:
                values = {"status": answer.status, "answer": answer.body}
                connection.execute(update(idempotent_answers).where(mine).values(**values))

    def release(self, login: Login, key: str) -> None:
        """Release the key of a request without effect, at the latest at its next use."""
        try:
            self.end(login, key, None)
        except RecordsUnavailable:
            if len(self._released) < MOST_RELEASED:
                self._released.add((login.id, key))

    def _take_released(self, login: Login, key: str) -> bool:
        try:
            self._released.remove((login.id, key))
        except KeyError:
            return False
        return True

    def sweep(self) -> None:
        """Delete expired answers."""
        with self._database.write() as connection:
            connection.execute(delete(idempotent_answers).where(idempotent_answers.c.created_at < now() - KEPT))
