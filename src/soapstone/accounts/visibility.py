"""What a login sees of its account: the same rule for every interface (lk-9, lk-19, mm-26).

A login without `all_lists` sees its granted lists, the contacts on one of them in any state, and what belongs to these
lists. Everything else is unknown to it. None instead of a login means the server itself and its operator. All
conditions add to those on the account.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, or_, select

from soapstone.accounts.account import Login
from soapstone.errors import ForbiddenError
from soapstone.jobs.job import Job
from soapstone.store.tables import contacts, granted_lists, lists, memberships

Conditions = tuple[ColumnElement[bool], ...]

ONLY_GRANTED = "This login sees only the lists that it was granted."


def is_restricted(login: Login | None) -> bool:
    """Return whether the login sees only its granted lists."""
    return login is not None and not login.all_lists


def require_all_lists(login: Login | None) -> None:
    """Raise ForbiddenError for a login that sees only some lists."""
    if is_restricted(login):
        raise ForbiddenError(ONLY_GRANTED)


def of_granted_list(login: Login | None, list_id: ColumnElement[Any]) -> Conditions:
    """Return a condition for rows whose list the login sees; a restricted login sees no row without a list."""
    return (list_id.in_(_granted(login)),) if login is not None and is_restricted(login) else ()


def of_no_hidden_list(login: Login | None, list_id: ColumnElement[Any]) -> Conditions:
    """Return a condition for rows without a list (NULL) and rows whose list the login sees."""
    return tuple(or_(list_id.is_(None), condition) for condition in of_granted_list(login, list_id))


def of_visible_person(login: Login | None, contact_id: ColumnElement[Any] = contacts.c.id) -> Conditions:
    """Return a condition for rows of contacts that the login sees: members, in any state, of a list it sees."""
    here = of_granted_list(login, memberships.c.list_id)
    return (exists().where(memberships.c.contact_id == contact_id, *here),) if here else ()


def seen_lists(connection: Connection, login: Login | None) -> list[int] | None:
    """Return the numbers of the lists that a login sees, None for all: for later work on its behalf."""
    if login is None or not is_restricted(login):
        return None
    return sorted(connection.execute(_granted(login)).scalars())


def of_person_on(list_ids: Collection[int] | None, contact_id: ColumnElement[Any]) -> Conditions:
    """Return a condition for rows of contacts on one of these lists, in any state; None means every contact."""
    if list_ids is None:
        return ()
    member = memberships.alias()
    return (exists().where(member.c.contact_id == contact_id, member.c.list_id.in_(list_ids)),)


def sees_job(login: Login, job: Job, granted: Container[int | None]) -> bool:
    """Return whether the login sees a job; `granted` are the numbers of its lists.

    A job without a list concerns the whole account, or single contacts that the login chose itself.
    """
    if job.list_id is None:
        return login.all_lists or job.login_id == login.id
    return login.all_lists or job.list_id in granted


def _granted(login: Login) -> Select[Any]:
    mine = granted_lists.c.list_id == lists.c.id
    query = select(lists.c.id).join(granted_lists, mine)
    return query.where(granted_lists.c.login_id == login.id, lists.c.deleted_at.is_(None))
