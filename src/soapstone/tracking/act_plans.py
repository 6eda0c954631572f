"""Plans: acts that are made into events ahead, on PostgreSQL while the server stores those before them.

A plan rests on what recipients did before, as it was read without locks, or as the plans before it made it: what is
known of a mail is read once. The transaction that stores a plan locks the mails as any other does, and finds out under
the locks whether all of that is still so. If it is not, the plan is outdated, and nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from soapstone.store.bulk import array, run, select_by_key
from soapstone.store.tables import deliveries
from soapstone.tracking.act_batch import Act, ActBatch, AnonymousAct, MailState, read_states
from soapstone.tracking.event_log import append

# Mails that are remembered, and those of one more batch.
MOST_KNOWN = 30_000
# Batches that are recorded without a plan after one that was outdated: somebody else records acts of the same mails.
SHY = 20

_LOCK = """
    WITH mail AS MATERIALIZED (
        SELECT id, contact_id FROM delivery WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE
    )
    SELECT array_agg(id) FILTER (WHERE contact_id IS NULL) FROM mail
"""


class OutdatedPlan(Exception):
    """Somebody else has recorded acts of a plan's mails, or has deleted one of their people."""


class _Known:
    """What is known of mails: `states` after all plans so far, and the dates of these plans by their numbers.

    It is right no more once one of its plans was not stored.
    """

    def __init__(self) -> None:
        self.states: dict[int, MailState] = {}
        self.moments: dict[int, int] = {}
        self.is_right = True


class ActPlan:
    """What is to be stored of a batch of acts."""

    def __init__(self, kind: str, known: _Known, batch: ActBatch, mails: Sequence[MailState]) -> None:
        self._known = known
        self._events = batch.events
        self._figures = batch.figures()
        self._changes = batch.changes(kind)
        self._mails = sorted(mail.id for mail in mails)
        self._without_contact = {mail.id for mail in mails if not mail.origin.has_contact}

    def store(self, connection: Connection) -> datetime:
        """Store it; return the date of its events. Raises OutdatedPlan."""
        try:
            return self._store(connection)
        except BaseException:
            self._known.is_right = False
            raise

    def _store(self, connection: Connection) -> datetime:
        if not self._known.is_right:
            raise OutdatedPlan
        if _lock(connection, self._mails) != self._without_contact:
            raise OutdatedPlan
        at = append(connection, self._events)
        moments = self._events.moments
        if not self._changes.store(connection, moments.get(self._events.now, 0), moments):
            raise OutdatedPlan
        self._figures.store(connection)
        return at


def _lock(connection: Connection, mails: Sequence[int]) -> set[int]:
    """Lock these mails, which ascend; return those whose people are deleted.

    SQLite's transactions that write have locked all.
    """
    if connection.dialect.name == "sqlite":
        gone = select_by_key(connection, [deliveries.c.id], deliveries.c.id, mails, also="AND contact_id IS NULL")
        return {number for (number,) in gone}
    ((without_contact,),) = run(connection, _LOCK, (array(mails),))
    return set(without_contact or ())


class ActPlans:
    """Makes plans, each of which rests on those before it: all are stored, in their order."""

    def __init__(self) -> None:
        self._known = _Known()
        self._number = 0
        self._shy = 0

    def plan(self, connection: Connection, acts: Sequence[Act | AnonymousAct]) -> ActPlan | None:
        """Return the plan of these acts; None if they should be recorded without.

        What is recorded without a plan is stored before the next call, and what is known must be forgotten then.
        """
        if not self._known.is_right:
            self._known, self._shy = _Known(), SHY
        if self._shy:
            self._shy -= 1
            return None
        known = self._known
        numbers = {act.delivery_id for act in acts if isinstance(act, Act)}
        known.states |= read_states(connection, numbers - known.states.keys(), locked=False)
        self._number -= 1
        batch = ActBatch(self._number, known.moments)
        batch.add_acts(connection, known.states, acts)
        mails = [mail for number in numbers if (mail := known.states.get(number)) is not None]
        return ActPlan(connection.dialect.name, known, batch, mails)

    @property
    def is_full(self) -> bool:
        """Whether so much is known that it should be forgotten."""
        return len(self._known.states) > MOST_KNOWN

    def forget(self) -> None:
        """Forget what is known. No plan is under way then."""
        self._known = _Known()
