"""The people who unsubscribed because of a message, each once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.visibility import of_no_hidden_list, of_visible_person
from soapstone.contacts.search import Example, Search
from soapstone.store.ranges import within
from soapstone.store.repository import Repository
from soapstone.store.tables import contact_events, contacts, deliveries, sends
from soapstone.tracking.reports import ANY_TIME, Period
from soapstone.vocabulary.deliveries import MAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeQuery:
    """The unsubscribes to read: of a message within a period, of a list if it is given.

    An unsubscribe belongs to the list that it names, or else to the lists to which the contact's mail was sent. The
    login gets contacts and lists that it sees; `example` filters the contacts.
    """

    account: Account
    message_id: int
    list_id: int | None = None
    period: Period = ANY_TIME
    example: Example | None = None
    login: Login | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscriber:
    """A contact, the date of its first unsubscribe because of the message, and the mail, None if there is none."""

    contact_id: int
    at: datetime
    delivery_id: int | None


class MessageUnsubscribes(Repository):
    """Reads unsubscribes by the message that caused them, always within the given account."""

    def count(self, wanted: UnsubscribeQuery) -> int:
        """Return the number of people of `page` in all."""
        query = select(func.count(contact_events.c.contact_id.distinct())).where(*self._conditions(wanted))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def page(self, wanted: UnsubscribeQuery, *, offset: int = 0, limit: int = 2000) -> list[Unsubscriber]:
        """Return who unsubscribed within the period because of a message, by date, then by record."""
        event = contact_events.c
        first, number = func.min(event.at), func.min(event.id)
        query = (
            select(event.contact_id, first.label("at"))
            .where(*self._conditions(wanted))
            .group_by(event.contact_id)
            .order_by(first, number)
            .offset(offset)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            mailed = select(deliveries.c.contact_id, func.max(deliveries.c.id)).where(
                deliveries.c.account_id == wanted.account.id,
                *_mails(wanted.message_id, [row.contact_id for row in rows], wanted.list_id),
            )
            mails = {row[0]: row[1] for row in connection.execute(mailed.group_by(deliveries.c.contact_id))}
        return [
            Unsubscriber(contact_id=row.contact_id, at=row.at, delivery_id=mails.get(row.contact_id)) for row in rows
        ]

    def _conditions(self, wanted: UnsubscribeQuery) -> list[ColumnElement[bool]]:
        event, list_id = contact_events.c, wanted.list_id
        these: list[ColumnElement[bool]] = [
            event.account_id == wanted.account.id,
            event.message_id == wanted.message_id,
            event.kind == "unsubscribed",
            event.part_of.is_(None),
            *of_visible_person(wanted.login, event.contact_id),
            *of_no_hidden_list(wanted.login, event.list_id),
            *within(event.at, wanted.period.start, wanted.period.end),
        ]
        if list_id is not None:
            mails = _mails(wanted.message_id, None, list_id)
            mailed = exists().where(deliveries.c.contact_id == event.contact_id, *mails)
            these.append(or_(event.list_id == list_id, and_(event.list_id.is_(None), mailed)))
        if wanted.example is not None:
            found: Select[Any] = Search(self._database).query(wanted.account, wanted.example)
            these.append(event.contact_id.in_(found.with_only_columns(contacts.c.id)))
        return these


def _mails(message_id: int, contact_ids: Collection[int] | None, list_id: int | None) -> list[ColumnElement[bool]]:
    """Return conditions for mails of a message, to these contacts and sent to this list if they are given."""
    mail = deliveries.c
    these: list[ColumnElement[bool]] = [mail.message_id == message_id, mail.state.in_(MAILED), ~mail.is_test]
    if contact_ids is not None:
        these.append(mail.contact_id.in_(contact_ids))
    if list_id is not None:
        to_list = select(sends.c.job_id).where(sends.c.message_id == message_id, sends.c.list_id == list_id)
        these.append(mail.job_id.in_(to_list))
    return these
