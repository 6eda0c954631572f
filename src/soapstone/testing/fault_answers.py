"""The answers of calls that fail on purpose, in each interface's form."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import HTMLResponse, Response

from soapstone.accounts.logon import LoginLockedError
from soapstone.listrak.call import described
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.magnetmail.sessions import UNKNOWN_SESSION
from soapstone.magnetmail.types import AuthenticationResult
from soapstone.testing.called import Called, Interface
from soapstone.wire import faults
from soapstone.wire.writer import write_answer
from soapstone.xmlhttp import answer as xml
from soapstone.xmlhttp.refusal import CallError, refusal

INTERNAL = "The server met an internal error."


def soap_fault(called: Called, message: str) -> Response:
    """Return the interface's answer for a failure: with `message`, or as for an internal error."""
    if called.interface is Interface.REST:
        return _problem(500, message or INTERNAL)
    if called.interface is Interface.XML:
        return _document(CallError(500, "InternalError", message or INTERNAL))
    return _soap(called, 500, faults.render(faults.Fault(message or f"[InternalError] {INTERNAL}"), called.version))


def page(status: int, retry_seconds: int = 0) -> Response:
    """Return an error page such as proxies send for a failing server; with seconds for Retry-After."""
    text = f"{status} {HTTPStatus(status).phrase}"
    headers = {"Retry-After": str(retry_seconds)} if retry_seconds else None
    # Not XML: clients must cope with answers that are no envelope.
    html = f"<!DOCTYPE html>\n<title>{text}</title>\n<h1>{text}</h1>\n<hr>proxy\n"
    return HTMLResponse(html, status, headers)


def expired_session(called: Called) -> Response:
    """Return the answer for an expired session (mm-14) or token."""
    if called.interface is Interface.REST:
        from soapstone.api.authentication import CHALLENGE, UNKNOWN

        return _problem(401, UNKNOWN, {"WWW-Authenticate": CHALLENGE})
    return soap_fault(called, UNKNOWN_SESSION)


def locked_login(called: Called) -> Response:
    """Return the answer for a login locked by failures (mm-12, lk-13)."""
    if called.interface is Interface.REST:
        from soapstone.api.authentication import LOCKED

        return _problem(403, LOCKED)
    if called.interface is Interface.XML:
        return _document(refusal(LoginLockedError()))
    if called.interface is Interface.LISTRAK or called.declared is None:
        return soap_fault(called, described(LoginLockedError()))
    denied = AuthenticationResult(authenticated=False)
    return _soap(called, 200, write_answer(called.declared, MAGNETMAIL.namespace, called.version, denied))


def _soap(called: Called, status: int, body: bytes) -> Response:
    media_type = f"{called.version.media_type}; charset=utf-8"
    return Response(body, status, {"content-type": media_type, "cache-control": "private, max-age=0"})


def _document(refused: CallError) -> Response:
    headers = {"content-type": xml.MEDIA_TYPE, "cache-control": "private, max-age=0"}
    return Response(xml.error(refused), refused.status, headers)


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    # Imported late, as a test server may not need it.
    from soapstone.api.problems import answer

    return answer(status, detail, headers)
