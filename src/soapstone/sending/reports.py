"""Results of sends: of one, of all sends of a message, and of each recipient."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_no_hidden_list, of_visible_person
from soapstone.jobs.job import Job
from soapstone.store.repository import Repository
from soapstone.store.tables import deliveries, jobs, messages, sends


@dataclass(frozen=True, kw_only=True)
class DeliveryRecord:
    """One recipient of a send; `state` is one of DELIVERY_STATES, `reply` the SMTP server's last one.

    `doubts` counts attempts with an unknown result: with one, the recipient may have the mail twice.
    """

    id: int
    job_id: int
    message_id: int
    contact_id: int | None
    email: str
    state: str
    reason: str
    reply: str
    attempts: int
    doubts: int
    handed_at: datetime | None
    next_try_at: datetime | None
    is_test: bool


@dataclass(frozen=True, kw_only=True)
class SendRecord:
    """One send: its job, its message, the original of that copy, and its purpose."""

    job: Job
    message_id: int
    source_id: int | None
    list_id: int | None
    purpose: str
    is_test: bool

    @property
    def sent(self) -> int:
        """Number of mails sent so far."""
        return int(self.job.counters.get("handed", 0))


@dataclass(frozen=True, kw_only=True)
class Departure:
    """The time of the first mail of a send to a list, or to single contacts (`list_id` None)."""

    message_id: int
    list_id: int | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message whose sends to a list began, the first of them at `begun_at`: all real ones, or all tests."""

    id: int
    subject: str
    begun_at: datetime
    job_ids: tuple[int, ...]


