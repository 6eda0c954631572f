"""What follows from bounces and complaints for the recipient: the list is left, the address is suppressed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select

from soapstone.accounts.account import Account, account_within
from soapstone.clock import now
from soapstone.contacts.changes import Cause, Change, change_within
from soapstone.contacts.complaints import complain
from soapstone.contacts.contacts import suppress
from soapstone.contacts.mailboxes import with_address
from soapstone.store.driver import run_query
from soapstone.store.tables import bounces, deliveries, delivery_activities
from soapstone.tracking.bounce_classes import Bounce
from soapstone.tracking.figures import FigureChanges
from soapstone.tracking.sent_mails import SentMail
from soapstone.vocabulary.contacts import MembershipState
from soapstone.vocabulary.tracking import BounceClass, BounceHandling

# The ways in which a contact leaves a list (lk-110).
BY_BOUNCE = "Bounce"
BY_COMPLAINT = "Feedback Loop"
# A mail that has not come back after this time has arrived, as far as the row of bounces of mm-123 goes.
SETTLED_AFTER = timedelta(hours=72)
# Bounces in a row that suppress an address (mm-123), and their classes.
BOUNCES_IN_A_ROW = 2
_NO_SUCH_ADDRESS = (BounceClass.USER, BounceClass.DOMAIN)


def of_bounces(connection: Connection, found: Sequence[tuple[SentMail, Bounce]], at: datetime) -> None:
    """Unsubscribe and suppress the recipients whose bounces are too many (lk-39, lk-119, mm-123).

    The bounces are new, and stored with this date; the mails were read before. Test mails have no consequences, nor do
    bounces of a list that leaves them alone (lk-37).
    """
    changes: dict[int, Change] = {}
    # Hard bounces by contact and list.
    hard: Counter[tuple[int, int]] = Counter()
    for mail, bounce in found:
        settings = mail.settings or {}
        if mail.is_test or not bounce.is_hard or BounceHandling.of(settings) is BounceHandling.LEAVE_ALONE:
            continue
        left = None
        if mail.contact_id is not None and mail.list_id is not None and mail.added_at is not None:
            member = mail.list_id, mail.contact_id
            hard[member] += at >= mail.added_at
            if 0 < settings.get("bounce_limit", 0) <= mail.hard_before + hard[member]:
                left = member
        is_nobody = bounce.bounce_class in _NO_SUCH_ADDRESS and _came_back_in_a_row(connection, mail)
        if left is None and not is_nobody:
            continue
        change = changes.get(mail.account_id)
        if change is None:
            account = account_within(connection, mail.account_id)
            if account is None:
                continue
            change = changes[mail.account_id] = change_within(connection, account, by=BY_BOUNCE)
        if left is not None:
            change.move(*left, MembershipState.UNSUBSCRIBED, cause=Cause(message_id=mail.message_id))
        if is_nobody:
            suppress(change, mail.email)


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
    changes: FigureChanges,
) -> None:
    """Record a complaint about a mail, and add its figure to `changes`.

    The contact leaves the list, and its address is suppressed, as is the one that the mail went to (mm-123, lk-119). A
    recipient from a file becomes a contact.
    """
    change = change_within(connection, account, by=BY_COMPLAINT)
    if contact_id is None or change.contact(contact_id) is None:
        contact_id = change.find(address, list_id) or change.add(email=address)
    complain(change, contact_id, list_id, cause=Cause(message_id=message_id), provider=provider)
    # The contact may have another address since.
    suppress(change, address)
    changes.of_send(account.id, job_id, complaints=1)


def _came_back_in_a_row(connection: Connection, mail: SentMail) -> bool:
    """Return whether the two latest mails to the address came back because there is no such address.

    Mails of the last three days of which nothing is known yet are passed over. An open or a click proves that the mail
    arrived, whatever came back later.
    """
    if not mail.email_key:
        return False
    given = {"account_id": mail.account_id, "key": mail.email_key, "settled": now() - SETTLED_AFTER}
    latest = run_query(connection, _latest(mail.identifier, connection.dialect.name), given)
    came_back = [each for each, opened_at in latest if each in _NO_SUCH_ADDRESS and opened_at is None]
    return len(came_back) == BOUNCES_IN_A_ROW


@cache
def _latest(identifier: str, kind: str) -> Select[Any]:
    delivery, activity = deliveries.c, delivery_activities.c
    settled = bindparam("settled", type_=delivery.handed_at.type)
    return (
        select(bounces.c["class"].label("bounce_class"), activity.opened_at)
        .select_from(deliveries)
        .join(bounces, bounces.c.delivery_id == delivery.id, isouter=True)
        .join(delivery_activities, activity.delivery_id == delivery.id, isouter=True)
        .where(
            delivery.contact_id.in_(with_address(identifier, kind)),
            delivery.email_key == bindparam("key"),
            ~delivery.is_test,
            or_(
                bounces.c.delivery_id.is_not(None),
                (delivery.state == "handed") & or_(activity.opened_at.is_not(None), delivery.handed_at <= settled),
            ),
        )
        .order_by(delivery.id.desc())
        .limit(BOUNCES_IN_A_ROW)
    )
