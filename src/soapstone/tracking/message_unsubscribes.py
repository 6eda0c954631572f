"""The people who unsubscribed because of a message, each once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.visibility import of_no_hidden_list, of_visible_person
from soapstone.contacts.search import Example, Search
from soapstone.store.database import Database
from soapstone.store.tables import contact_events, contacts, deliveries, sends
from soapstone.tracking.reports import ANY_TIME, Period

# States of mails that the server took.
_ARRIVED = ("handed", "bounced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscriber:
    """A contact, the date of its first unsubscribe because of the message, and the mail, None if there is none."""

    contact_id: int
    at: datetime
    delivery_id: int | None


class MessageUnsubscribes:
    """Reads unsubscribes by the message that caused them, always within the given account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(
        self,
        account: Account,
        message_id: int,
        *,
        list_id: int | None = None,
        period: Period = ANY_TIME,
        example: Example | None = None,
        login: Login | None = None,
    ) -> int:
        """Return the number of people of `page` in all."""
        wanted = self._wanted(account, message_id, list_id, period, example, login)
        query = select(func.count(contact_events.c.contact_id.distinct())).where(*wanted)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def page(
        self,
        account: Account,
        message_id: int,
        *,
        list_id: int | None = None,
        period: Period = ANY_TIME,
        example: Example | None = None,
        login: Login | None = None,
        offset: int = 0,
        limit: int = 2000,
    ) -> list[Unsubscriber]:
        """Return who unsubscribed within the period because of a message, by date, then by record.

        An unsubscribe belongs to the list that it names, or else to the lists to which the contact's mail was sent. The
        login gets contacts and lists that it sees; `example` filters the contacts.
        """
        event = contact_events.c
        first, number = func.min(event.at), func.min(event.id)
        wanted = self._wanted(account, message_id, list_id, period, example, login)
        query = (
            select(event.contact_id, first.label("at"))
            .where(*wanted)
            .group_by(event.contact_id)
            .order_by(first, number)
            .offset(offset)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            mailed = select(deliveries.c.contact_id, func.max(deliveries.c.id)).where(
                deliveries.c.account_id == account.id, *_mails(message_id, [row.contact_id for row in rows], list_id)
            )
            mails = {row[0]: row[1] for row in connection.execute(mailed.group_by(deliveries.c.contact_id))}
        return [
            Unsubscriber(contact_id=row.contact_id, at=row.at, delivery_id=mails.get(row.contact_id)) for row in rows
        ]

    def _wanted(
        self,
        account: Account,
        message_id: int,
        list_id: int | None,
        period: Period,
        example: Example | None,
        login: Login | None,
    ) -> list[ColumnElement[bool]]:
        event = contact_events.c
        wanted: list[ColumnElement[bool]] = [
            event.account_id == account.id,
            event.message_id == message_id,
            event.kind == "unsubscribed",
            event.part_of.is_(None),
            *of_visible_person(login, event.contact_id),
            *of_no_hidden_list(login, event.list_id),
        ]
        if period.start is not None:
            wanted.append(event.at >= period.start)
        if period.end is not None:
            wanted.append(event.at < period.end)
        if list_id is not None:
            mailed = exists().where(deliveries.c.contact_id == event.contact_id, *_mails(message_id, None, list_id))
            wanted.append(or_(event.list_id == list_id, and_(event.list_id.is_(None), mailed)))
        if example is not None:
            found: Select[tuple[int]] = Search(self._database).query(account, example).with_only_columns(contacts.c.id)
            wanted.append(event.contact_id.in_(found))
        return wanted


def _mails(message_id: int, contact_ids: Collection[int] | None, list_id: int | None) -> list[ColumnElement[bool]]:
    """Return conditions for mails of a message, to these contacts and sent to this list if they are given."""
    mail = deliveries.c
    these: list[ColumnElement[bool]] = [mail.message_id == message_id, mail.state.in_(_ARRIVED), ~mail.is_test]
    if contact_ids is not None:
        these.append(mail.contact_id.in_(contact_ids))
    if list_id is not None:
        to_list = select(sends.c.job_id).where(sends.c.message_id == message_id, sends.c.list_id == list_id)
        these.append(mail.job_id.in_(to_list))
    return these
