"""An authenticated call: its login and account."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from soapstone.accounts.account import Account, Login
from soapstone.accounts.logon import Identity
from soapstone.accounts.visibility import is_restricted
from soapstone.clock import instant_of
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.wire.endpoint import Caller
from soapstone.wire.faults import Fault

# A date without a value, where the contract wants one (mm-32).
NO_DATE = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - goes out without zone

# Rows of the largest page (mm-37).
LARGEST_PAGE = 2000

# What answers the operations, by name; those without a session (mm-2) get no call.
Handlers = dict[str, Callable[["Call", Any], Any]]
OpenHandlers = dict[str, Callable[[Product, Any, Caller], Any]]


@dataclass(frozen=True)
class Call:
    """`account` is the one that the call works for, one of those that the session may name (mm-15, mm-16)."""

    product: Product
    identity: Identity
    account: Account

    @property
    def login(self) -> Login:
        """The calling login."""
        return self.identity.login

    @property
    def sight(self) -> int | None:
        """The part of page keys that tells logins apart: the login's number if it sees only granted lists."""
        return self.login.id if is_restricted(self.login) else None

    @property
    def groups(self) -> list[ContactList]:
        """The groups that the login may see."""
        return self.product.lists.all(self.account.id, self.login)

    def group(self, group_id: int | None) -> ContactList | None:
        """Return the group of that number, if the login may see it."""
        return self.product.lists.get(self.account.id, group_id or 0, self.login)

    def for_account(self, user_id: str | None) -> Call:
        """Return the same call for the account that the request names. Raises Fault if the session may not use it.

        Lists are granted in the login's own account, so a login that sees only granted lists sees no child account.
        """
        name = (user_id or "").strip()
        if not name or name.upper() == self.account.name:
            return self
        own = self.identity.account
        account = self.product.accounts.reached(own.id, name)
        if account is None or (is_restricted(self.login) and account.id != own.id):
            raise Fault(f"[AccessDenied] This session may not use account {name}.")
        return replace(self, account=account)

    def range(
        self, start: datetime.datetime | None, end: datetime.datetime | None, *, utc: bool = False
    ) -> tuple[datetime.datetime | None, datetime.datetime | None]:
        """Return from which instant on and before which one: both ends belong to a range, to the second (mm-31 to
        mm-34).

        Year 1, a year of 9999 and a missing end are open. Dates without a zone are the account's, or UTC with `utc`.
        """
        since, until = self.instant(start, utc=utc), self.instant(end, later=True, utc=utc)
        before = None if until is None else until.replace(microsecond=0) + datetime.timedelta(seconds=1)
        return None if since is None else since.replace(microsecond=0), before

    def instant(
        self, given: datetime.datetime | None, *, later: bool = False, utc: bool = False
    ) -> datetime.datetime | None:
        """Return the moment that a request's date means (mm-31); None for one that means none: year 1, a year of 9999.

        `later` says which one, of the hour that comes twice when daylight saving ends.
        """
        if given is None or given.year in (1, 9999):
            return None
        if given.tzinfo is not None:
            return given.astimezone(datetime.UTC)
        return instant_of(given, datetime.UTC if utc else self.account.zone, later=later)

    def local(self, moment: datetime.datetime | None) -> datetime.datetime | None:
        """Return the account's wall-clock time, whole seconds, no zone (mm-30)."""
        return None if moment is None else moment.astimezone(self.account.zone).replace(tzinfo=None, microsecond=0)

    @staticmethod
    def utc(moment: datetime.datetime | None) -> datetime.datetime | None:
        """Return the time in UTC, whole seconds (mm-30)."""
        return None if moment is None else moment.astimezone(datetime.UTC).replace(microsecond=0)


def page_size(given: int) -> int:
    """Return the rows of a page: as many as given, or else those of the largest page (mm-37)."""
    return given if 0 < given <= LARGEST_PAGE else LARGEST_PAGE


def whole(given: float) -> int:
    """Return a number that was given as a double; 0 unless it is whole and a double holds it exactly."""
    return int(given) if abs(given) < 1 << 53 and given == int(given) else 0


def number_in(text: str | None) -> int | None:
    """Return the number that a text is; None for any other text."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
