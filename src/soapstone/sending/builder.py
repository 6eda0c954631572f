"""Builds the mails of one send: recipients with their values, merged into the message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select

from soapstone.jobs.job import Job
from soapstone.jobs.run import JobFailed
from soapstone.lists.contact_list import Lists
from soapstone.lists.profiles import Profiles
from soapstone.sending.content import CONTACT_KEYS, Content
from soapstone.sending.ledger import within
from soapstone.sending.mail import Mail
from soapstone.sending.message import InvalidMessage
from soapstone.sending.messages import Messages
from soapstone.sending.template import merge_key
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries, memberships


class MailBuilder:
    """The message of a send, compiled once, and the values of its recipients.

    A value is looked for in the supplied file, then in the contact, then in the profile of the list.
    """

    def __init__(self, database: Database, job: Job, message_id: int) -> None:
        message = Messages(database).get(job.account_id, message_id)
        contact_list = Lists(database).get(job.account_id, job.list_id or 0)
        if message is None or contact_list is None:
            raise JobFailed("The list or the message of this send is gone.")
        self._database = database
        self._job = job
        self._message = message
        self._list = contact_list
        try:
            self.content = Content(message)
        except InvalidMessage as error:
            raise JobFailed(str(error)) from None
        wanted = self.content.names.keys()
        self._columns = {key: column for key, column in CONTACT_KEYS.items() if key in wanted and key != "email"}
        self._attributes = {
            key: str(attribute.id)
            for attribute in Profiles(database).attributes(contact_list.id)
            if (key := merge_key(attribute.name)) in wanted and key not in CONTACT_KEYS
        }

    def next(self, after: int, last: int, limit: int) -> Sequence[Row[Any]]:
        """The next recipients to build mails for, with what their mails need."""
        table = deliveries
        query = (
            select(
                table.c.id,
                table.c.email,
                table.c.contact_id,
                table.c.fields,
                memberships.c.profile,
                *(contacts.c[column].label(f"contact_{column}") for column in self._columns.values()),
            )
            .join(contacts, contacts.c.id == table.c.contact_id, isouter=True)
            .join(
                memberships,
                (memberships.c.list_id == self._list.id) & (memberships.c.contact_id == table.c.contact_id),
                isouter=True,
            )
            .where(within(self._job.id, after, last), table.c.state == "chosen")
            .order_by(table.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return connection.execute(query).all()

    def contents(self, batch: Sequence[Row[Any]]) -> Iterator[tuple[int, bytes]]:
        """Number and mail of each of these recipients."""
        for row in batch:
            yield row.id, self._mail(row).content()

    def _mail(self, row: Row[Any]) -> Mail:
        rendered = self.content.render(self._values(row))
        return Mail(
            key=f"{self._job.id}.{row.id}",
            # The same in every attempt.
            date=self._job.started_at or self._job.submitted_at,
            from_name=rendered.from_name,
            from_address=self._message.from_address,
            to_name=rendered.to_name,
            to_address=row.email,
            reply_address=self._message.reply_address,
            subject=rendered.subject,
            list_name=self._list.name,
            list_key=f"list-{self._list.id}",
            html=rendered.html,
            plain=rendered.plain,
        )

    def _values(self, row: Row[Any]) -> dict[str, str]:
        values = {"email": row.email}
        if row.profile:
            for key, attribute in self._attributes.items():
                values[key] = str(row.profile.get(attribute) or "")
        if row.contact_id is not None:
            for key, column in self._columns.items():
                values[key] = row._mapping[f"contact_{column}"] or ""
        return {**values, **row.fields}
