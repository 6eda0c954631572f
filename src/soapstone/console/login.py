"""Login form, session cookie, current user."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from soapstone.accounts.logon import (
    RETRY_SECONDS,
    AddressProhibitedError,
    Identity,
    LoginLockedError,
    LogonError,
    LogonsBusyError,
)
from soapstone.accounts.sessions import Sessions
from soapstone.console.render import Renderer
from soapstone.console.security_headers import COOKIE
from soapstone.product import Product

REFUSALS: dict[type[LogonError], str] = {
    AddressProhibitedError: "This account does not allow logins from your network address.",
    LoginLockedError: "This login is locked for a while because of too many failed attempts.",
}
WRONG = "The name or the password is not right."

# Where to go after the login: a path of this server and nothing that a browser could take for another one.
_OWN_PATH = re.compile(r"/(?:[\w.~-][\w.~/-]*)?(?:\?[\w.~=&-]*)?", re.ASCII)

# The form has three; a body with more is from elsewhere.
MOST_FIELDS = 20

Page = Callable[[Request, Identity], Response]


class LoginPages:
    """Lets people in and out. `demo` fills the form in with the login of the demo account."""

    def __init__(self, product: Product, renderer: Renderer, *, demo: bool) -> None:
        self._logons = product.logons
        self._sessions = Sessions(product.database, "console", timedelta(minutes=product.settings.session_minutes))
        self._renderer = renderer
        self._demo = demo

    def signed_in(self, page: Page) -> Callable[[Request], Response]:
        """Return the page for those who are logged in; others are sent to the login form."""

        def guarded(request: Request) -> Response:
            identity = self._known(request)
            if identity is not None:
                return page(request, identity)
            if request.method == "POST":
                return RedirectResponse("/login", 303)
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            wanted = path != "/" and _OWN_PATH.fullmatch(path)
            return RedirectResponse("/login?" + urlencode({"next": path}) if wanted else "/login", 303)

        return guarded

    def form(self, request: Request) -> Response:
        """Return the login form; those who are logged in already go on."""
        if self._known(request) is not None:
            return RedirectResponse("/", 303)
        return self._form(request, next_path=request.query_params.get("next", ""))

    async def log_in(self, request: Request) -> Response:
        """Check name and password and open a session."""
        return await run_in_threadpool(self._log_in, request, await _read_form(request))

    def log_out(self, request: Request) -> Response:
        """End the session."""
        self._sessions.close(request.scope["session_token"])
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.scope["https"])
        return response

    def _known(self, request: Request) -> Identity | None:
        return self._sessions.find(request.scope["session_token"], request.scope["peer"] or None)

    def _log_in(self, request: Request, form: dict[str, str]) -> Response:
        name, next_path = form.get("name", ""), form.get("next", "")
        try:
            identity = self._logons.identify(name, form.get("password", ""), request.scope["peer"])
        except LogonsBusyError as busy:
            answer = self._form(request, name=name, problem=str(busy), next_path=next_path, status=503)
            answer.headers["Retry-After"] = str(RETRY_SECONDS)
            return answer
        except LogonError as refusal:
            return self._form(request, name=name, problem=REFUSALS.get(type(refusal), WRONG), next_path=next_path)
        if not identity.login.may_use_console:
            return self._form(request, name=name, problem="This login may not use the console.", next_path=next_path)
        # End the browser's earlier session.
        self._sessions.close(request.scope["session_token"])
        response = RedirectResponse(next_path if _OWN_PATH.fullmatch(next_path) else "/", 303)
        token = self._sessions.open(identity)
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.scope["https"])
        return response

    def _form(
        self, request: Request, *, name: str = "", problem: str = "", next_path: str = "", status: int = 0
    ) -> Response:
        return self._renderer.page(
            request,
            "login.html",
            None,
            status=status or (403 if problem else 200),
            name=name,
            problem=problem,
            next_path=next_path,
            demo=self._demo,
        )


async def _read_form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form. Raises HTTPException 413 for a body that no form of the console has."""
    body = await request.body()
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(413) from None
