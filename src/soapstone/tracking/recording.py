"""Recording of mail events with all that follows: figures, and what each recipient did so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Update, update

from soapstone.store.bulk import among, insert_rows, listed, select_by_key
from soapstone.store.driver import run_query
from soapstone.store.tables import bounces, deliveries
from soapstone.store.timestamps import microseconds
from soapstone.tracking import consequences
from soapstone.tracking.act_batch import Act as Act
from soapstone.tracking.act_batch import ActBatch, look_up_links, mail_figures, read_states
from soapstone.tracking.act_batch import AnonymousAct as AnonymousAct
from soapstone.tracking.act_plans import ActPlan
from soapstone.tracking.bounce_classes import Bounce
from soapstone.tracking.event_log import NewEvents, Origin, append
from soapstone.tracking.figures import FigureChanges
from soapstone.tracking.sent_mails import SentMail, lock_accounts, lock_mails, read_mails
from soapstone.vocabulary.tracking import MailEventKind

# What the events of a mail need of it.
_DELIVERY = [deliveries.c[name] for name in ("id", "account_id", "message_id", "job_id", "is_test", "contact_id")]
_BOUNCE = ("delivery_id", "account_id", "at", "class", "reason", "code", "detail", "contact_bounces")


class PastEvent(NamedTuple):
    """An event of a mail that another service has sent, with its date in microseconds since 1970."""

    kind: MailEventKind
    delivery_id: int
    at: int
    link_id: int | None = None


class FinalResult(NamedTuple):
    """The final result of sending a mail: it was accepted, or refused for good (`refusal`)."""

    delivery_id: int
    refusal: Bounce | None = None


def record_results(
    connection: Connection, results: Sequence[FinalResult], changes: FigureChanges | None = None
) -> None:
    """Record mails as sent; those that the server refused for good have bounced at once (lk-108, mm-112).

    What follows from bounces for their recipients is part of it. The figures are stored, or added to `changes`, which
    the caller stores at its end: figures of one transaction are locked in one order.
    """
    refusals = {result.delivery_id: result.refusal for result in results if result.refusal is not None}
    lock_accounts(connection, [number for number, refusal in refusals.items() if refusal.is_hard])
    origins = _origins(connection, {result.delivery_id for result in results})
    events = NewEvents()
    events.add_each(MailEventKind.SENT, [(origins[number], number) for number, _ in results])
    events.add_each(MailEventKind.BOUNCE, [(origins[number], number) for number in refusals])
    refused = read_mails(connection, refusals)
    at = append(connection, events)
    _store_bounces(connection, [(refused[number], refusal) for number, refusal in refusals.items()], at)
    added = mail_figures(events, changes)
    if changes is None:
        added.store(connection)


def record_bounces(connection: Connection, found: Mapping[int, Bounce]) -> list[int]:
    """Record bounces by delivery; return the deliveries that had none before, the others stay as they were.

    A mail that was accepted before is `bounced` from now on. What follows for the recipients is part of it.
    """
    lock_mails(connection, found)
    mails = read_mails(connection, found)
    return record_bounces_of(connection, [(mail, found[number]) for number, mail in mails.items()])


def record_bounces_of(
    connection: Connection, found: Sequence[tuple[SentMail, Bounce]], changes: FigureChanges | None = None
) -> list[int]:
    """Record bounces as `record_bounces` does, of mails that are locked and were read since.

    `changes` are as in `record_results`.
    """
    new = [(mail, bounce) for mail, bounce in found if mail.bounce_class is None]
    if not new:
        return []
    events = NewEvents()
    for mail, _ in new:
        origin = Origin(mail.account_id, mail.message_id, mail.job_id, mail.is_test, mail.contact_id is not None)
        events.add(MailEventKind.BOUNCE, origin, mail.id)
    at = append(connection, events)
    numbers = [mail.id for mail, _ in new]
    run_query(connection, _came_back(connection.dialect.name), {"numbers": listed(connection, numbers)})
    _store_bounces(connection, new, at)
    added = mail_figures(events, changes)
    if changes is None:
        added.store(connection)
    return numbers


def record_acts(connection: Connection, acts: Sequence[Act | AnonymousAct], plan: ActPlan | None = None) -> datetime:
    """Record what recipients and programs did, in this order; return the date of the events.

    A click proves that the mail was opened and read: it writes these events, too, where they are missing (lk-107). So
    does a read for an open. Acts on mails that do not exist any more are left out.

    With a `plan` of these acts less is left to do. Raises OutdatedPlan if it does not
    hold; the transaction must be rolled back then.
    """
    if plan is not None:
        return plan.store(connection)
    mails = read_states(connection, {act.delivery_id for act in acts if isinstance(act, Act)})
    batch = ActBatch()
    batch.add_acts(connection, mails, acts)
    return batch.store(connection)


def record_past(connection: Connection, found: Sequence[PastEvent]) -> None:
    """Record events of the past, which come in the order of their dates.

    They prove no others, and nothing follows from them: the other service has told all that there was.
    """
    mails = read_states(connection, {each.delivery_id for each in found})
    look_up_links(connection, mails, {each.delivery_id for each in found if each.kind is MailEventKind.CLICK})
    batch = ActBatch()
    for each in found:
        batch.add_event(each.kind, mails[each.delivery_id], each.link_id, each.at)
    batch.store(connection)


def _origins(connection: Connection, numbers: Collection[int]) -> dict[int, Origin]:
    """Lock the rows of these deliveries; return by number where their events come from."""
    lock = "ORDER BY id FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    found: dict[int, Origin] = {}
    # Mails of one send share an object: it is made once, and known again at once.
    shared: dict[tuple[Any, ...], Origin] = {}
    for number, *of_send, is_test, contact_id in select_by_key(
        connection, _DELIVERY, deliveries.c.id, numbers, also=lock
    ):
        key = (*of_send, bool(is_test), contact_id is not None)
        origin = shared.get(key)
        if origin is None:
            origin = shared[key] = Origin._make(key)
        found[number] = origin
    return found


def _store_bounces(connection: Connection, found: Sequence[tuple[SentMail, Bounce]], at: datetime) -> None:
    """Store new bounces, with what follows from them for the recipients."""
    moment, rows = microseconds(at), []
    # Bounces by contact and list.
    new: Counter[tuple[int | None, int | None]] = Counter()
    for mail, bounce in found:
        key = mail.contact_id, mail.list_id
        words = bounce.bounce_class.value, bounce.reason, bounce.code, bounce.detail
        rows.append((mail.id, mail.account_id, moment, *words, 1 + mail.bounces_before + new[key]))
        if not mail.is_test and None not in key:
            new[key] += 1
    insert_rows(connection, bounces, _BOUNCE, rows)
    consequences.of_bounces(connection, found, at)


@cache
def _came_back(kind: str) -> Update:
    """Return the statement that changes the state of accepted mails that came back."""
    these = among(deliveries.c.id, kind, "numbers")
    return update(deliveries).where(these, deliveries.c.state == "handed").values(state="bounced")
