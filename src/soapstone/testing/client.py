"""A client of a test server's control API, on the standard library alone."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from email import message_from_bytes
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

Made = TypeVar("Made")

# Timeout of a control call, in seconds.
PATIENCE = 60.0
# Characters of a member's value in the message of a failed assertion.
SHOWN = 60


class ControlError(Exception):
    """A control call that the test server refused or did not answer; the message says why."""


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Response:
    """What the server answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Call:
    """A recorded call. `fault` is the text of the SOAP fault that it was answered with, or empty."""

    number: int
    at: datetime
    interface: str
    operation: str
    seconds: float
    fault: str
    request: Request
    response: Response

    @property
    def members(self) -> dict[str, Any]:
        """Return the members of the request by name: texts, dicts, lists, None for nil; empty if it is unreadable.

        They are those of the first element of the SOAP body, of the root of other XML, or of the JSON document. A gzip
        body is unpacked; of a form the first part counts, which is the document of XML over HTTP.
        """
        try:
            text = _document(self.request)
            found = json.loads(text) if text[:1] in (b"{", b"[", "{", "[") else _members(ElementTree.fromstring(text))  # noqa: S314 - the test's own client wrote it
        except (ValueError, LookupError, ElementTree.ParseError, OSError, EOFError, zlib.error):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Link:
    """A link of a mail's HTML or text; a tracked one leads to `target`, the address that the author wrote."""

    url: str
    text: str
    target: str


@dataclass(frozen=True)
class Mail:
    """A mail that the server wrote into its folder. `to` is from its header, `recipient` from its envelope."""

    number: int
    at: datetime
    account: str
    sender: str
    to: str
    recipient: str
    subject: str
    text: str
    html: str
    links: list[Link]
    headers: list[tuple[str, str]]


