"""Retention of what recipients did: old opens, reads and clicks are deleted, the figures stay."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, select

from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import delivery_activities, event_counters, mail_events, messages
from soapstone.vocabulary.tracking import MailEventKind

# Events of one step: other writers wait no longer than for a chunk of an import.
STEP = 5000
# Mails stay in the ledger, so the events that tell the same stay, too.
_EXPIRING = tuple(kind for kind in MailEventKind if kind not in (MailEventKind.SENT, MailEventKind.BOUNCE))
_LAST = [delivery_activities.c[name] for name in ("last_opened_at", "last_read_at", "last_clicked_at")]


class EventRetention:
    """Deletes events that are older than `days`; 0 means none."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    def sweep(self) -> None:
        """Delete all expired events, step by step, from the lowest number of each message and kind."""
        if not self._days:
            return
        before = now() - timedelta(days=self._days)
        counter = event_counters.c
        scopes = (counter.scope.in_(("message", "test"))) & counter.kind.in_([kind.value for kind in _EXPIRING])
        query = (
            select(counter.scope, counter.scope_id, counter.kind)
            .join(messages, messages.c.id == counter.scope_id)
            .where(scopes, messages.c.created_at < before)
        )
        with self._database.read() as connection:
            found = connection.execute(query).all()
        for row in found:
            while self._delete(row.scope_id, row.scope == "test", row.kind, before):
                pass

    def _delete(self, message_id: int, is_test: bool, kind: str, before: datetime) -> bool:
        """Delete the next step of events of a message; return whether there may be more."""
        event = mail_events.c
        these = and_(event.message_id == message_id, event.is_test == is_test, event.kind == kind)
        query = select(event.number, event.at, event.delivery_id).where(these).order_by(event.number).limit(STEP)
        with self._database.read() as connection:
            old = [row for row in connection.execute(query) if row.at < before]
        if not old:
            return False
        persons = sorted({row.delivery_id for row in old if row.delivery_id is not None})
        with self._database.write() as connection:
            connection.execute(delete(mail_events).where(these, event.number <= old[-1].number))
            silent = [last.is_(None) | (last < before) for last in _LAST]
            connection.execute(
                delete(delivery_activities).where(delivery_activities.c.delivery_id.in_(persons), *silent)
            )
        return len(old) == STEP
