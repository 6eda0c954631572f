"""Logins of the account, child accounts, and the account's settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from soapstone.accounts.account import RIGHTS, Account, Login, canonical
from soapstone.accounts.logon import permits
from soapstone.api.account import AccountOut, get_account
from soapstone.api.authentication import Caller, Calling, CallingForAll
from soapstone.api.idempotency import Making
from soapstone.api.problems import not_found
from soapstone.api.values import LARGEST, Body, Cursor, Limit, Name, OneOf, Page, Shown, Text, page, paged
from soapstone.errors import ConflictError, ForbiddenError, InvalidError, NameTakenError
from soapstone.lists.names import checked_name
from soapstone.vocabulary.contacts import Identifier, UnsubscribeType
from soapstone.vocabulary.tracking import TrackingMode

router = APIRouter(tags=["account"])

Lists = Annotated[list[Annotated[int, Field(ge=1, le=LARGEST)]], Field(max_length=10_000)]


class LoginOut(BaseModel):
    """A login; without `all_lists` it sees only granted lists. A disabled one is refused everywhere."""

    id: int
    name: str
    may_call_api: bool
    may_see_analytics: bool
    may_use_console: bool
    may_choose_numbers: bool
    all_lists: bool
    disabled: bool
    lists: list[int]

    @classmethod
    def of(cls, login: Login, lists: list[int]) -> LoginOut:
        """Return the login as it is shown."""
        return cls(**{name: getattr(login, name) for name in cls.model_fields if name != "lists"}, lists=lists)


class LoginIn(Body):
    """A new login; without `lists` it sees all lists."""

    name: Name
    password: Annotated[str, Field(min_length=8, max_length=1000)]
    may_call_api: bool = True
    may_see_analytics: bool = False
    may_use_console: bool = False
    may_choose_numbers: bool = False
    lists: Lists | None = None


class LoginChange(Body):
    """Changes of a login; `lists` replaces its granted lists, `all_lists` lets it see everything."""

    may_call_api: bool | None = None
    may_see_analytics: bool | None = None
    may_use_console: bool | None = None
    may_choose_numbers: bool | None = None
    lists: Lists | None = None
    all_lists: bool = False
    disabled: bool | None = None


class AuditEntryOut(Shown):
    """An audit entry: who did what, when and from where. `login_id` is null, `login_name` empty for the command line.

    `action` is one of logon, lock, rights, export and send.
    """

    id: int
    login_id: int | None
    login_name: str
    action: str
    detail: str
    address: str
    at: datetime


class ChildIn(Body):
    """A new child account."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,50}$")]
    identifier: OneOf[Identifier] = Identifier.EMAIL


class ChildOut(Shown):
    """A child account."""

    id: int
    name: str
    identifier: str


class AccountChange(Body):
    """Changes of the account; members left out stay."""

    time_zone: Text | None = None
    unsubscribe_type: OneOf[UnsubscribeType] | None = None
    tracking: OneOf[TrackingMode] | None = None
    field_labels: dict[Text, Text] | None = None


class Networks(Body):
    """Networks that may call, such as 192.0.2.0/24; none lifts the restriction."""

    networks: Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=1000)]


@router.patch("/account")
def change_account(given: AccountChange, caller: CallingForAll) -> AccountOut:
    """Change settings of the account."""
    values = given.model_dump(exclude_none=True)
    changed = caller.product.accounts.change(caller.account, **values)
    return get_account(replace(caller, account=changed))


@router.get("/account/children")
def list_children(caller: Calling, limit: Limit = 100, cursor: Cursor = None) -> Page[ChildOut]:
    """List the child accounts by number."""
    found = [each for each in caller.product.accounts.all() if each.parent_id == caller.account.id]
    found.sort(key=lambda each: each.id)
    return paged(cursor, limit, found, ChildOut.of)


@router.post("/account/children", status_code=201, response_model=ChildOut)
def create_child(given: ChildIn, caller: CallingForAll, once: Making) -> Response:
    """Create a child account; sessions of this account may name it."""

    def make() -> Account:
        parent = caller.account
        try:
            return caller.product.accounts.create(
                given.name,
                time_zone=parent.time_zone,
                identifier=given.identifier,
                parent=parent.name,
                by=caller.login.actor,
            )
        except NameTakenError:
            raise ConflictError("An account of that name exists already.") from None

    return once(given, make, ChildOut.of)


