"""Authentication: a Bearer token, or login and password by Basic."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from soapstone.accounts.account import Account, Login
from soapstone.accounts.logon import (
    AddressProhibitedError,
    Identity,
    InvalidLogonError,
    LoginLockedError,
    log_refusal,
)
from soapstone.accounts.visibility import require_all_lists
from soapstone.api.problems import BROKEN, INTERNAL, ProblemError, answer, existing, translated
from soapstone.errors import ForbiddenError, SoapstoneError
from soapstone.http.client_address import FOREIGN, Origins, without_cookies
from soapstone.lists.lists import ContactList
from soapstone.product import Product, RecordsUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between two checks of a long answer's caller.
CHECK = 2.0
LOCKED = "Too many failed logon attempts. The login is locked for a while."
UNKNOWN = "A valid token, or login and password, is needed."
CHALLENGE = 'Bearer, Basic realm="Soapstone", charset="UTF-8"'

_bearer = HTTPBearer(auto_error=False, description="A token made by `soapstone token create`.")


class _Basic(HTTPBasic):
    """Login and password in UTF-8 (RFC 7617 2.1): FastAPI's own class takes ASCII only."""

    async def __call__(self, request: HTTPConnection) -> HTTPBasicCredentials | None:  # type: ignore[override]
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            text = base64.b64decode(given, validate=True).decode() if scheme.lower() == "basic" else ""
        except ValueError:
            return None
        name, colon, password = text.partition(":")
        return HTTPBasicCredentials(username=name, password=password) if colon else None


_basic = _Basic(auto_error=False, description="Login and password.")


@dataclass(frozen=True)
class Caller:
    """A login that may call, from the address `peer`; `base_url` is where the request reached the server.

    `again` checks the same credentials anew, as long answers do now and then. Raises SoapstoneError.
    """

    product: Product
    account: Account
    login: Login
    base_url: str
    peer: str
    again: Callable[[], Caller] = field(repr=False, compare=False)

    def list(self, list_id: int) -> ContactList:
        """Return a list that the login may see. Raises NotFoundError."""
        return existing(self.product.lists.get(self.account.id, list_id, self.login), "list")

    def require(self, list_id: int | None) -> None:
        """Raise NotFoundError for a list that the login may not see; without one require all lists."""
        if list_id is None:
            self.require_all_lists()
        else:
            self.list(list_id)

    def require_all_lists(self) -> None:
        """Raise ForbiddenError for a login that sees only some lists: contacts and settings belong to the account."""
        require_all_lists(self.login)


ADMITTED = "soapstone.admitted"
"""Where the scope of a request holds a list with the caller, once the credentials were checked."""


def caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    basic: Annotated[HTTPBasicCredentials | None, Depends(_basic)],
) -> Caller:
    """Return the caller. Raises SoapstoneError."""
    admitted: list[Caller] = request.scope.get(ADMITTED, [])
    if not admitted:
        admitted.append(_identify(request, bearer, basic))
    return admitted[0]


async def admit(scope: dict[str, Any]) -> None:
    """Check the credentials of a request before its body is read. Raises HTTPException."""
    if not scope[ADMITTED]:
        request = Request(scope)
        bearer, basic = await _bearer(request), await _basic(request)
        try:
            await run_in_threadpool(caller, request, bearer, basic)
        except SoapstoneError as refused:
            # Only this kind of error passes through the framework while a body is read.
            raise translated(refused) from None
        except RecordsUnavailable as error:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            request.scope.get(BROKEN, []).append(error.broken)
            raise HTTPException(503, error.sentence, {"Retry-After": str(error.retry_seconds)}) from None
        except Exception:
            log.exception("%s %s failed by a fault of the server", request.method, request.url.path)
            raise HTTPException(500, INTERNAL) from None


def _identify(
    request: Request, bearer: HTTPAuthorizationCredentials | None, basic: HTTPBasicCredentials | None
) -> Caller:
    product: Product = request.app.state.product
    origins: Origins = request.app.state.origins
    peer, base_url = origins.read(request.scope)

    def again() -> Caller:
        identity = _identity(product, bearer, basic, peer)
        return Caller(product, identity.account, identity.login, base_url, peer, again)

    found = again()
    product.audit.call(found.account.id, found.login.actor, "REST")
    return found


def while_allowed(caller: Caller, check: Callable[[Caller], object], pieces: Iterable[T]) -> Iterator[T]:
    """Yield the pieces of a long answer; check every few seconds that the caller still may have them.

    `check` raises an error for a caller that may not. The answer then breaks off, so the client sees that it is
    incomplete.
    """
    checked = time.monotonic()
    for piece in pieces:
        if time.monotonic() - checked >= CHECK:
            check(caller.again())
            checked = time.monotonic()
        yield piece


def _identity(
    product: Product, bearer: HTTPAuthorizationCredentials | None, basic: HTTPBasicCredentials | None, peer: str
) -> Identity:
    """Return the login of these credentials if it may call from there. Raises SoapstoneError."""
    identity = None
    try:
        if bearer is not None:
            identity = product.tokens.identify(bearer.credentials, peer)
            if identity is None:
                log_refusal(peer, "token")
            else:
                product.logons.check_address(identity.login, peer)
        elif basic is not None:
            identity = product.logons.identify(basic.username, basic.password, peer)
    except AddressProhibitedError:
        raise ForbiddenError("Calls from this address are not allowed.") from None
    except LoginLockedError:
        raise ForbiddenError(LOCKED) from None
    except InvalidLogonError:
        identity = None
    if identity is None:
        raise ProblemError(401, UNKNOWN, WWW_Authenticate=CHALLENGE)
    if not identity.login.may_call_api:
        raise ForbiddenError("The login does not have the API permission.")
    return identity


Calling = Annotated[Caller, Depends(caller)]


async def _caller_for_all(caller: Calling) -> Caller:
    caller.require_all_lists()
    return caller


CallingForAll = Annotated[Caller, Depends(_caller_for_all)]
"""For operations that concern the whole account: a login that sees only some lists is refused."""


class OwnPages:
    """An app that refuses changes from pages of other sites (lk-7), before a body is read.

    It drops cookies from requests: this interface uses none.
    """

    def __init__(self, app: ASGIApp, *, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        foreign = False
        if scope["type"] == "http":
            foreign = self._origins.is_foreign(scope, self._origins.read(scope)[1])
            scope = without_cookies(scope)
        await (answer(403, FOREIGN) if foreign else self._app)(scope, receive, send)
