"""The keys that sign links, each for its own range of numbers.

A restore ends the newest key at the backup's last number and begins another one above all numbers that may have been
given out since. So a link of a mail that the backup lacks is signed with a key that is not valid for its number.
"""

from __future__ import annotations

import hmac
import secrets as random
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from soapstone.accounts.secrets import BYTES, Secrets
from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import link_keys

_ALL = range(1 << 63)


@dataclass(frozen=True)
class LinkKey:
    """A key, the numbers of deliveries and contacts that it signs, and its own number."""

    value: str
    deliveries: range = _ALL
    contacts: range = _ALL
    number: int = 1


class LinkKeys:
    """The keys of one installation, newest first."""

    def __init__(self, keys: Sequence[LinkKey]) -> None:
        self.all = tuple(keys)

    @classmethod
    def single(cls, value: str) -> LinkKeys:
        """Build one key for all numbers."""
        return cls([LinkKey(value)])

    @classmethod
    def of(cls, database: Database, secret: str) -> LinkKeys:
        """Return the keys of a database. `secret` is the operator's; empty means the stored one."""
        secret = secret or Secrets(database).get("links")
        with database.read() as connection:
            rows = connection.execute(select(link_keys).order_by(link_keys.c.number.desc())).all()
        return cls(
            [
                LinkKey(
                    _derived(secret, row.salt),
                    deliveries=_numbers(row.first_delivery, row.last_delivery),
                    contacts=_numbers(row.first_contact, row.last_contact),
                    number=row.number,
                )
                for row in rows
            ]
        )

    def of_contact(self, contact_id: int) -> LinkKey:
        """Return the key that signs this contact's number. Raises LookupError if no key does."""
        for key in self.all:
            if contact_id in key.contacts:
                return key
        raise LookupError(f"no key signs for contact {contact_id}")


def begin_key(connection: Connection, *, delivery: int, contact: int, next_delivery: int, next_contact: int) -> int:
    """End the newest key at these numbers, begin another one at the next, and return its position."""
    newest = int(connection.execute(select(func.max(link_keys.c.number))).scalar_one())
    connection.execute(
        update(link_keys).where(link_keys.c.number == newest).values(last_delivery=delivery, last_contact=contact)
    )
    connection.execute(
        insert(link_keys).values(
            number=newest + 1,
            salt=random.token_urlsafe(BYTES),
            first_delivery=next_delivery,
            first_contact=next_contact,
            created_at=now(),
        )
    )
    return newest + 1


def _numbers(first: int, last: int | None) -> range:
    return range(first, _ALL.stop if last is None else last + 1)


def _derived(secret: str, salt: str) -> str:
    return hmac.new(secret.encode(), salt.encode(), "sha256").hexdigest() if salt else secret
