"""Lists: their settings, figures and visibility."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, delete, func, insert, or_, select, update

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_granted_list, sees_job
from soapstone.clock import now
from soapstone.errors import NameTakenError
from soapstone.jobs.job import Job
from soapstone.jobs.queue import cancel_queued, is_due, log_cancelled
from soapstone.lists.names import checked_name
from soapstone.store.numbers import add_row
from soapstone.store.repository import Repository
from soapstone.store.tables import accounts, contacts, granted_lists, jobs, lists, memberships, sends, suppressions
from soapstone.vocabulary.jobs import JobKind

# Memberships of a deleted list that one transaction removes.
PURGE_ROWS = 5_000


class _AtWork(Exception):
    """A job of the list is not over, so that the deletion is rolled back."""


@dataclass(frozen=True, kw_only=True)
class ContactList:
    """One list. `settings` belongs to the contract that wrote it, except `from_name` and `from_address`, the default
    sender of its messages. `members` counts all members, `subscribed` those that get its mail. `tracking` is one of
    TrackingMode, or empty for that of the account."""

    id: int
    account_id: int
    name: str
    settings: Mapping[str, Any]
    visible: bool
    on_subscription_page: bool
    members: int
    subscribed: int
    created_at: datetime
    updated_at: datetime | None
    updated_by: int | None
    category_id: int | None
    tracking: str

    @property
    def from_name(self) -> str:
        """The default sender's name."""
        return str(self.settings.get("from_name") or "")

    @property
    def from_address(self) -> str:
        """The default sender's address."""
        return str(self.settings.get("from_address") or "")


@dataclass(frozen=True, kw_only=True)
class ListTotals:
    """Counts of a list's members: all, those with a shut channel (`both_shut`: e-mail and fax), and the
    unsubscribed."""

    members: int
    email_shut: int
    fax_shut: int
    both_shut: int
    unsubscribed: int


