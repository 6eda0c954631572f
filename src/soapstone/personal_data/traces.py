"""Traces of one person: its contacts, its addresses, and the texts that hold one of these."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, cast, func, or_, select

from soapstone.accounts.account import Account
from soapstone.addresses import address_key, is_address
from soapstone.contacts.changes import Change
from soapstone.errors import NotFoundError
from soapstone.store.tables import contact_events, contacts, deliveries, jobs, sends

NOBODY = "There is no such contact."


@dataclass(frozen=True)
class Traces:
    """A person: numbers of its contacts, which share one mailbox, and its present and former addresses.

    `keys` are the comparable forms of the addresses, without those of other contacts of the account; `texts` are the
    addresses as texts may hold them, in lower case.
    """

    account: Account
    contact_ids: tuple[int, ...]
    keys: frozenset[str]
    texts: frozenset[str]

    @classmethod
    def of(cls, connection: Connection, account: Account, who: int | str) -> Traces:
        """Find the traces of a contact, by number or by address. Raises NotFoundError."""
        look = Change(connection, account, "", 0)
        if isinstance(who, int):
            if look.contact(who) is None:
                raise NotFoundError(NOBODY)
            ids = look.sharing(who)
            written = set()
        else:
            if not is_address(who.strip()):
                raise NotFoundError(NOBODY)
            ids, written = list(look.with_address(who.strip())), {who.strip()}
        mine = contacts.c.account_id == account.id
        written |= set(connection.execute(select(contacts.c.email).where(mine, contacts.c.id.in_(ids))).scalars())
        details = select(contact_events.c.detail).where(contact_events.c.contact_id.in_(ids))
        written |= {str(detail.get("old_email") or "") for detail in connection.execute(details).scalars()}
        sent = select(deliveries.c.email).where(deliveries.c.contact_id.in_(ids), deliveries.c.account_id == account.id)
        written |= set(connection.execute(sent).scalars())
        by_key: dict[str, set[str]] = {}
        for text in filter(None, written):
            by_key.setdefault(address_key(text), set()).update((text.lower(), address_key(text)))
        own = {key for key in by_key if set(look.with_address(key)) <= set(ids)}
        return cls(account, tuple(ids), frozenset(own), frozenset(text for key in own for text in by_key[key]))

    def in_text(self, text: str) -> bool:
        """Return whether a text holds one of the addresses."""
        lowered = text.lower()
        return any(each in lowered for each in self.texts)

    def in_value(self, value: Any) -> bool:
        """Return whether a JSON value holds one of the addresses."""
        if isinstance(value, str):
            return self.in_text(value)
        if isinstance(value, dict):
            return any(self.in_value(each) for each in value.values())
        return isinstance(value, list) and any(self.in_value(each) for each in value)

    def without(self, value: Any) -> Any:
        """Return a JSON value with its texts cleared that hold one of the addresses."""
        if isinstance(value, dict):
            return {name: self.without(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.without(each) for each in value]
        return "" if isinstance(value, str) and self.in_text(value) else value

    def holds(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return a condition for texts and JSON documents with one of the addresses; few others meet it.

        JSON of SQLite escapes characters beyond ASCII.
        """
        wanted = sorted({form for text in self.texts for form in (text, json.dumps(text)[1:-1])})
        text = func.lower(cast(column, String))
        return or_(False, *(text.contains(form, autoescape=True) for form in wanted))

    def ledger(self, connection: Connection) -> Iterator[Any]:
        """Yield the person's rows of the ledgers."""
        table = deliveries.c
        mine = table.account_id == self.account.id
        by_contact = select(deliveries).where(mine, table.contact_id.in_(self.contact_ids))
        yield from connection.execute(by_contact).all()
        of_account = select(sends.c.job_id).where(sends.c.account_id == self.account.id)
        # Job by job, since the ledger is indexed so.
        strangers = table.contact_id.is_(None) | table.contact_id.not_in(self.contact_ids)
        by_address = table.job_id.in_(of_account) & table.email_key.in_(self.keys)
        yield from connection.execute(select(deliveries).where(mine, by_address, strangers)).all()

    def jobs(self) -> ColumnElement[bool]:
        """Return a condition for jobs of the person's account."""
        return jobs.c.account_id == self.account.id


def some(values: Collection[int], most: int = 500) -> Iterator[list[int]]:
    """Yield the values in lists of at most `most`, which fit into a query."""
    listed = list(values)
    for start in range(0, len(listed), most):
        yield listed[start : start + most]
