"""What follows from bounces and complaints for the recipient: the list is left, the address is suppressed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from soapstone.accounts.account import Account, account_within
from soapstone.clock import now
from soapstone.contacts.changes import Cause, Change, change_within
from soapstone.contacts.complaints import complain
from soapstone.contacts.contacts import suppress
from soapstone.store.tables import accounts, bounces, deliveries, delivery_activities, lists, sends
from soapstone.tracking.figures import FigureChanges
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.tracking import HARD_BOUNCES, BounceClass, BounceHandling

# The ways in which a contact leaves a list (lk-110).
BY_BOUNCE = "Bounce"
BY_COMPLAINT = "Feedback Loop"
# A mail that has not come back after this time has arrived, as far as the row of bounces of mm-123 goes.
SETTLED_AFTER = timedelta(hours=72)
# Bounces in a row that suppress an address (mm-123), and their classes.
BOUNCES_IN_A_ROW = 2
_NO_SUCH_ADDRESS = (BounceClass.USER, BounceClass.DOMAIN)


def hold_accounts(connection: Connection, account_ids: Iterable[int]) -> None:
    """Lock accounts whose contacts may change, before the rows of their mails: all transactions lock in this order."""
    held = select(accounts.c.id).where(accounts.c.id.in_(sorted(set(account_ids)))).order_by(accounts.c.id)
    connection.execute(held.with_for_update())


def of_bounces(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    """Unsubscribe and suppress the recipients whose bounces, now stored, are too many (lk-39, lk-119, mm-123).

    `rows` are deliveries with class and list of their send (`bounced_rows`). Test mails have no consequences, nor do
    bounces of a list that leaves them alone (lk-37).
    """
    for row in rows:
        if row.is_test or row.bounce_class not in HARD_BOUNCES:
            continue
        settings = row.settings or {}
        if BounceHandling.of(settings) is BounceHandling.LEAVE_ALONE:
            continue
        account = account_within(connection, row.account_id)
        if account is None:
            continue
        change = change_within(connection, account, by=BY_BOUNCE)
        limit = settings.get("bounce_limit", 0)
        if limit and row.contact_id is not None:
            _unsubscribe(change, row, limit)
        if row.bounce_class in _NO_SUCH_ADDRESS and _came_back_in_a_row(change, row):
            suppress(change, row.email)


def bounced_rows(connection: Connection, delivery_ids: Iterable[int]) -> list[Row[Any]]:
    """Return mails that have come back, by number, with the class of the bounce and the list of their send."""
    query = (
        select(
            *(deliveries.c[name] for name in ("id", "account_id", "message_id", "contact_id", "email", "email_key")),
            deliveries.c.is_test,
            bounces.c["class"].label("bounce_class"),
            sends.c.list_id,
            lists.c.settings,
        )
        .join(bounces, bounces.c.delivery_id == deliveries.c.id)
        .join(sends, sends.c.job_id == deliveries.c.job_id)
        .join(lists, lists.c.id == sends.c.list_id, isouter=True)
        .where(deliveries.c.id.in_(list(delivery_ids)))
        .order_by(deliveries.c.id)
    )
    return list(connection.execute(query))


def of_complaint(
    connection: Connection,
    account: Account,
    *,
    job_id: int,
    message_id: int,
    list_id: int | None,
    contact_id: int | None,
    address: str,
    provider: str,
) -> None:
    """Record a complaint about a mail, with its figure; the contact leaves the list and is suppressed (mm-123, lk-119).

    A recipient from a file becomes a contact.
    """
    change = change_within(connection, account, by=BY_COMPLAINT)
    if contact_id is None or change.contact(contact_id) is None:
        contact_id = change.find(address, list_id) or change.add(email=address)
    complain(change, contact_id, list_id, cause=Cause(message_id=message_id), provider=provider)
    changes = FigureChanges()
    changes.of_send(account.id, job_id, complaints=1)
    changes.store(connection)


def _unsubscribe(change: Change, row: Row[Any], limit: int) -> None:
    """End the subscription if the contact's hard bounces on the list, since it was added, have reached the limit."""
    member = change.membership(row.list_id, row.contact_id) if row.list_id else None
    if member is None:
        return
    query = (
        select(func.count())
        .select_from(deliveries)
        .join(bounces, bounces.c.delivery_id == deliveries.c.id)
        .join(sends, sends.c.job_id == deliveries.c.job_id)
        .where(
            deliveries.c.contact_id == row.contact_id,
            ~deliveries.c.is_test,
            sends.c.list_id == row.list_id,
            bounces.c["class"].in_([each.value for each in HARD_BOUNCES]),
            bounces.c.at >= member["added_at"],
        )
    )
    if change.connection.execute(query).scalar_one() >= limit:
        cause = Cause(message_id=row.message_id)
        change.move(row.list_id, row.contact_id, MembershipState.UNSUBSCRIBED, cause=cause)


def _came_back_in_a_row(change: Change, row: Row[Any]) -> bool:
    """Return whether the two latest mails to the address came back because there is no such address.

    Mails of the last three days of which nothing is known yet are passed over. An open or a click proves that the mail
    arrived, whatever came back later.
    """
    people = change.with_address(row.email) if row.email_key else []
    delivery, activity = deliveries.c, delivery_activities.c
    query = (
        select(bounces.c["class"].label("bounce_class"), activity.opened_at)
        .select_from(deliveries)
        .join(bounces, bounces.c.delivery_id == delivery.id, isouter=True)
        .join(delivery_activities, activity.delivery_id == delivery.id, isouter=True)
        .where(
            delivery.contact_id.in_(people),
            delivery.email_key == row.email_key,
            ~delivery.is_test,
            or_(
                bounces.c.delivery_id.is_not(None),
                (delivery.state == "handed")
                & or_(activity.opened_at.is_not(None), delivery.handed_at <= now() - SETTLED_AFTER),
            ),
        )
        .order_by(delivery.id.desc())
        .limit(BOUNCES_IN_A_ROW)
    )
    latest = change.connection.execute(query).all()
    came_back = [each for each in latest if each.bounce_class in _NO_SUCH_ADDRESS and each.opened_at is None]
    return len(came_back) == BOUNCES_IN_A_ROW