class Soapstone:
    """A running test server as a test sees it. `url` is its address, without a slash at the end."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __repr__(self) -> str:
        return f"Soapstone({self.url!r})"

    @property
    def magnetmail_url(self) -> str:
        """Return the address of MagnetMail's service description."""
        return f"{self.url}/mmapi.asmx?WSDL"

    @property
    def listrak_url(self) -> str:
        """Return the address of Listrak's service description."""
        return f"{self.url}/v31/IntegrationService.asmx?WSDL"

    def reset(self) -> None:
        """Restore the seed: records, calls, mails, clock, faults and transitions as at the start."""
        self._json("POST", "reset")

    def seed(self, document: Mapping[str, Any] | Path | str, *, keep: bool = False) -> dict[str, Any]:
        """Add records; return the created ones with their numbers. `document` is the seed, or a YAML file's path.

        A reset removes them, unless `keep` adds them to the state that it restores.
        """
        query = {"keep": "true"} if keep else {}
        if isinstance(document, Path | str):
            content, media_type = Path(document).read_bytes(), "application/yaml"
        else:
            content, media_type = json.dumps(document).encode(), "application/json"
        made: dict[str, Any] = json.loads(self._control("POST", "seed", query, content, media_type))
        return made

    @property
    def calls(self) -> list[Call]:
        """Return the recorded calls, oldest first."""
        return self.calls_of()

    def calls_of(self, operation: str = "", interface: str = "") -> list[Call]:
        """Return the recorded calls of an operation or an interface, oldest first.

        Interfaces are `magnetmail`, `listrak`, `xml` and `rest`.
        """
        found = self._json("GET", "calls", {"operation": operation, "interface": interface})["calls"]
        for each in found:
            for part in ("request", "response"):
                # The list holds only the beginning of a large body.
                each[part]["body"] = (
                    _body(each[part]) if each[part]["whole"] else self._control("GET", f"calls/{each['number']}/{part}")
                )
        return [_call(each) for each in found]

    def clear_calls(self) -> None:
        """Forget the calls recorded so far."""
        self._json("DELETE", "calls")

    def assert_called(self, operation: str, /, *, times: int | None = None, **members: Any) -> list[Call]:
        """Return the calls of an operation whose request has these members: at least one, or exactly `times`.

        Numbers and booleans are compared as they are written in XML, dicts by the members that they name.

        Raises AssertionError, which lists the calls made, and ControlError for an unknown operation.
        """
        __tracebackhide__ = True
        calls = self.calls
        if not any(call.operation == operation for call in calls):
            # A misspelt name would otherwise never be called.
            self._json("GET", "calls", {"operation": operation})
        found = [call for call in calls if call.operation == operation and _matches(members, call.members)]
        if not found if times is None else len(found) != times:
            raise AssertionError(_complaint(operation, times, members, found, calls))
        return found

    @property
    def mails(self) -> list[Mail]:
        """Return the mails sent so far, oldest first."""
        return self.mails_of()

    def mails_of(self, to: str = "", subject: str = "") -> list[Mail]:
        """Return the newest 1,000 mails, oldest first; to an address or with a part of the subject, if given."""
        query = {"to": to, "subject": subject, "limit": "1000"}
        return [_mail(each) for each in self._json("GET", "mails", query)["mails"]]

    def mail_source(self, number: int) -> bytes:
        """Return a mail as it was sent, headers and body."""
        return self._control("GET", f"mails/{number}/source")

    def fault(
        self,
        kind: str,
        operation: str | None = None,
        *,
        interface: str | None = None,
        times: int | None = 1,
        every: int = 1,
        message: str | None = None,
        seconds: float | None = None,
        work_done: bool | None = None,
    ) -> int:
        """Answer the next calls of an operation, or of any, with a fault; return its number.

        `kind` is `soap_fault`, `status_500`, `status_503`, `delay`, `disconnect`, `reset`, `truncate`,
        `expired_session` or `locked_login`. It applies to `times` calls (None: unlimited), every `every`-th one.
        `work_done` says whether the call's work is done anyway.
        """
        document = {
            "kind": kind,
            "operation": operation,
            "interface": interface,
            "times": times,
            "every": every,
            **_given(message=message, seconds=seconds, work_done=work_done),
        }
        return int(self._json("POST", "faults", document=document)["number"])

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._json("DELETE", "faults")

    def transition(
        self,
        jobs: str | int = "next",
        *,
        start: str | Mapping[str, float] | None = None,
        end: str | Mapping[str, float] | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        reject_rows: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Say when jobs start and end, and how; return the transition as the server keeps it.

        `jobs` is `next`, `all` or a job's number. `start` and `end` are `at_once`, `told`, `never`,
        `{"after_polls": 3}` or `{"after_seconds": 60}`, by the test server's clock.
        """
        given = _given(start=start, end=end, outcome=outcome, reason=reason, reject_rows=reject_rows)
        made: dict[str, Any] = self._json("POST", "transitions", document={"jobs": jobs, **given})
        return made

    def clear_transitions(self) -> None:
        """Remove all transitions: jobs run by themselves again."""
        self._json("DELETE", "transitions")

    def advance_job(self, number: int) -> str:
        """Let a job that waits for `told` go on; return its new state."""
        return str(self._json("POST", f"jobs/{number}/advance")["state"])

    @property
    def now(self) -> datetime:
        """Return the time on the test server's clock."""
        return _time(self._json("GET", "clock")["now"])

    def advance(self, seconds: float | timedelta) -> datetime:
        """Set the clock forward by seconds or a timedelta; return the new time."""
        by = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        return _time(self._json("POST", "clock", document={"advance": by})["now"])

    def set_clock(self, to: datetime) -> datetime:
        """Set the clock; return the new time. Raises ValueError for a time without a time zone."""
        if to.tzinfo is None:
            raise ValueError("The clock is set to a time with a time zone, such as datetime(2026, 1, 31, tzinfo=UTC).")
        return _time(self._json("POST", "clock", document={"set": to.isoformat()})["now"])

    def _json(
        self, method: str, path: str, query: Mapping[str, str] | None = None, document: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the JSON of the answer, None for an empty one."""
        __tracebackhide__ = True
        content = None if document is None else json.dumps(document).encode()
        answer = self._control(method, path, {name: value for name, value in (query or {}).items() if value}, content)
        return json.loads(answer) if answer else None

    def _control(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        media_type: str = "application/json",
    ) -> bytes:
        """Return the answer's body. Raises ControlError."""
        __tracebackhide__ = True
        target = f"/_test/{path}" + (f"?{urlencode(query)}" if query else "")
        # Not `urllib.request`, which uses the environment's proxies: a test server is on this machine.
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        try:
            connection.request(method, target, content, {"Content-Type": media_type} if content is not None else {})
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            raise ControlError(f"The test server at {self.url} does not answer: {error!r}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ControlError(f"{method} {target}: {response.status} {_detail(body)}")
        return body


def _given(**values: Any) -> dict[str, Any]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _detail(body: bytes) -> str:
    """Return the text of a refusal."""
    text = body.decode("utf-8", "replace")
    try:
        problem = json.loads(text)
        errors = [f"{each['where']}: {each['what']}" for each in problem.get("errors", [])]
        return " ".join([problem["detail"], *errors])
    except (ValueError, LookupError, TypeError, AttributeError):
        return text


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _pairs(pairs: list[list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in pairs]


def _body(part: Mapping[str, Any]) -> bytes:
    text: str = part["body"]
    return base64.b64decode(text) if part["encoding"] == "base64" else text.encode()


def _made(kind: Callable[..., Made], data: Mapping[str, Any], **more: Any) -> Made:
    """Return a record of its members in a document, of which others may be newer than this client."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in data.items() if name in names} | more)


def _call(data: dict[str, Any]) -> Call:
    sent, answered = data["request"], data["response"]
    request = _made(Request, sent, headers=_pairs(sent["headers"]))
    response = _made(Response, answered, headers=_pairs(answered["headers"]))
    return _made(Call, data, at=_time(data["at"]), request=request, response=response)


def _mail(data: dict[str, Any]) -> Mail:
    links = [_made(Link, each) for each in data["links"]]
    headers = _pairs(data["headers"])
    return _made(Mail, data, at=_time(data["at"]), sender=data["from"], links=links, headers=headers)


def _document(request: Request) -> bytes | str:
    """Return the XML or JSON of a request. Raises ValueError, LookupError, OSError, EOFError and zlib.error."""
    headers, body = dict(request.headers), request.body
    if headers.get("content-encoding", "").lower() in ("gzip", "x-gzip"):
        body = gzip.decompress(body)
    head = f"Content-Type: {headers.get('content-type', '')}\r\n\r\n".encode()
    form = message_from_bytes(head)
    if form.get_content_maintype() == "multipart":
        parts = [each.get_payload(decode=True) for each in message_from_bytes(head + body).walk()]
        return next((each for each in parts if isinstance(each, bytes)), b"")
    charset = form.get_content_charset()
    return body.lstrip() if charset is None else body.decode(charset).lstrip("\ufeff \t\r\n")


def _local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]


def _members(root: ElementTree.Element) -> Any:
    """Return the value of the operation's element: the first one of the SOAP body, or the root of other XML."""
    body = next((each for each in root if _local(each.tag) == "Body"), None) if _local(root.tag) == "Envelope" else None
    return _value(root if body is None else body[0] if len(body) else body)


def _value(element: ElementTree.Element) -> Any:
    """Return a text, a dict of members, or None for nil; members of the same name are a list."""
    if any(_local(name) == "nil" and value in ("true", "1") for name, value in element.attrib.items()):
        return None
    if not len(element):
        return element.text or ""
    found: dict[str, list[Any]] = {}
    for child in element:
        found.setdefault(_local(child.tag), []).append(_value(child))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _matches(expected: Any, actual: Any) -> bool:
    """Return whether the value in a request equals the expected one."""
    if isinstance(expected, Mapping):
        return isinstance(actual, dict) and all(
            name in actual and _matches(value, actual[name]) for name, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(_matches(one, other) for one, other in zip(expected, actual, strict=True))
        )
    if expected is None or actual is None:
        return expected is actual
    if isinstance(expected, bool):
        return str(actual).lower() in (("true", "1") if expected else ("false", "0"))
    return str(expected) == str(actual)


def _complaint(operation: str, times: int | None, members: dict[str, Any], found: list[Call], calls: list[Call]) -> str:
    """Return the message of a failed assertion: expectation, calls of the operation, and all other calls."""
    asked = f"{operation}({_shown(members)})"
    number = "at least once" if times is None else f"{times} times"
    lines = [f"Expected {asked} to be called {number}; it was called {len(found)} times."]
    same = [call for call in calls if call.operation == operation]
    lines += [f"  {call.number}: {operation}({_shown(call.members)})" + _result(call) for call in same]
    lines += _differences(members, same)
    others = Counter(call.operation or "no operation" for call in calls if call.operation != operation)
    if others:
        lines.append("Other calls: " + ", ".join(f"{name} {count}x" for name, count in others.items()))
    elif not same:
        lines.append("Nothing was called.")
    return "\n".join(lines)


def _differences(members: Mapping[str, Any], calls: list[Call]) -> Iterator[str]:
    """Describe differences between texts whose shown parts are equal."""
    for call in calls:
        for name, wanted in members.items():
            texts = repr(wanted), repr(call.members.get(name))
            if texts[0] != texts[1] and _short(wanted) == _short(call.members.get(name)):
                at = next(n for n, (one, other) in enumerate(zip(*texts, strict=False)) if one != other)
                one, other = (_cut(text[max(at - 10, 0) :]) for text in texts)
                yield f"  {call.number}: {name} differs at …{one}, which was …{other}"


def _shown(members: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in members.items())


def _short(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _result(call: Call) -> str:
    if call.fault:
        return f" -> fault {_short(call.fault)}"
    return "" if call.response.status < 400 else f" -> {call.response.status}"
