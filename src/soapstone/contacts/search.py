"""Search for contacts by example values (mm-78, mm-79)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, exists, false, func, literal_column, or_, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.visibility import of_granted_list, of_visible_person
from soapstone.addresses import address_pattern
from soapstone.contacts.contacts import Contact, complete
from soapstone.store.ranges import within
from soapstone.store.repository import Repository
from soapstone.store.tables import PERSON_FIELDS, contacts, memberships, suppressions
from soapstone.vocabulary.contacts import Channel

# Columns that an example can search.
SEARCHABLE = ("email", "custom_id", *PERSON_FIELDS)
# Most contacts that one step of a walk scans, unless an index finds the matching ones.
WALK = 20_000
# Sorts after every character of a text.
_LAST = "\U0010ffff"


@dataclass(frozen=True, kw_only=True)
class Example:
    """Values that the contacts must have; all must match, None and empty text match every contact.

    `values`: column → text, compared as a whole, ignoring case; `*` stands for any text. `shut`: channel → whether it
    is shut. `suppressed_from` and `suppressed_before` bound the time of the suppression.
    """

    id: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    unsubscribed: bool | None = None
    text_only: bool | None = None
    waiting: bool | None = None
    suppressed: bool | None = None
    shut: Mapping[str, bool] = field(default_factory=dict)
    suppressed_from: datetime | None = None
    suppressed_before: datetime | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """The key of this example for page marks."""
        plain = (self.id, self.unsubscribed, self.text_only, self.waiting, self.suppressed)
        dates = (self.suppressed_from, self.suppressed_before)
        return (*plain, *dates, tuple(sorted(self.values.items())), tuple(sorted(self.shut.items())))


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The range to search: members of a list, in one state, or else all contacts; after the contact `after`.
    `updated_since` selects contacts that were added or whose fields changed since then."""

    list_id: int | None = None
    state: str | None = None
    updated_since: datetime | None = None
    after: int = 0


