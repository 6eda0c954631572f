"""Mails that went out, with all that a bounce or a complaint about them needs, by one read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from soapstone.store.bulk import among, array, listed, run
from soapstone.store.driver import run_query
from soapstone.store.tables import accounts, bounces, deliveries, lists, memberships, sends
from soapstone.vocabulary.tracking import HARD_BOUNCES


class SentMail(NamedTuple):
    """A mail that went out: its row of the ledger, then what is known of its account, list and recipient.

    `settings` are those of the list that it was sent to, if any; `added_at` is when the contact was added to it, None
    for no member. `bounce_class` is None unless the mail has come back. `bounces_before` are those of the contact in
    sends to the same list, `hard_before` the hard ones since it was added; test mails do not count.
    """

    id: int
    account_id: int
    message_id: int
    job_id: int
    contact_id: int | None
    email: str
    email_key: str
    state: str
    handed_at: datetime | None
    next_try_at: datetime | None
    is_test: bool
    identifier: str
    list_id: int | None
    settings: Mapping[str, Any] | None
    added_at: datetime | None
    bounce_class: str | None
    bounces_before: int
    hard_before: int


def lock_accounts(connection: Connection, numbers: Collection[int]) -> None:
    """Lock the accounts of these mails, whose contacts may change. A transaction does so before it locks any mail."""
    if numbers and connection.dialect.name == "postgresql":
        mine = "SELECT account_id FROM delivery WHERE id = ANY(%s::bigint[])"
        statement = f"SELECT id FROM account WHERE id IN ({mine}) ORDER BY id FOR UPDATE"  # noqa: S608 - a text above
        run(connection, statement, (array(numbers),))


def lock_mails(connection: Connection, numbers: Collection[int]) -> None:
    """Lock these mails and their accounts; SQLite's transactions that write have locked all."""
    lock_accounts(connection, numbers)
    if numbers and connection.dialect.name == "postgresql":
        statement = "SELECT id FROM delivery WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE"
        run(connection, statement, (array(numbers),))


def read_mails(connection: Connection, numbers: Collection[int]) -> dict[int, SentMail]:
    """Return these mails by number, which ascends; unknown ones are left out."""
    if not numbers:
        return {}
    found = run_query(connection, _query(connection.dialect.name), {"numbers": listed(connection, numbers)})
    return {row[0]: SentMail._make(row) for row in found}


@cache
def _query(kind: str) -> Select[Any]:
    delivery, member = deliveries.c, memberships.c
    other, earlier, its_send = deliveries.alias("other"), bounces.alias("earlier"), sends.alias("its_send")
    before = (
        select(func.count())
        .join_from(other, earlier, earlier.c.delivery_id == other.c.id)
        .join(its_send, its_send.c.job_id == other.c.job_id)
        .where(other.c.contact_id == delivery.contact_id, ~other.c.is_test, its_send.c.list_id == sends.c.list_id)
    )
    hard = before.where(earlier.c["class"].in_([each.value for each in HARD_BOUNCES]), earlier.c.at >= member.added_at)
    its_own = SentMail._fields[: SentMail._fields.index("identifier")]
    here = (member.list_id == sends.c.list_id) & (member.contact_id == delivery.contact_id)
    return (
        select(
            *(delivery[name] for name in its_own),
            accounts.c.identifier,
            sends.c.list_id,
            lists.c.settings,
            member.added_at,
            bounces.c["class"],
            before.correlate(deliveries, sends).scalar_subquery(),
            hard.correlate(deliveries, sends, memberships).scalar_subquery(),
        )
        .join_from(deliveries, sends, sends.c.job_id == delivery.job_id)
        .join(accounts, accounts.c.id == delivery.account_id)
        .join(lists, lists.c.id == sends.c.list_id, isouter=True)
        .join(memberships, here, isouter=True)
        .join(bounces, bounces.c.delivery_id == delivery.id, isouter=True)
        .where(among(delivery.id, kind, "numbers"))
        .order_by(delivery.id)
    )
