"""Recording of mail events with all that follows: figures, and what each recipient did so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from soapstone.store.tables import bounces, deliveries, delivery_activities, mail_events, sends
from soapstone.store.unique import insert_into
from soapstone.tracking.bounce_classes import Bounce
from soapstone.tracking.event_log import NewEvent, append
from soapstone.tracking.figures import FigureChanges
from soapstone.vocabulary.tracking import MailEventKind

# Delivery ids in one query.
BATCH = 500

_DELIVERY = [deliveries.c[name] for name in ("id", "account_id", "message_id", "job_id", "contact_id", "is_test")]
# The kinds of which a recipient's first event counts, and the columns that remember them.
_DATES = {
    MailEventKind.OPEN: ("opened_at", "last_opened_at"),
    MailEventKind.READ: ("read_at", "last_read_at"),
    MailEventKind.CLICK: ("clicked_at", "last_clicked_at"),
}
# The figures that count every event of a kind.
_GROSS_FIGURES = {
    MailEventKind.OPEN: "opens",
    MailEventKind.CLICK: "clicks",
    MailEventKind.MACHINE_OPEN: "machine_opens",
    MailEventKind.MACHINE_CLICK: "machine_clicks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act of a mail's recipient, or of a program: an open, a read or a click, with the link of a click."""

    kind: MailEventKind
    delivery_id: int
    link_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousAct:
    """An open or a click of a mail that is tracked without persons."""

    kind: MailEventKind
    account_id: int
    message_id: int
    job_id: int
    is_test: bool
    link_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalResult:
    """The final result of sending a mail: it was accepted, or refused for good (`refusal`)."""

    delivery_id: int
    refusal: Bounce | None = None


def record_results(connection: Connection, results: Sequence[FinalResult]) -> None:
    """Record mails as sent; those that the server refused for good have bounced at once (lk-108, mm-112)."""
    rows = _deliveries(connection, [result.delivery_id for result in results])
    changes, events = FigureChanges(), []
    refused: list[tuple[Row[Any], Bounce]] = []
    for result in results:
        row = rows[result.delivery_id]
        events.append(_event(MailEventKind.SENT, row))
        changes.of_send(row.account_id, row.job_id, sent=1)
        if result.refusal is not None:
            refused.append((row, result.refusal))
            events.append(_event(MailEventKind.BOUNCE, row))
            changes.of_send(row.account_id, row.job_id, bounced=1)
    at = append(connection, events)
    _store_bounces(connection, refused, at)
    changes.store(connection)


def record_bounces(connection: Connection, found: Mapping[int, Bounce]) -> list[int]:
    """Record bounces by delivery; return the deliveries that had none before, the others stay as they were.

    A mail that was accepted before is `bounced` from now on.
    """
    rows = _deliveries(connection, found)
    known = _bounced(connection, rows)
    new = [(row, found[number]) for number, row in rows.items() if number not in known]
    changes = FigureChanges()
    for row, _ in new:
        changes.of_send(row.account_id, row.job_id, bounced=1)
    at = append(connection, [_event(MailEventKind.BOUNCE, row) for row, _ in new])
    _store_bounces(connection, new, at)
    these = deliveries.c.id.in_([row.id for row, _ in new])
    connection.execute(update(deliveries).where(these, deliveries.c.state == "handed").values(state="bounced"))
    changes.store(connection)
    return [row.id for row, _ in new]


def record_acts(connection: Connection, acts: Sequence[Act | AnonymousAct]) -> datetime:
    """Record what recipients and programs did, in this order; return the date of the events.

    A click proves that the mail was opened and read: it writes these events, too, where they are missing (lk-107). So
    does a read for an open. Acts on mails that do not exist any more are left out.
    """
    rows = _deliveries(connection, [act.delivery_id for act in acts if isinstance(act, Act)])
    batch = _Batch(rows, _activities(connection, rows), _clicked_links(connection, acts))
    for act in acts:
        if isinstance(act, AnonymousAct):
            batch.add_anonymous(act)
        elif act.delivery_id in rows:
            batch.add(act)
    return batch.store(connection)


