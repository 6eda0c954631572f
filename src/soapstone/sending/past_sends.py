"""Sends that another service has done, as records that reports read. Nothing of them goes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from soapstone.accounts.account import Account
from soapstone.addresses import address_keys
from soapstone.clock import clock
from soapstone.contacts.erased_addresses import erased_among
from soapstone.jobs.queue import Jobs
from soapstone.sending.send_records import STEPS, add_send
from soapstone.store.bulk import insert_rows, take_numbers
from soapstone.store.database import Database
from soapstone.store.tables import (
    SEND_FIGURES,
    bounces,
    contact_events,
    contacts,
    deliveries,
    event_counters,
    jobs,
    send_figures,
    sends,
    tracked_links,
)
from soapstone.store.timestamps import microseconds
from soapstone.tracking.figures import FigureChanges
from soapstone.tracking.links import TrackedLink, positions
from soapstone.tracking.recording import PastEvent, record_past
from soapstone.vocabulary.contacts import ContactEventKind
from soapstone.vocabulary.deliveries import Purpose
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.tracking import BounceClass

_DELIVERY = ("id", "account_id", "job_id", "message_id", "contact_id", "email", "email_key", "state", "handed_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSend:
    """A send: its job, account, message and moment."""

    job_id: int
    account: Account
    message_id: int
    at: datetime


class PastMail(NamedTuple):
    """A mail to an address, when it was sent, and to which contact, where contacts share addresses."""

    email: str
    at: datetime
    contact_id: int | None = None


class PastBounce(NamedTuple):
    """The bounce of a mail; `number` counts those of its recipient so far."""

    at: datetime
    bounce_class: BounceClass
    reason: str
    detail: str
    number: int


class PastSends:
    """Stores sends of the past. Everything may be told twice and is then stored once, but for events."""

    def __init__(self, database: Database, queue: Jobs) -> None:
        self._database = database
        self._jobs = queue

    def begin(self, account: Account, message_id: int, list_id: int | None, at: datetime) -> PastSend:
        """Return the send of a message to a list, or to single contacts, at that moment."""
        with self._database.write(durable=True) as connection, clock(lambda: at):
            here = (sends.c.message_id == message_id) & (jobs.c.started_at == at)
            of_list = sends.c.list_id.is_(None) if list_id is None else sends.c.list_id == list_id
            known = select(jobs.c.id).join(sends, sends.c.job_id == jobs.c.id).where(here, of_list)
            job_id = connection.execute(known).scalar()
            if job_id is None:
                kind = JobKind.SEND if list_id is None else JobKind.SEND_TO_LIST
                purpose = Purpose.PEOPLE if list_id is None else Purpose.LIST
                audience = {"kind": "people" if list_id is None else "members"}
                steps = STEPS[kind]
                job_id = self._jobs.add(
                    connection,
                    account_id=account.id,
                    kind=kind,
                    list_id=list_id,
                    steps=steps,
                    request={"message_id": message_id, "audience": audience},
                    state="completed",
                )
                add_send(connection, job_id, account.id, message_id, None, list_id, purpose, False)
                self._jobs.conclude(connection, job_id, {}, finished_at=at)
        return PastSend(job_id=job_id, account=account, message_id=message_id, at=at)

    def mails(self, send: PastSend, told: Sequence[PastMail]) -> list[int]:
        """Return the numbers of the mails of a send; those that are not there are stored.

        They are found by their addresses, and by their contacts where contacts may share an address.
        """
        account, keys = send.account, address_keys([each.email for each in told])
        with self._database.write() as connection:
            # A deleted person's mails stay without a person.
            erased = erased_among(connection, account.id, set(keys))
            keys = ["" if key in erased else key for key in keys]
            shared = account.identifier != "email"
            people = _people(connection, account, keys) if shared else {}
            names = [
                (key, each.contact_id if each.contact_id in people.get(key, ()) else None)
                for key, each in zip(keys, told, strict=True)
            ]
            mail, found = deliveries.c, dict[tuple[str, int | None], int]()
            query = select(mail.email_key, mail.contact_id, mail.id)
            query = query.where(mail.job_id == send.job_id, mail.email_key.in_(set(keys)))
            for row in sorted(connection.execute(query), key=itemgetter(2), reverse=True):
                found |= {(row[0], None): row[2]} | ({(row[0], row[1]): row[2]} if shared else {})
            # Without a contact it is the mail of another one to the address.
            named = {key: contact_id for key, contact_id in reversed(names) if contact_id is not None}
            names = [
                (key, contact_id) if (key, contact_id) in found else (key, contact_id or named.get(key))
                for key, contact_id in names
            ]
            fresh = {name: each for name, each in zip(names, told, strict=True) if name not in found}
            if fresh:
                people = people or _people(connection, account, [key for key, _ in fresh])
                numbers = take_numbers(connection, "delivery", len(fresh))
                rows = [
                    (
                        number,
                        account.id,
                        send.job_id,
                        send.message_id,
                        contact_id or next(iter(people.get(key, ())), None),
                        each.email if key else "",
                        key,
                        "handed",
                        microseconds(each.at),
                    )
                    for number, ((key, contact_id), each) in zip(numbers, fresh.items(), strict=True)
                ]
                insert_rows(connection, deliveries, _DELIVERY, rows)
                found |= dict(zip(fresh, numbers, strict=True))
        return [found[name] for name in names]

    def among(self, send: PastSend, numbers: Collection[int]) -> set[int]:
        """Return which of these mails are of a send."""
        mail = deliveries.c
        query = select(mail.id).where(mail.id.in_(numbers), mail.job_id == send.job_id)
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def of_deleted_people(self, message_ids: Collection[int]) -> list[int]:
        """Return the mails of messages whose people were deleted."""
        mail = deliveries.c
        query = select(mail.id).where(mail.message_id.in_(message_ids), mail.email_key == "")
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def bounced(self, account: Account, told: Mapping[int, PastBounce]) -> None:
        """Store the bounces of mails by their numbers. What followed from them is told elsewhere."""
        with self._database.write() as connection:
            query = select(bounces.c.delivery_id).where(bounces.c.delivery_id.in_(told))
            fresh = told.keys() - set(connection.execute(query).scalars())
            rows = [
                {
                    "delivery_id": number,
                    "account_id": account.id,
                    "at": told[number].at,
                    "class": told[number].bounce_class.value,
                    "reason": told[number].reason,
                    "detail": told[number].detail,
                    "contact_bounces": told[number].number,
                }
                for number in sorted(fresh)
            ]
            if rows:
                connection.execute(insert(bounces), rows)
                connection.execute(update(deliveries).where(deliveries.c.id.in_(fresh)).values(state="bounced"))

    def links(self, account: Account, message_id: int, told: Sequence[TrackedLink]) -> list[int]:
        """Return the numbers of the links of a message; those that are not there are stored."""
        places = positions(self._database, account.id, message_id, told)
        link = tracked_links.c
        query = select(link.position, link.id).where(link.message_id == message_id)
        with self._database.read() as connection:
            numbers = {row[0]: row[1] for row in connection.execute(query)}
        return [numbers[place] for place in places]

    def blame(
        self,
        account: Account,
        message_id: int,
        list_id: int,
        left: Sequence[tuple[str, datetime]],
        kind: ContactEventKind = ContactEventKind.UNSUBSCRIBED,
    ) -> None:
        """Note of people, by address, that what they did on a list at that second was because of a message."""
        keys = address_keys([email for email, _ in left])
        told = {(key, at.replace(microsecond=0)) for key, (_, at) in zip(keys, left, strict=True)}
        event = contact_events.c
        query = (
            select(event.id, contacts.c.email_key, event.at)
            .join(contacts, contacts.c.id == event.contact_id)
            .where(_by_address(account, keys), event.list_id == list_id, event.kind == kind, event.message_id.is_(None))
        )
        with self._database.write() as connection:
            rows = connection.execute(query).all()
            found = [row.id for row in rows if (row.email_key, row.at.replace(microsecond=0)) in told]
            connection.execute(update(contact_events).where(event.id.in_(found)).values(message_id=message_id))

    def recorded(self, message_ids: Collection[int]) -> dict[tuple[int, str], int]:
        """Return how many events each message has, by message and kind."""
        counter = event_counters.c
        query = select(counter.scope_id, counter.kind, counter.last).where(
            counter.scope == "message", counter.scope_id.in_(message_ids)
        )
        with self._database.read() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query)}

    def record(self, events: Sequence[PastEvent]) -> None:
        """Record events of mails, which come in the order of their dates, and are told once."""
        with self._database.write() as connection:
            record_past(connection, events)

    def correct(self, account: Account, job_id: int, told: Mapping[str, int]) -> None:
        """Let figures of a send be those that are told: the other service may have deleted events."""
        with self._database.write() as connection:
            query = select(*(send_figures.c[name] for name in SEND_FIGURES)).where(send_figures.c.job_id == job_id)
            row = connection.execute(query).mappings().one_or_none() or dict.fromkeys(SEND_FIGURES, 0)
            changes = FigureChanges()
            changes.of_send(account.id, job_id, **{name: number - row[name] for name, number in told.items()})
            changes.store(connection)
            counters = {"handed": told.get("sent", row["sent"])}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(counters=counters))


def _people(connection: Connection, account: Account, keys: Collection[str]) -> dict[str, list[int]]:
    """Return the contacts with these addresses, by number."""
    query = select(contacts.c.email_key, contacts.c.id).where(_by_address(account, set(keys) - {""}))
    people: dict[str, list[int]] = {}
    # Ordered by the database, SQLite would read the whole account.
    for key, number in sorted(connection.execute(query), key=itemgetter(1)):
        people.setdefault(key, []).append(number)
    return people


def _by_address(account: Account, keys: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that contacts of an account have one of these addresses, by the index of such accounts."""
    mine = contacts.c.account_id == account.id
    if account.identifier == "email":
        return and_(mine, contacts.c.unique_email.in_(keys))
    return and_(mine, contacts.c.email_key.in_(keys), contacts.c.unique_email.is_(None))
