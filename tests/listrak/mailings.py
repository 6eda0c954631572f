"""Sends that are over, written straight into the records, so that tests of reports have any number of recipients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update

from soapstone.accounts.account import Account
from soapstone.addresses import address_key
from soapstone.clock import now
from soapstone.product import Product
from soapstone.sending.messages.message import Draft
from soapstone.store.tables import (
    accounts,
    contact_events,
    contacts,
    deliveries,
    jobs,
    memberships,
    messages,
    sends,
    tracked_links,
)
from soapstone.tracking.recording import FinalResult, record_results
from soapstone.vocabulary.messages import MessageKind

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """A member of a list, by the contact's number in the records and on the list."""

    contact_id: int | None
    number: int
    email: str


@dataclass(frozen=True)
class Mailing:
    """A send with one delivery for each person."""

    job: int
    message: int
    subject: str
    people: tuple[Person, ...]
    deliveries: tuple[int, ...]


class Mailings:
    """Makes lists, members, sends and links of an account."""

    def __init__(self, product: Product, account: Account) -> None:
        self.product, self.database, self.account = product, product.database, account

    def new_list(self) -> int:
        """Make a list."""
        return self.product.lists.create(self.account.id, f"List {uuid4()}").id

    def people(self, list_id: int, number: int) -> list[Person]:
        """Make members of a list, who joined long ago."""
        mark, mine = uuid4().hex, {"account_id": self.account.id}
        emails = [f"p{each}@{mark}.example" for each in range(number)]
        times = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
        keys = [{"email": each, "email_key": address_key(each), "unique_email": address_key(each)} for each in emails]
        with self.database.write() as connection:
            here = accounts.c.id == self.account.id
            last = connection.execute(select(accounts.c.last_number).where(here).with_for_update()).scalar_one()
            connection.execute(update(accounts).where(here).values(last_number=last + number))
            connection.execute(insert(contacts), [{**mine, **times, **each} for each in keys])
            query = select(contacts.c.id).where(contacts.c.email_key.in_(emails)).order_by(contacts.c.id)
            found = [
                Person(contact_id, last + place, email)
                for place, (contact_id, email) in enumerate(
                    zip(connection.execute(query).scalars(), emails, strict=True), 1
                )
            ]
            member = {**mine, "list_id": list_id, "state": "subscribed", "added_at": LONG_AGO, "added_by": "API"}
            rows = [{**member, "contact_id": each.contact_id, "number": each.number, "profile": {}} for each in found]
            connection.execute(insert(memberships), rows)
        return found

    def message(self, list_id: int | None) -> int:
        """Store a message that was made for a send."""
        draft = Draft(subject=f"News {uuid4().hex}", plain="Hello")
        return self.product.messages.save(self.account.id, list_id, draft, kind=MessageKind.SEND).id

    def send(
        self,
        list_id: int | None,
        people: Sequence[Person],
        *,
        at: datetime | None,
        message: int | None = None,
        is_test: bool = False,
        recorded: bool = True,
    ) -> Mailing:
        """Store a send that began at a time, or with None has not begun; its mails are sent if `recorded`."""
        number = self.message(list_id) if message is None else message
        mine: dict[str, Any] = {"account_id": self.account.id}
        job = {**mine, "kind": "send", "list_id": list_id, "steps": 3, "submitted_at": at or LONG_AGO}
        job |= {"due_at": at or datetime(2099, 1, 1, tzinfo=UTC), "started_at": at}
        job |= {"request": {}, "checkpoint": {}, "counters": {"handed": len(people)}}
        job |= {"state": "completed", "finished_at": at} if at else {"state": "queued"}
        purpose = {"purpose": "test" if is_test else "list", "is_test": is_test}
        with self.database.write() as connection:
            job_id = connection.execute(insert(jobs).values(**job).returning(jobs.c.id)).scalar_one()
            of_send = {**mine, "job_id": job_id, "message_id": number}
            connection.execute(insert(sends).values(**of_send, **purpose, list_id=list_id))
            delivery = {**of_send, "state": "handed", "is_test": is_test, "handed_at": at, "fields": {}}
            rows = [
                {**delivery, "contact_id": each.contact_id, "email": each.email, "email_key": address_key(each.email)}
                for each in people
            ]
            if rows:
                connection.execute(insert(deliveries), rows)
            query = select(deliveries.c.id).where(deliveries.c.job_id == job_id).order_by(deliveries.c.id)
            numbers = tuple(connection.execute(query).scalars())
            if recorded and numbers:
                record_results(connection, [FinalResult(delivery_id=each) for each in numbers])
            subject = connection.execute(select(messages.c.subject).where(messages.c.id == number)).scalar_one()
        return Mailing(job_id, number, subject, tuple(people), numbers)

    def all_leave(self, mailing: Mailing, list_id: int) -> None:
        """Unsubscribe all recipients of a send because of it, by two statements."""
        contact_ids = [each.contact_id for each in mailing.people]
        left = {"removed_at": now(), "removed_by": "Unsubscribe Link", "state": "unsubscribed"}
        event = {"account_id": self.account.id, "list_id": list_id, "kind": "unsubscribed", "at": left["removed_at"]}
        event |= {"by": left["removed_by"], "message_id": mailing.message, "detail": {}}
        with self.database.write() as connection:
            here = (memberships.c.list_id == list_id) & memberships.c.contact_id.in_(contact_ids)
            connection.execute(update(memberships).where(here).values(**left))
            connection.execute(insert(contact_events), [{**event, "contact_id": each} for each in contact_ids])

    def link(self, message: int, position: int, body: str = "html", description: str = "") -> tuple[int, str]:
        """Store a link of a message; its number and URL."""
        url = f"https://shop.example/{message}/{position}?a=1&b=2"
        values = {"account_id": self.account.id, "message_id": message, "position": position, "body": body}
        values |= {"url": url, "target": f"{url}&utm_source=x", "description": description}
        with self.database.write() as connection:
            query = insert(tracked_links).values(**values).returning(tracked_links.c.id)
            return int(connection.execute(query).scalar_one()), url
