"""Mailboxes that have several contacts, in accounts identified by address.

An earlier version compared addresses in lower case only, and took `ann@bücher.example` and `ann@xn--bcher-kva.example`
for two people. The oldest contact of a mailbox owns it (`unique_email`). The others are its duplicates until an
operator merges them (soapstone.contacts.duplicates). An opt-out of one holds for all: one person reads the mail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import cache
from operator import itemgetter

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, bindparam, func, or_, select

from soapstone.store.tables import contacts


@cache
def with_address(identifier: str, kind: str) -> Select[int] | CompoundSelect[int]:
    """Return the query for the numbers of all contacts with an address, for an account's identifier and a database.

    Its parameters are `account_id` and `key`, the comparable form.
    """
    mine, key = contacts.c.account_id == bindparam("account_id"), bindparam("key", type_=contacts.c.email_key.type)
    if identifier == "email":
        owner = select(contacts.c.id).where(mine, contacts.c.unique_email == key)
        return owner.union_all(select(contacts.c.id).where(mine, contacts.c.double_of == owner.scalar_subquery()))
    # SQLite would choose the unique index for this condition, and scan all contacts of the account.
    repeatable: ColumnElement[bool] = contacts.c.unique_email.is_(None)
    if kind == "sqlite":
        repeatable = func.likely(repeatable)
    return select(contacts.c.id).where(mine, contacts.c.email_key == key, repeatable)


def has_doubles(connection: Connection, account_id: int) -> bool:
    """Return whether any contact of the account is a duplicate. After a merge none comes back."""
    query = select(contacts.c.id).where(contacts.c.account_id == account_id, contacts.c.double_of.is_not(None)).limit(1)
    return connection.execute(query).first() is not None


def sharing(connection: Connection, account_id: int, contact_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the contacts that share their mailbox: number → all contacts of the mailbox, the oldest first.

    Contacts with a mailbox of their own are left out. This is cheap in accounts without duplicates. In an account
    identified by custom id, contacts may share an address and are distinct (mm-53): none is a duplicate.
    """
    if not contact_ids or not has_doubles(connection, account_id):
        return {}
    mine, oldest = contacts.c.account_id == account_id, contacts.c.double_of
    asked = select(oldest).where(
        mine, oldest.is_not(None), or_(contacts.c.id.in_(contact_ids), oldest.in_(contact_ids))
    )
    members: dict[int, list[int]] = defaultdict(list)
    query = select(contacts.c.id, oldest).where(mine, oldest.is_not(None), oldest.in_(asked))
    # Ordered by the database, SQLite would read the whole account.
    for contact_id, first in sorted(connection.execute(query), key=itemgetter(0)):
        members[first].append(contact_id)
    mailboxes = [[first, *others] for first, others in members.items()]
    wanted = set(contact_ids)
    return {each: mailbox for mailbox in mailboxes for each in mailbox if each in wanted}