class _Batch:
    """Acts that are recorded together: their events, figures, and the activities of the mails."""

    def __init__(
        self, rows: Mapping[int, Row[Any]], activities: Mapping[int, Row[Any]], clicked: set[tuple[int, int]]
    ) -> None:
        self._rows = rows
        self._activities = activities
        # Pairs of delivery and link that were clicked already.
        self._clicked = clicked
        self._events: list[NewEvent] = []
        self._changes = FigureChanges()
        # Events of this batch by delivery and kind.
        self._counts: dict[int, Counter[MailEventKind]] = defaultdict(Counter)

    def add(self, act: Act) -> None:
        """Add an act of a known mail, and the events that it proves."""
        row = self._rows[act.delivery_id]
        if act.kind in (MailEventKind.CLICK, MailEventKind.READ) and not self._has(row.id, MailEventKind.OPEN):
            self._add_event(MailEventKind.OPEN, row)
        if act.kind is MailEventKind.CLICK and not self._has(row.id, MailEventKind.READ):
            self._add_event(MailEventKind.READ, row)
        self._add_event(act.kind, row, act.link_id)
        if act.link_id is None:
            return
        if act.kind is MailEventKind.CLICK:
            first = (row.id, act.link_id) not in self._clicked
            self._clicked.add((row.id, act.link_id))
            self._changes.of_link(row.account_id, row.job_id, act.link_id, clicks=1, clickers=int(first))
        else:
            self._changes.of_link(row.account_id, row.job_id, act.link_id, machine_clicks=1)

    def add_anonymous(self, act: AnonymousAct) -> None:
        """Add an act without a person; reads are not counted then."""
        if act.kind not in _GROSS_FIGURES:
            return
        name = _GROSS_FIGURES[act.kind]
        self._changes.of_send(act.account_id, act.job_id, **{name: 1})
        if act.link_id is not None:
            self._changes.of_link(act.account_id, act.job_id, act.link_id, **{name: 1})
        event = NewEvent(
            kind=act.kind,
            account_id=act.account_id,
            message_id=act.message_id,
            job_id=act.job_id,
            is_test=act.is_test,
            delivery_id=None,
            has_contact=False,
            link_id=act.link_id,
        )
        self._events.append(event)

    def store(self, connection: Connection) -> datetime:
        """Store the batch; return the date of its events."""
        at = append(connection, self._events)
        if values := [self._activity(number, counts, at) for number, counts in sorted(self._counts.items())]:
            adding: Any = insert_into(delivery_activities, connection.dialect.name)
            changed = {name: adding.excluded[name] for name in values[0] if name not in ("delivery_id", "account_id")}
            query = adding.on_conflict_do_update(index_elements=[delivery_activities.c.delivery_id], set_=changed)
            connection.execute(query, values)
        self._changes.store(connection)
        return at

    def _add_event(self, kind: MailEventKind, row: Row[Any], link_id: int | None = None) -> None:
        if kind not in _DATES:
            self._changes.of_send(row.account_id, row.job_id, **{_GROSS_FIGURES[kind]: 1})
            self._events.append(_event(kind, row, link_id=link_id))
            return
        activity, before = self._activities.get(row.id), self._counts[row.id][kind]
        previous = None if activity is None or before else getattr(activity, _DATES[kind][1])
        repeats = bool(before) or previous is not None
        first = int(not repeats)
        if kind is MailEventKind.OPEN:
            self._changes.of_send(row.account_id, row.job_id, opens=1, openers=first)
        elif kind is MailEventKind.READ:
            self._changes.of_send(row.account_id, row.job_id, readers=first)
        else:
            second = int((0 if activity is None else activity.clicks) + before == 1)
            self._changes.of_send(row.account_id, row.job_id, clicks=1, clickers=first, repeat_clickers=second)
        self._counts[row.id][kind] += 1
        event = _event(kind, row, link_id=link_id, previous_at=previous, is_first=not repeats, repeats=repeats)
        self._events.append(event)

    def _has(self, delivery_id: int, kind: MailEventKind) -> bool:
        activity = self._activities.get(delivery_id)
        return self._counts[delivery_id][kind] > 0 or getattr(activity, _DATES[kind][0], None) is not None

    def _activity(self, delivery_id: int, counts: Counter[MailEventKind], at: datetime) -> dict[str, Any]:
        """Return the row of what a mail's recipient did so far."""
        old = self._activities.get(delivery_id)
        row: dict[str, Any] = {"delivery_id": delivery_id, "account_id": self._rows[delivery_id].account_id}
        for kind, (first, last) in _DATES.items():
            here = at if counts[kind] else None
            row[first] = getattr(old, first, None) or here
            row[last] = here or getattr(old, last, None)
        row["opens"] = getattr(old, "opens", 0) + counts[MailEventKind.OPEN]
        row["clicks"] = getattr(old, "clicks", 0) + counts[MailEventKind.CLICK]
        return row


