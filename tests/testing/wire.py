"""MagnetMail calls as a client without a library sends them."""

from __future__ import annotations

import re

import httpx

MM = "http://www.magnetmail.net/"
_ENVELOPE = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header>{}</soap:Header>'
    '<soap:Body><{} xmlns="{}">{}</{}></soap:Body></soap:Envelope>'
)


def call(base: str, operation: str, members: str, session: str = "") -> httpx.Response:
    """Call an operation of MagnetMail."""
    header = f'<mmAuthHeader xmlns="{MM}"><sessionId>{session}</sessionId></mmAuthHeader>' if session else ""
    content = _ENVELOPE.format(header, operation, MM, members, operation)
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{MM}{operation}"'}
    return httpx.post(f"{base}/mmapi.asmx", content=content, headers=headers)


def member(answer: httpx.Response, name: str) -> str:
    """Return the text of the first element of that name; fails without one."""
    found = re.search(f"<{name}>([^<]*)</{name}>", answer.text)
    assert found is not None, answer.text
    return found[1]


def logon(base: str, login: str = "demo", password: str = "demo") -> httpx.Response:
    """Ask for a session."""
    return call(base, "Authenticate", f"<username>{login}</username><password>{password}</password>")


def session_of(base: str) -> str:
    """Return a new session of the demo login."""
    return member(logon(base), "sessionId")


def poll(base: str, job: int, session: str) -> httpx.Response:
    """Ask for the status of an upload."""
    return call(base, "getUploadJobStatus", f"<jobid>{job}</jobid>", session)