class SendReports(Repository):
    """Reads sends and their ledgers, always within the given account."""

    def of_job(self, account_id: int, job_id: int) -> SendRecord | None:
        """Return the send of that number; None if the account has none."""
        found = self._records(account_id, sends.c.job_id == job_id)
        return found[0] if found else None

    def of_message(self, account_id: int, message_id: int) -> list[SendRecord]:
        """Return the sends of a message by number: one if it was made for a send, any number otherwise."""
        of_message = sends.c.message_id == message_id
        key = ("sends", account_id, message_id)

        def read() -> tuple[SendRecord, ...] | None:
            # None, for no sends at all, is not cached.
            return tuple(self._records(account_id, of_message)) or None

        found: tuple[SendRecord, ...] | None = self._database.recall(key, read)
        return list(found or ())

    def has_copies(self, account_id: int, message_id: int) -> bool:
        """Return whether a send sent a copy of this stored message."""
        copies = select(sends.c.job_id).where(sends.c.account_id == account_id, sends.c.source_id == message_id)
        with self._database.read() as connection:
            return connection.execute(copies.limit(1)).first() is not None

    def find(
        self,
        account_id: int,
        *,
        message_ids: Collection[int] | None = None,
        list_ids: Collection[int] | None = None,
        tests: bool = False,
        newest: bool = False,
        after: int = 0,
        limit: int | None = None,
    ) -> list[SendRecord]:
        """Return sends of the account after `after` by number, descending with `newest`; None filters nothing.

        Test sends are included only on request.
        """
        condition = (sends.c.account_id == account_id) & (sends.c.job_id > after)
        if message_ids is not None:
            condition &= sends.c.message_id.in_(message_ids)
        if list_ids is not None:
            condition &= sends.c.list_id.in_(list_ids)
        if not tests:
            condition &= ~sends.c.is_test
        return self._records(account_id, condition, limit, newest=newest)

    def departures(
        self, account_id: int, *, kind: str, message_id: int | None = None, login: Login | None = None
    ) -> list[Departure]:
        """Return the sends of messages of a kind, or of one message, that have sent mails, by number.

        Test sends are left out. A login sees sends to its lists and to single contacts.
        """
        query = (
            select(sends.c.message_id, sends.c.list_id, jobs.c.started_at, jobs.c.counters)
            .join(jobs, jobs.c.id == sends.c.job_id)
            .join(messages, messages.c.id == sends.c.message_id)
            .where(messages.c.account_id == account_id, messages.c.kind == kind)
            .where(~sends.c.is_test, jobs.c.started_at.is_not(None), *of_no_hidden_list(login, sends.c.list_id))
            .order_by(sends.c.job_id)
        )
        if message_id is not None:
            query = query.where(sends.c.message_id == message_id)
        with self._database.read() as connection:
            return [
                Departure(message_id=row.message_id, list_id=row.list_id, at=row.started_at)
                for row in connection.execute(query)
                if row.counters.get("handed")
            ]

    def begun(
        self,
        account_id: int,
        list_id: int,
        *,
        begun_from: datetime | None = None,
        begun_before: datetime | None = None,
        tests: bool = False,
    ) -> list[SentMessage]:
        """Return the messages that a list was sent first within a range, by that date, then by number (lk-106).

        Test sends count only with `tests`, and only of messages that have no real send at all.
        """
        send, other = sends.c, sends.alias()
        real = select(other.c.job_id).where(other.c.message_id == send.message_id, ~other.c.is_test).exists()
        begun_at = func.min(jobs.c.started_at)
        mine = (send.account_id == account_id) & (send.list_id == list_id) & jobs.c.started_at.is_not(None)
        mine &= or_(~send.is_test, ~real) if tests else ~send.is_test
        joined = sends.join(jobs, jobs.c.id == send.job_id)
        of_messages = select(send.message_id, begun_at.label("begun_at")).select_from(joined).where(mine)
        of_messages = of_messages.group_by(send.message_id)
        if begun_from is not None:
            of_messages = of_messages.having(begun_at >= begun_from)
        if begun_before is not None:
            of_messages = of_messages.having(begun_at < begun_before)
        first = of_messages.subquery()
        query = (
            select(send.message_id, send.job_id, messages.c.subject, first.c.begun_at)
            .select_from(joined)
            .join(first, first.c.message_id == send.message_id)
            .join(messages, messages.c.id == send.message_id)
            .where(mine)
            .order_by(first.c.begun_at, send.message_id, send.job_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            SentMessage(id=number, subject=subject, begun_at=begun, job_ids=tuple(row.job_id for row in of_message))
            for (number, subject, begun), of_message in groupby(
                rows, lambda row: (row.message_id, row.subject, row.begun_at)
            )
        ]

    def counts(self, job_id: int) -> dict[str, int]:
        """Return the number of recipients of a send by state; empty states are left out."""
        query = select(deliveries.c.state, func.count()).where(deliveries.c.job_id == job_id)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(deliveries.c.state))}

    def reasons(self, job_id: int) -> dict[str, int]:
        """Return the number of skipped recipients of a send by reason."""
        query = select(deliveries.c.reason, func.count()).where(
            deliveries.c.job_id == job_id, deliveries.c.state == "skipped"
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(deliveries.c.reason))}

    def recipients(
        self,
        account_id: int,
        *,
        job_id: int,
        states: Sequence[str] = (),
        reasons: Sequence[str] = (),
        after: int = 0,
        limit: int = 1000,
        login: Login | None = None,
    ) -> list[DeliveryRecord]:
        """Return recipients of a send by row, from the one after `after`.

        `states`, and `reasons` of skipped ones, filter them; empty means all. A login gets no
        contact that it may not see.
        """
        columns: dict[str, ColumnElement[Any]] = {
            name: deliveries.c[name] for name in DeliveryRecord.__dataclass_fields__
        }
        if seen := of_visible_person(login, deliveries.c.contact_id):
            columns["contact_id"] = case((and_(*seen), deliveries.c.contact_id)).label("contact_id")
        query = select(*columns.values()).where(
            deliveries.c.account_id == account_id, deliveries.c.job_id == job_id, deliveries.c.id > after
        )
        if states:
            query = query.where(deliveries.c.state.in_(states))
        if reasons:
            query = query.where(deliveries.c.state == "skipped", deliveries.c.reason.in_(reasons))
        return self._database.records(DeliveryRecord, query.order_by(deliveries.c.id).limit(limit))

    def _records(
        self, account_id: int, condition: ColumnElement[bool], limit: int | None = None, *, newest: bool = False
    ) -> list[SendRecord]:
        with self._database.read() as connection:
            return read_sends(connection, (sends.c.account_id == account_id) & condition, limit, newest=newest)


def read_sends(
    connection: Connection, these: ColumnElement[bool], limit: int | None = None, *, newest: bool = False
) -> list[SendRecord]:
    """Return sends by number, or the newest first; also those that the caller's transaction has added."""
    own = [sends.c[name] for name in ("message_id", "source_id", "purpose", "is_test")]
    query = select(jobs, *own, sends.c.list_id.label("of_list")).join(jobs, jobs.c.id == sends.c.job_id)
    order = sends.c.job_id.desc() if newest else sends.c.job_id
    return [
        SendRecord(
            job=Job.of(row),
            message_id=row["message_id"],
            source_id=row["source_id"],
            list_id=row["of_list"],
            purpose=row["purpose"],
            is_test=row["is_test"],
        )
        for row in connection.execute(query.where(these).order_by(order).limit(limit)).mappings()
    ]