class Lists(Repository):
    """All lists of one installation."""

    def create(
        self,
        account_id: int,
        name: str,
        *,
        settings: Mapping[str, Any] | None = None,
        login_id: int | None = None,
        unique_name: bool = False,
        category_id: int | None = None,
        tracking: str = "",
        number: int | None = None,
    ) -> ContactList:
        """Create a list, visible and not on the subscription page (mm-91).

        Names may repeat (lk-43); with `unique_name` a repeated one raises NameTakenError (mm-91). A login that sees
        only granted lists is granted the new one. `number` as for add_row. Raises InvalidError for the name.
        """
        name = checked_name(name, "list")
        with self._database.write() as connection:
            if unique_name:
                # Names may repeat, so no index keeps them unique: concurrent calls must run one after the other.
                connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())
                here = (lists.c.account_id == account_id) & lists.c.deleted_at.is_(None)
                names = connection.execute(select(lists.c.name).where(here)).scalars()
                # Databases fold letters beyond ASCII differently.
                if name.casefold() in {other.casefold() for other in names}:
                    raise NameTakenError(f"There is a list named {name} already.")
            values = {"account_id": account_id, "name": name, "settings": dict(settings or {}), "created_at": now()}
            values |= {"category_id": category_id, "tracking": tracking}
            made = add_row(connection, lists, values, number)
            if login_id is not None:
                connection.execute(insert(granted_lists).values(login_id=login_id, list_id=made["id"]))
        return _list(made)

    def get(self, account_id: int, list_id: int, login: Login | None = None) -> ContactList | None:
        """Return the account's list with this number; None if unknown or hidden from the login (mm-26, lk-19)."""
        found = self._find((lists.c.account_id == account_id) & (lists.c.id == list_id), login)
        return found[0] if found else None

    def sees(self, login: Login, account_id: int, list_id: int | None) -> bool:
        """Return whether the login sees what belongs to a list; without a list, or a deleted one, only with all lists
        (lk-44)."""
        return login.all_lists or (list_id is not None and self.get(account_id, list_id, login) is not None)

    def sees_job(self, login: Login, job: Job) -> bool:
        """Return whether the login sees a job of its account."""
        return sees_job(login, job, () if not self.sees(login, job.account_id, job.list_id) else (job.list_id,))

    def any(self, list_id: int) -> ContactList | None:
        """Return the list with this number in any account: for links signed by this server."""
        found = self._find(lists.c.id == list_id, None)
        return found[0] if found else None

    def all(
        self,
        account_id: int,
        login: Login | None = None,
        *,
        visible: bool | None = None,
        on_subscription_page: bool | None = None,
    ) -> list[ContactList]:
        """Return the account's lists that the login may see, by number; None as a filter means both."""
        condition = lists.c.account_id == account_id
        if visible is not None:
            condition &= lists.c.visible == visible
        if on_subscription_page is not None:
            condition &= lists.c.on_subscription_page == on_subscription_page
        return self._find(condition, login)

    def change(
        self,
        account_id: int,
        list_id: int,
        *,
        name: str | None = None,
        settings: Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
        login_id: int | None = None,
        **columns: Any,
    ) -> ContactList | None:
        """Change a list's name, settings, or columns such as `visible`; None for an unknown list (mm-32).

        Omitted settings stay; a function gets the present settings and returns the new ones. `login_id` is the login
        that made the change. Raises InvalidError for the name.
        """
        if name is not None:
            name = checked_name(name, "list")
        condition = (lists.c.account_id == account_id) & (lists.c.id == list_id) & lists.c.deleted_at.is_(None)
        with self._database.write() as connection:
            row = connection.execute(select(lists).where(condition).with_for_update()).one_or_none()
            if row is None:
                return None
            values = dict(columns) | {"updated_at": now(), "updated_by": login_id}
            if name is not None:
                values["name"] = name
            if settings is not None:
                values["settings"] = {**row.settings, **(settings(row.settings) if callable(settings) else settings)}
            changed = update(lists).where(condition).values(**values).returning(lists)
            return _list(connection.execute(changed).mappings().one())

    def delete(self, account_id: int, list_id: int) -> bool:
        """Delete a list with its memberships (lk-44); False if it is unknown or a job of it is not over.

        Scheduled sends are cancelled, and cleanup jobs do not count. The list disappears at once; `purge` removes its
        memberships later.
        """
        condition = (lists.c.account_id == account_id) & (lists.c.id == list_id) & lists.c.deleted_at.is_(None)
        try:
            with self._database.write() as connection:
                if connection.execute(select(lists.c.id).where(condition).with_for_update()).first() is None:
                    return False
                here = jobs.c.list_id == list_id
                is_send = select(sends.c.job_id).where(sends.c.job_id == jobs.c.id).exists()
                cancelled = cancel_queued(connection, here & is_send & jobs.c.started_at.is_(None) & ~is_due(now()))
                # A worker may have started one meanwhile.
                unfinished = select(jobs.c.id).where(
                    here, jobs.c.finished_at.is_(None), jobs.c.kind != JobKind.ATTRIBUTE_REMOVAL
                )
                if connection.execute(unfinished.limit(1)).first() is not None:
                    raise _AtWork
                connection.execute(update(lists).where(condition).values(deleted_at=now()))
        except _AtWork:
            return False
        log_cancelled(cancelled)
        return True

    def purge(self) -> None:
        """Remove the memberships of deleted lists, in several transactions."""
        member = memberships.c
        with self._database.read() as connection:
            left = select(member.contact_id).where(member.list_id == lists.c.id).exists()
            query = select(lists.c.id).where(lists.c.deleted_at.is_not(None), left)
            deleted = list(connection.execute(query).scalars())
        for list_id in deleted:
            some = select(member.contact_id).where(member.list_id == list_id).limit(PURGE_ROWS)
            gone = PURGE_ROWS
            while gone == PURGE_ROWS:
                with self._database.write() as connection:
                    these = delete(memberships).where(member.list_id == list_id, member.contact_id.in_(some))
                    gone = connection.execute(these).rowcount

    def totals(self, contact_list: ContactList) -> ListTotals:
        """Return the counts of a list; suppressions of the whole account and of this list count."""
        shut = " " + contacts.c.channels_shut + " "
        blocked = (
            select(suppressions.c.id)
            .where(
                suppressions.c.account_id == contact_list.account_id,
                suppressions.c.email_key == contacts.c.email_key,
                suppressions.c.list_id.in_((0, contact_list.id)),
            )
            .exists()
        )
        email, fax = or_(shut.like("% email %"), blocked), shut.like("% fax %")
        counted = (
            select(
                func.count().filter(email),
                func.count().filter(fax),
                func.count().filter(and_(email, fax)),
                func.count().filter(memberships.c.state == "unsubscribed"),
            )
            .select_from(memberships.join(contacts, contacts.c.id == memberships.c.contact_id))
            .where(memberships.c.list_id == contact_list.id)
        )
        with self._database.read() as connection:
            email_shut, fax_shut, both_shut, unsubscribed = connection.execute(counted).one()
        return ListTotals(
            members=contact_list.members,
            email_shut=email_shut,
            fax_shut=fax_shut,
            both_shut=both_shut,
            unsubscribed=unsubscribed,
        )

    def _find(self, condition: ColumnElement[bool], login: Login | None) -> list[ContactList]:
        seen = and_(condition, lists.c.deleted_at.is_(None), *of_granted_list(login, lists.c.id))
        with self._database.read(autocommit=True) as connection:
            found = connection.execute(select(lists).where(seen).order_by(lists.c.id)).mappings()
            return [_list(row) for row in found]


def _list(row: RowMapping) -> ContactList:
    return ContactList(**{name: row[name] for name in ContactList.__dataclass_fields__})
