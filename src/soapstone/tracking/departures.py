"""Departures: people who left a list, or all lists, because of a message, each counted once for each message.

People who were erased since are not among them; the figures of sends keep their number.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_granted_list
from soapstone.store.database import Database
from soapstone.store.tables import contact_events, contacts, deliveries, sends
from soapstone.vocabulary.contacts import ContactEventKind
from soapstone.vocabulary.deliveries import MAILED


def of_messages(database: Database, account_id: int, messages: Select[tuple[int]], *, login: Login | None) -> int:
    """Return the number of people who left because of each of these messages, summed; `messages` selects numbers.

    A login gets those who left a list that it sees.
    """
    event = contact_events.c
    query = select(func.count(event.contact_id.distinct())).where(
        event.message_id.in_(messages), *_left(account_id), *of_granted_list(login, event.list_id)
    )
    with database.read() as connection:
        return sum(connection.execute(query.group_by(event.message_id)).scalars())


def of_sends(database: Database, account_id: int, job_ids: Collection[int]) -> dict[int, int]:
    """Return the number of recipients of each of these sends who left because of its message."""
    event, mail = contact_events.c, deliveries.c
    # A recipient from a file has no number in the ledger.
    stranger = and_(mail.contact_id.is_(None), mail.email_key == contacts.c.email_key)
    here = and_(mail.message_id == event.message_id, or_(mail.contact_id == event.contact_id, stranger))
    query = (
        select(mail.job_id, func.count(event.contact_id.distinct()))
        .select_from(contact_events)
        .join(contacts, contacts.c.id == event.contact_id)
        .join(deliveries, here)
        .where(
            event.message_id.in_(select(sends.c.message_id).where(sends.c.job_id.in_(job_ids))),
            mail.job_id.in_(job_ids),
            mail.state.in_(MAILED),
            *_left(account_id),
        )
        .group_by(mail.job_id)
    )
    with database.read() as connection:
        found = {row[0]: int(row[1]) for row in connection.execute(query)}
    return {job_id: found.get(job_id, 0) for job_id in job_ids}


def _left(account_id: int) -> tuple[ColumnElement[bool], ...]:
    event = contact_events.c
    return event.account_id == account_id, event.kind == ContactEventKind.UNSUBSCRIBED.value
