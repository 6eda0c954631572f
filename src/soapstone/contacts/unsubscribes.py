"""Unsubscribes from everything, from lists and from categories (mm-120 to mm-122), and their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.visibility import of_no_hidden_list, of_visible_person
from soapstone.contacts.changes import Cause, Change, Changes
from soapstone.store.ranges import within
from soapstone.store.repository import Repository
from soapstone.store.tables import contact_events, contacts, list_categories, lists, message_categories, messages
from soapstone.vocabulary.contacts import MembershipState, OptOutKind


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An unsubscribe or a complaint, with names of its list, message and categories; 0 and "" if missing."""

    id: int
    contact_id: int
    at: datetime
    list_id: int
    list_name: str
    message_id: int
    message_name: str
    list_category_id: int
    message_category_id: int


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Filters of records: a range of dates, and the numbers of a list, message and category of lists; 0 is any."""

    at_from: datetime | None = None
    at_before: datetime | None = None
    list_id: int = 0
    message_id: int = 0
    list_category_id: int = 0


ALL = Filters()


class Unsubscribes(Repository):
    """Records unsubscribes and reads the records."""

    def add(
        self,
        account: Account,
        contact_id: int,
        *,
        list_id: int = 0,
        cause: Cause | None = None,
        by: str = "API",
        login: Login | None = None,
    ) -> int | None:
        """Unsubscribe a contact by the account's type of unsubscribe (mm-120); return the number of the record.

        None, without a change, for an unknown contact or a missing list or category (mm-122). Lists that the login does
        not see are included: an unsubscribe holds for the whole account.
        """
        cause = cause or Cause()
        with Changes(self._database).begin(account, by=by) as change:
            person = select(contacts.c.id).where(contacts.c.account_id == account.id, contacts.c.id == contact_id)
            if change.connection.execute(person.where(*of_visible_person(login))).first() is None:
                return None
            if not _known(change, cause):
                return None
            if account.unsubscribe_type == "lists":
                return _from_list(change, contact_id, list_id, cause)
            if account.unsubscribe_type == "list_categories":
                return _from_list_category(change, contact_id, cause)
            if account.unsubscribe_type == "message_categories":
                return _from_message_category(change, contact_id, cause)
            return from_everything(change, contact_id, cause)

    def page(
        self,
        account_id: int,
        kind: str,
        filters: Filters = ALL,
        *,
        after: tuple[datetime, int] | None = None,
        offset: int = 0,
        limit: int | None = None,
        login: Login | None = None,
    ) -> Sequence[Recorded]:
        """Return records of a kind, "unsubscribed" or "complained", by date, then number, after the pair `after`.

        The login sees those of contacts and lists that it sees, and no message of another list.
        """
        event = contact_events.c
        about: ColumnElement[Any] = func.coalesce(event.message_id, 0)
        name: ColumnElement[Any] = func.coalesce(func.nullif(messages.c.name, ""), messages.c.subject, "")
        for seen in of_no_hidden_list(login, messages.c.list_id):
            about, name = case((seen, about), else_=0), case((seen, name), else_="")
        query = (
            select(
                event.id,
                event.contact_id,
                event.at,
                func.coalesce(event.list_id, 0).label("list_id"),
                func.coalesce(lists.c.name, "").label("list_name"),
                about.label("message_id"),
                name.label("message_name"),
                func.coalesce(event.list_category_id, 0).label("list_category_id"),
                func.coalesce(event.message_category_id, 0).label("message_category_id"),
            )
            .join(lists, lists.c.id == event.list_id, isouter=True)
            .join(
                messages,
                # A caller may give any number as the cause, even of another account's message.
                (messages.c.id == event.message_id) & (messages.c.account_id == event.account_id),
                isouter=True,
            )
            .where(*_wanted(account_id, kind, filters, login))
            .order_by(event.at, event.id)
            .offset(offset or None)
            .limit(limit)
        )
        if after is not None:
            moment, number = after
            query = query.where(event.at >= moment).where((event.at > moment) | (event.id > number))
        return self._database.records(Recorded, query)

    def count(self, account_id: int, kind: str, filters: Filters = ALL, *, login: Login | None = None) -> int:
        """Return the number of records of `page` in all."""
        query = select(func.count()).select_from(contact_events)
        with self._database.read() as connection:
            found = connection.execute(query.where(*_wanted(account_id, kind, filters, login)))
            return int(found.scalar_one())


def _wanted(account_id: int, kind: str, filters: Filters, login: Login | None) -> list[ColumnElement[bool]]:
    event = contact_events.c
    wanted: list[ColumnElement[bool]] = [
        event.account_id == account_id,
        event.kind == kind,
        event.part_of.is_(None),
        *of_visible_person(login, event.contact_id),
        *of_no_hidden_list(login, event.list_id),
        *within(event.at, filters.at_from, filters.at_before),
    ]
    numbers = ("list_id", "message_id", "list_category_id")
    return wanted + [event[name] == getattr(filters, name) for name in numbers if getattr(filters, name)]


def _known(change: Change, cause: Cause) -> bool:
    """Return whether the account has the given categories."""
    for table, number in (
        (list_categories.c, cause.list_category_id),
        (message_categories.c, cause.message_category_id),
    ):
        here = (table.account_id == change.account.id) & (table.id == number)
        if number is not None and change.connection.execute(select(table.id).where(here)).first() is None:
            return False
    return True


def from_everything(change: Change, contact_id: int, cause: Cause) -> int:
    """Unsubscribe a contact from all lists, including those that it joins later."""
    number = change.log("unsubscribed", contact_id, cause=cause)
    change.edit(contact_id, {"unsubscribed_at": change.moment})
    for member in change.memberships(contact_id):
        change.move(member["list_id"], contact_id, MembershipState.UNSUBSCRIBED, cause=cause, part_of=number)
    return number


def _from_list(change: Change, contact_id: int, list_id: int, cause: Cause) -> int | None:
    here = (lists.c.account_id == change.account.id) & (lists.c.id == list_id) & lists.c.deleted_at.is_(None)
    if change.connection.execute(select(lists.c.id).where(here)).first() is None:
        return None
    number = change.log("unsubscribed", contact_id, list_id, cause=cause)
    if not change.move(list_id, contact_id, MembershipState.UNSUBSCRIBED, cause=cause, part_of=number):
        change.opt_out(contact_id, OptOutKind.LIST, list_id)
    return number


def _from_list_category(change: Change, contact_id: int, cause: Cause) -> int | None:
    category_id = cause.list_category_id
    if category_id is None:
        return None
    number = change.log("unsubscribed", contact_id, cause=cause)
    change.opt_out(contact_id, OptOutKind.LIST_CATEGORY, category_id)
    theirs = select(lists.c.id).where(lists.c.account_id == change.account.id, lists.c.category_id == category_id)
    concerned = set(change.connection.execute(theirs).scalars())
    for member in change.memberships(contact_id):
        if member["list_id"] in concerned:
            change.move(member["list_id"], contact_id, MembershipState.UNSUBSCRIBED, cause=cause, part_of=number)
    return number


def _from_message_category(change: Change, contact_id: int, cause: Cause) -> int | None:
    if cause.message_category_id is None:
        return None
    number = change.log("unsubscribed", contact_id, cause=cause)
    change.opt_out(contact_id, OptOutKind.MESSAGE_CATEGORY, cause.message_category_id)
    return number
