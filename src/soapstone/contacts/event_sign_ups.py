"""Occasions and their sign-ups (mm-127)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from soapstone.clock import now
from soapstone.lists.names import checked_name
from soapstone.store.numbers import add_row
from soapstone.store.repository import Repository
from soapstone.store.tables import occasions, sign_ups


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """An occasion to sign up for, possible only while it is open."""

    id: int
    account_id: int
    name: str
    open: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class SignUp:
    """A sign-up; those of one call share `call_id`."""

    id: int
    occasion_id: int
    call_id: int
    email: str
    first_name: str
    last_name: str
    reference: str
    live: bool
    answers: Mapping[str, Any]
    created_at: datetime


_SIGN_UPS = select(*(sign_ups.c[name] for name in SignUp.__dataclass_fields__))


class EventSignUps(Repository):
    """All occasions of one installation."""

    def add(self, account_id: int, name: str, *, number: int | None = None) -> Occasion:
        """Create an occasion; `number` as for add_row. Raises InvalidError and ConflictError."""
        values = {"account_id": account_id, "name": checked_name(name, "occasion"), "created_at": now()}
        with self._database.write() as connection:
            return Occasion(**add_row(connection, occasions, values, number))

    def all(self, account_id: int) -> list[Occasion]:
        """Return the account's occasions by number."""
        query = select(occasions).where(occasions.c.account_id == account_id).order_by(occasions.c.id)
        return self._database.records(Occasion, query)

    def get(self, account_id: int, occasion_id: int) -> Occasion | None:
        """Return the account's occasion with this number."""
        here = (occasions.c.account_id == account_id) & (occasions.c.id == occasion_id)
        return self._database.record(Occasion, select(occasions).where(here))

    def open(self, account_id: int, occasion_id: int, is_open: bool) -> bool:
        """Open or close an occasion; False for an unknown one."""
        here = (occasions.c.account_id == account_id) & (occasions.c.id == occasion_id)
        with self._database.write() as connection:
            return connection.execute(update(occasions).where(here).values(open=is_open)).rowcount == 1

    def sign_up(self, occasion: Occasion, people: Sequence[Mapping[str, Any]], *, live: bool) -> list[SignUp]:
        """Record sign-ups (`email`, `first_name`, `last_name`, `reference`, `answers`), all or none."""
        made: list[int] = []
        with self._database.write() as connection:
            for person in people:
                values = {"account_id": occasion.account_id, "occasion_id": occasion.id, "live": live, **person}
                query = insert(sign_ups).values(**values, created_at=now()).returning(sign_ups.c.id)
                made.append(connection.execute(query).scalar_one())
            connection.execute(update(sign_ups).where(sign_ups.c.id.in_(made)).values(call_id=min(made, default=0)))
            stored = _SIGN_UPS.where(sign_ups.c.id.in_(made)).order_by(sign_ups.c.id)
            return [SignUp(**row) for row in connection.execute(stored).mappings()]

    def signed_up(self, occasion: Occasion, *, after: int = 0, limit: int | None = None) -> list[SignUp]:
        """Return sign-ups for an occasion with numbers above `after`."""
        query = _SIGN_UPS.where(sign_ups.c.occasion_id == occasion.id, sign_ups.c.id > after)
        query = query.order_by(sign_ups.c.id).limit(limit)
        return self._database.records(SignUp, query)