class Search(Repository):
    """Finds contacts."""

    def page(
        self,
        account: Account,
        example: Example,
        *,
        login: Login | None = None,
        after: int | None = None,
        offset: int = 0,
        limit: int = 2000,
    ) -> list[Contact]:
        """Return matching contacts that the login sees, by number, after `after`.

        Indexes find addresses and custom ids, also by their beginnings (`ann*`); custom ids as given, in lower and in
        upper case. Other values need a scan of all contacts of the account.
        """
        query = self.query(account, example, after, login)
        # Contacts found by an index are sorted afterwards: SQLite would otherwise scan all in order.
        query = query.order_by(contacts.c.id + 0 if _leads(example) else contacts.c.id).offset(offset).limit(limit)
        with self._database.read() as connection:
            return complete(connection, account.id, connection.execute(query).mappings().all(), login=login)

    def walk(self, account: Account, example: Example, chosen: Walk, *, limit: int) -> tuple[list[Contact], int | None]:
        """Return matching contacts by number, and the contact after which to go on; None at the end.

        One step scans at most `WALK` contacts, so that none lasts long: it may find few or none, and yet not be the
        last.
        """
        with self._database.read() as connection:
            last = None
            if not _leads(example):
                ends, _ = self.walk_queries(account, example, chosen, last=None, limit=limit)
                last = connection.execute(ends).scalar_one_or_none()
            _, query = self.walk_queries(account, example, chosen, last=last, limit=limit + 1)
            rows = connection.execute(query).mappings().all()
            if len(rows) > limit:
                last = rows[limit - 1]["id"]
            return complete(connection, account.id, rows[:limit]), last

    def walk_queries(
        self, account: Account, example: Example, chosen: Walk, *, last: int | None, limit: int
    ) -> tuple[Any, Any]:
        """Return the statements of `walk`: the end of a step, and the matching contacts up to it."""
        own, member = contacts.c, memberships.c
        query = self.query(account, example, chosen.after)
        number: ColumnElement[int]
        if chosen.list_id is None:
            number = own.id
            ends = select(number).where(own.account_id == account.id)
        else:
            number = member.contact_id
            ends = select(number).where(member.list_id == chosen.list_id)
            query = query.join(memberships, number == own.id).where(member.list_id == chosen.list_id)
            query = query.where(number > chosen.after)
            if chosen.state is not None:
                query = query.where(member.state == chosen.state)
        ends = ends.where(number > chosen.after).order_by(number).offset(WALK - 1).limit(1)
        if last is not None:
            query = query.where(number <= last)
        if chosen.updated_since is not None:
            query = query.where(own.updated_at >= chosen.updated_since)
        return ends, query.order_by(own.id + 0 if _leads(example) else number).limit(limit)

    def query(self, account: Account, example: Example, after: int | None = None, login: Login | None = None) -> Any:
        """Return the statement of `page`, without order and limit."""
        query = select(contacts).where(contacts.c.account_id == account.id, *of_visible_person(login))
        if after is not None:
            query = query.where(contacts.c.id > after)
        if example.id is not None:
            query = query.where(contacts.c.id == example.id)
        for name, text in example.values.items():
            if name not in SEARCHABLE:
                raise ValueError(f"people cannot be searched by {name}")
            if text.strip():
                query = query.where(self._matches(account, name, text.strip()))
        for name in ("text_only", "unsubscribed", "waiting", "suppressed"):
            wanted = getattr(example, name)
            if wanted is not None:
                flag = _waiting(login) if name == "waiting" else _FLAGS[name]
                query = query.where(flag if wanted else ~flag)
        for channel, wanted in example.shut.items():
            query = query.where(_shut(channel) if wanted else ~_shut(channel))
        since = func.coalesce(contacts.c.suppressed_at, _suppressed_at)
        return query.where(*within(since, example.suppressed_from, example.suppressed_before))

    def _matches(self, account: Account, name: str, text: str) -> ColumnElement[bool]:
        if name == "email":
            return self._address(account, address_pattern(text))
        if name == "custom_id":
            forms = sorted({text, text.lower(), text.upper()})
            # Spelled as the condition of the index.
            known = contacts.c.custom_id != literal_column("''")
            if "*" not in text:
                return and_(known, contacts.c.custom_id.in_(forms))
            # In each of them, or SQLite does not use the index for all.
            return or_(*(and_(known, self._wild(contacts.c.custom_id, form)) for form in forms))
        column = contacts.c[name]
        folded = text.lower()
        lower: ColumnElement[Any] = func.lower(column, type_=String())
        if self._database.kind == "sqlite" and not text.isascii():
            # SQLite's own folds ASCII only.
            lower = func.lower_unicode(column, type_=String())
        return self._wild(lower, folded, ranged=False) if "*" in text else lower == folded

    def _address(self, account: Account, key: str) -> ColumnElement[bool]:
        if account.identifier == "email":
            column: ColumnElement[Any] = contacts.c.unique_email
            return self._wild(column, key) if "*" in key else column == key
        column = contacts.c.email_key
        found = self._wild(column, key) if "*" in key else column == key
        repeatable: ColumnElement[bool] = contacts.c.unique_email.is_(None)
        # SQLite would take the condition for a find in the unique index, and look at all contacts of the account.
        return and_(found, func.likely(repeatable) if self._database.kind == "sqlite" else repeatable)

    def _wild(self, column: ColumnElement[Any], text: str, *, ranged: bool = True) -> ColumnElement[bool]:
        """Match text with `*` in it. Its beginning bounds the scanned part of an index."""
        beginning = text.partition("*")[0]
        pattern = re.sub(r"([\\%_])", r"\\\1", text).replace("*", "%")
        like = column.like(pattern, escape="\\")
        if not beginning or not ranged or self._database.kind != "sqlite":
            # PostgreSQL finds the beginning of a pattern by itself.
            return like
        bounds = and_(column >= beginning, column < beginning + _LAST)
        # SQLite's LIKE ignores case in ASCII, which is fine: these are lower case or as given.
        return bounds if text == f"{beginning}*" else and_(bounds, like)


def _bounded(text: str) -> bool:
    """Return whether the text has a fixed beginning, so that an index helps."""
    return bool(text) and not text.startswith("*")


def _leads(example: Example) -> bool:
    """Return whether an index finds the matching contacts."""
    return any(_bounded(example.values.get(name, "").strip()) for name in ("email", "custom_id"))


def _shut(channel: str) -> ColumnElement[bool]:
    """Return a condition for contacts with a shut channel."""
    if channel not in {*Channel}:
        return false()
    own = (" " + contacts.c.channels_shut + " ").like(f"% {channel} %")
    return or_(own, _blocked) if channel == "email" else own


def _waiting(login: Login | None) -> ColumnElement[bool]:
    """Return a condition for contacts that are unconfirmed on a list that the login sees."""
    member = memberships.c
    here = of_granted_list(login, member.list_id)
    return exists(select(member.list_id).where(member.contact_id == contacts.c.id, member.state == "waiting", *here))


_blocked = exists(
    select(suppressions.c.id).where(
        suppressions.c.account_id == contacts.c.account_id,
        suppressions.c.email_key == contacts.c.email_key,
        suppressions.c.list_id == 0,
        contacts.c.email_key != "",
    )
)
_suppressed_at = (
    select(func.min(suppressions.c.created_at))
    .where(
        suppressions.c.account_id == contacts.c.account_id,
        suppressions.c.email_key == contacts.c.email_key,
        suppressions.c.list_id == 0,
    )
    .scalar_subquery()
)
_FLAGS: dict[str, ColumnElement[bool]] = {
    "text_only": contacts.c.text_only,
    "unsubscribed": contacts.c.unsubscribed_at.is_not(None),
    "suppressed": or_(contacts.c.channels_shut != "", _blocked),
}