def _event(kind: MailEventKind, row: Row[Any], **more: Any) -> NewEvent:
    return NewEvent(
        kind=kind,
        account_id=row.account_id,
        message_id=row.message_id,
        job_id=row.job_id,
        is_test=row.is_test,
        delivery_id=row.id,
        has_contact=row.contact_id is not None,
        **more,
    )


def _deliveries(connection: Connection, numbers: Iterable[int]) -> dict[int, Row[Any]]:
    """Lock the rows of these deliveries, in one order; return them by number."""
    found: dict[int, Row[Any]] = {}
    for these in _pieces(numbers):
        query = select(*_DELIVERY).where(deliveries.c.id.in_(these)).order_by(deliveries.c.id).with_for_update()
        found |= {row.id: row for row in connection.execute(query)}
    return found


def _activities(connection: Connection, numbers: Iterable[int]) -> dict[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    for these in _pieces(numbers):
        query = select(delivery_activities).where(delivery_activities.c.delivery_id.in_(these))
        found |= {row.delivery_id: row for row in connection.execute(query)}
    return found


def _clicked_links(connection: Connection, acts: Sequence[Act | AnonymousAct]) -> set[tuple[int, int]]:
    """Return the pairs of delivery and link that were clicked before, of the deliveries with a click among the acts."""
    event, found = mail_events.c, set[tuple[int, int]]()
    clicking = [act.delivery_id for act in acts if isinstance(act, Act) and act.kind is MailEventKind.CLICK]
    for these in _pieces(clicking):
        query = select(event.delivery_id, event.link_id).where(
            event.delivery_id.in_(these), event.kind == MailEventKind.CLICK.value, event.link_id.is_not(None)
        )
        found |= {(row.delivery_id, row.link_id) for row in connection.execute(query.distinct())}
    return found


def _store_bounces(connection: Connection, found: Sequence[tuple[Row[Any], Bounce]], at: datetime) -> None:
    for row, bounce in found:
        values = {
            "delivery_id": row.id,
            "account_id": row.account_id,
            "at": at,
            "class": bounce.bounce_class.value,
            "reason": bounce.reason,
            "code": bounce.code,
            "detail": bounce.detail,
            "contact_bounces": 1 + _earlier_bounces(connection, row),
        }
        connection.execute(insert(bounces).values(**values))


def _earlier_bounces(connection: Connection, row: Row[Any]) -> int:
    """Return the number of bounces so far of this contact in sends to the same list."""
    if row.contact_id is None:
        return 0
    list_id = select(sends.c.list_id).where(sends.c.job_id == row.job_id).scalar_subquery()
    query = (
        select(func.count())
        .select_from(deliveries)
        .join(bounces, bounces.c.delivery_id == deliveries.c.id)
        .join(sends, sends.c.job_id == deliveries.c.job_id)
        .where(deliveries.c.contact_id == row.contact_id, ~deliveries.c.is_test, sends.c.list_id == list_id)
    )
    return int(connection.execute(query).scalar_one())


def _bounced(connection: Connection, numbers: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for these in _pieces(numbers):
        found |= set(
            connection.execute(select(bounces.c.delivery_id).where(bounces.c.delivery_id.in_(these))).scalars()
        )
    return found


def _pieces(numbers: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(numbers))
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))
