"""The messages that a contact got through a list, and what the contact did with each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, func, select

from soapstone.accounts.account import Account
from soapstone.contacts.changes import Change
from soapstone.store.repository import Repository
from soapstone.store.tables import deliveries, delivery_activities, mail_events, messages, sends
from soapstone.vocabulary.tracking import MailEventKind


@dataclass(frozen=True, kw_only=True)
class ContactMessage:
    """A message that was sent to a contact, and whether it was opened, read and clicked."""

    message_id: int
    subject: str
    opened: bool
    read: bool
    clicked: bool


class ContactMessages(Repository):
    """Reads the messages of contacts, always within the given account."""

    def find(self, account: Account, list_id: int, address: str) -> int | None:
        """Return the contact with this address on the list, in any state; None if there is none."""
        with self._database.read() as connection:
            look = Change(connection, account, "", 0)
            contact_id = look.find(address, list_id)
            return None if contact_id is None or look.membership(list_id, contact_id) is None else contact_id

    def page(
        self, account_id: int, list_id: int, contact_id: int, *, offset: int = 0, limit: int = 2500
    ) -> list[ContactMessage]:
        """Return the messages that the list sent to a contact, by date, then by number; test mails are left out.

        A message that was sent several times is there once, with the date of the first.
        """
        delivery, event, activity = deliveries.c, mail_events.c, delivery_activities.c
        dates = {"opened": activity.opened_at, "read": activity.read_at, "clicked": activity.clicked_at}
        query = (
            select(
                delivery.message_id, messages.c.subject, *(func.count(date).label(name) for name, date in dates.items())
            )
            .join(sends, sends.c.job_id == delivery.job_id)
            .join(messages, messages.c.id == delivery.message_id)
            .join(mail_events, and_(event.delivery_id == delivery.id, event.kind == MailEventKind.SENT.value))
            .join(delivery_activities, activity.delivery_id == delivery.id, isouter=True)
            .where(
                delivery.contact_id == contact_id,
                delivery.account_id == account_id,
                ~delivery.is_test,
                sends.c.list_id == list_id,
            )
            .group_by(delivery.message_id, messages.c.subject)
            .order_by(func.min(event.at), delivery.message_id)
            .offset(offset)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                ContactMessage(
                    message_id=row.message_id,
                    subject=row.subject,
                    opened=row.opened > 0,
                    read=row.read > 0,
                    clicked=row.clicked > 0,
                )
                for row in connection.execute(query)
            ]
