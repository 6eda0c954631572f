"""An authenticated call: its login, its dates and its errors."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from soapstone.accounts.account import Account, Login
from soapstone.accounts.logon import (
    AddressProhibitedError,
    InvalidLogonError,
    LoginLockedError,
    LogonError,
    LogonsBusyError,
)
from soapstone.clock import instant_of, now
from soapstone.contacts.subscriptions import UnknownAttributeError
from soapstone.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, SoapstoneError
from soapstone.listrak.operations import CONTRACT
from soapstone.listrak.types import WSException, WSUser
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.sending.confirmations import NotConfiguredError
from soapstone.wire.faults import BusyFault, Fault
from soapstone.wire.types import Struct

# A date without a value, where the contract wants one (lk-26).
NO_DATE = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - goes out without zone

# What any moment of the last year counts as: its last days are no dates in some time zones.
LATEST = datetime.datetime(9999, 12, 30, tzinfo=datetime.UTC)

# What answers the operations, by name.
Handlers = dict[str, Callable[["Call", Any], Any]]

# What the descriptions of errors begin with, in brackets (lk-11, lk-18).
CODES: dict[type[Exception], str] = {
    InvalidError: "InvalidArgument",
    NotFoundError: "NotFound",
    ConflictError: "InUse",
    NotConfiguredError: "NotConfigured",
    ForbiddenError: "AccessDenied",
    InvalidLogonError: "InvalidLogonAttempt",
    LoginLockedError: "LoginAttemptsExceeded",
    AddressProhibitedError: "ProhibitedIPAddress",
}

# Rows of a page of any paged report (lk-31).
PAGE_ROWS = 2500


@dataclass(frozen=True)
class Call:
    """One call of a login that may make it."""

    product: Product
    account: Account
    login: Login
    # Where the request reached the server: https://host.
    base_url: str = ""

    def find_list(self, list_id: int) -> ContactList | None:
        """Return the list, if it is there and the login may see it (lk-9, lk-19)."""
        return self.product.lists.get(self.account.id, list_id, self.login)

    def require_list(self, list_id: int) -> ContactList:
        """Return the list. Raises NotFoundError (lk-19)."""
        found = self.find_list(list_id)
        if found is None:
            raise not_found("List", list_id)
        return found

    def wall_clock(self, moment: datetime.datetime | None) -> datetime.datetime:
        """Return the account's wall-clock time without zone, whole seconds (lk-21, lk-23); year 1 for None (lk-26)."""
        if moment is None:
            return NO_DATE
        return moment.astimezone(self.account.zone).replace(tzinfo=None, microsecond=0)

    def date_text(self, moment: datetime.datetime) -> str:
        """Return the same where the contract declares a date as text (lk-22)."""
        return self.wall_clock(moment).isoformat()

    def range_start(self, given: datetime.datetime | None) -> datetime.datetime | None:
        """Return the instant at which a range begins; None when that end is open (lk-23 to lk-25)."""
        return self._instant(given, later=False)

    def range_end(self, given: datetime.datetime | None) -> datetime.datetime | None:
        """Return the instant before which a range ends; None when that end is open (lk-23 to lk-25)."""
        return self._instant(given, later=True)

    def failure(self, request: object, error: SoapstoneError) -> WSException:
        """Return a business error for the by-reference member of the answer to a request (lk-16)."""
        name, told = type(request).__name__, described(error)
        return WSException(SoapMethod=name, DateTime=self.wall_clock(now()), Description=told)

    def refused(self, request: object, error: SoapstoneError) -> Struct:
        """Return the answer to a report that cannot be made: no rows, and a business error (lk-16)."""
        return answer(request, None, self.failure(request, error))

    def _instant(self, given: datetime.datetime | None, *, later: bool) -> datetime.datetime | None:
        if given is None or given.year == 1:
            return None
        if given.year == LATEST.year:
            return LATEST
        if given.tzinfo is not None:
            return given.astimezone(datetime.UTC)
        return instant_of(given, self.account.zone, later=later)


def described(error: SoapstoneError) -> str:
    """Return the description of an error: its code and a sentence (lk-11, lk-18)."""
    if isinstance(error, UnknownAttributeError):
        error = not_found("Attribute", error.attribute_id)
    return f"[{next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), 'InternalError')}] {error}"


def not_found(what: str, number: int) -> NotFoundError:
    """Return the error for what is not there or not granted, such as a "List" (lk-18)."""
    return NotFoundError(f"{what} {number} does not exist or is not accessible.")


def answer(
    request: object, result: object, failure: WSException | None = None, members: Mapping[str, object] | None = None
) -> Struct:
    """Return the answer to a request: its result, a business error if any, and other members by reference."""
    operation = CONTRACT.operations_by_name[type(request).__name__]
    return operation.response(**{f"{operation.name}Result": result, "WSException": failure, **(members or {})})


def offset(page: int) -> int:
    """Return the number of rows before a page; below 1 it means the first (lk-30, lk-31)."""
    return (max(page, 1) - 1) * PAGE_ROWS


def admit(product: Product, header: WSUser | None, peer: str | None, *, analytics: bool, base_url: str = "") -> Call:
    """Authenticate a caller. Raises the Fault that says why not (lk-10 to lk-13)."""
    try:
        if header is None or not header.UserName:
            # No login to lock out: the refusal stays the same, however often (lk-12).
            raise InvalidLogonError
        identity = product.logons.identify(header.UserName, header.Password or "", peer)
    except LogonsBusyError as busy:
        raise BusyFault(f"[InternalError] {busy}", busy.retry_seconds) from None
    except LogonError as refusal:
        raise Fault(described(refusal)) from None
    if not identity.login.may_call_api:
        raise Fault("[AccessDenied] The user does not have the API permission.")
    if analytics and not identity.login.may_see_analytics:
        raise Fault("[AccessDenied] The user does not have the Analytics permission.")
    product.audit.call(identity.account.id, identity.login.actor, "Listrak")
    return Call(product, identity.account, identity.login, base_url)