@router.get("/account/networks")
def get_networks(caller: CallingForAll) -> Networks:
    """Return the networks that may call the account; none allows all."""
    return Networks(networks=caller.product.accounts.networks(caller.account))


@router.put("/account/networks")
def replace_networks(given: Networks, caller: CallingForAll) -> Networks:
    """Restrict the networks that may call the account; the caller must be in one of them."""
    try:
        networks = canonical(given.networks)
    except ValueError:
        raise InvalidError("A network is an address, or an address with a prefix, such as 192.0.2.0/24.") from None
    if not permits(networks, caller.peer):
        raise ConflictError(
            f"You call from {caller.peer}, which is in none of these networks: you would lock yourself out."
        )
    caller.product.accounts.allow_addresses(caller.account, networks, by=caller.login.actor)
    return Networks(networks=networks)


@router.get("/logins")
def list_logins(caller: CallingForAll, limit: Limit = 100, cursor: Cursor = None) -> Page[LoginOut]:
    """List the logins of the account by number."""
    found = [LoginOut.of(login, lists) for login, lists in caller.product.accounts.logins(caller.account)]
    return paged(cursor, limit, found, lambda each: each)


@router.post("/logins", status_code=201, response_model=LoginOut)
def create_login(given: LoginIn, caller: CallingForAll, once: Making) -> Response:
    """Create a login. It cannot have a permission that the caller lacks."""
    _may_give(caller, given)

    def make() -> Login:
        try:
            return caller.product.accounts.add_login(
                caller.account,
                checked_name(given.name, "login"),
                given.password,
                lists=given.lists,
                by=caller.login.actor,
                **given.model_dump(include=set(RIGHTS)),
            )
        except NameTakenError:
            raise ConflictError("A login of that name exists already.") from None

    return once(given, make, lambda made: LoginOut.of(made, given.lists or []), secret=True)


@router.patch("/logins/{name:path}")
def change_login(name: Name, given: LoginChange, caller: CallingForAll) -> LoginOut:
    """Change another login's permissions, or disable it. It cannot have a permission that the caller lacks.

    A revoked permission takes effect at once and ends sessions.
    """
    if name.casefold() == caller.login.name.casefold():
        raise ConflictError("A login cannot change its own permissions.")
    _may_give(caller, given)
    if given.disabled is False:
        _may_enable(caller, name)
    if not caller.product.accounts.permit(caller.account, name, **given.model_dump(), by=caller.login.actor):
        raise not_found("login")
    return next(
        LoginOut.of(login, lists)
        for login, lists in caller.product.accounts.logins(caller.account)
        if login.name.casefold() == name.casefold()
    )


@router.delete("/logins/{name:path}", status_code=204)
def delete_login(name: Name, caller: CallingForAll) -> None:
    """Delete another login, with its sessions and tokens. Its jobs go on; what it created stays."""
    if name.casefold() == caller.login.name.casefold():
        raise ConflictError("A login cannot delete itself.")
    if not caller.product.accounts.delete_login(caller.account, name, by=caller.login.actor):
        raise not_found("login")


@router.get("/account/audit")
def list_audit_entries(caller: CallingForAll, limit: Limit = 100, cursor: Cursor = None) -> Page[AuditEntryOut]:
    """List the last year's logons, locks, changed rights, exports and sends of the account, oldest first."""
    return page(
        cursor,
        limit,
        lambda after, most: caller.product.audit.page(caller.account.id, after, most),
        AuditEntryOut.of,
    )


def _may_give(caller: Caller, given: LoginIn | LoginChange) -> None:
    if any(getattr(given, right) and not getattr(caller.login, right) for right in RIGHTS):
        raise ForbiddenError("This login cannot give a permission that it lacks.")
    for number in given.lists or ():
        if caller.product.lists.get(caller.account.id, number) is None:
            raise InvalidError(f"There is no list {number}.")


def _may_enable(caller: Caller, name: str) -> None:
    for login, _ in caller.product.accounts.logins(caller.account):
        if login.name.casefold() == name.casefold():
            beyond = [right for right in RIGHTS if getattr(login, right) and not getattr(caller.login, right)]
            if login.disabled and beyond:
                raise ForbiddenError("This login cannot enable one that has a permission that it lacks.")
