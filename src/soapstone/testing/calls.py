"""The calls that a test server answered: each with its whole request and its whole answer."""

from __future__ import annotations

import base64
import codecs
import html
import json
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.api.problems import not_found
from soapstone.api.values import Number
from soapstone.store.instants import now
from soapstone.testing.bodies import KeptBody
from soapstone.testing.called import CALLED, Called, Interface

MOST_CALLS = 1000
"""Calls that are kept, the newest ones."""
MOST_BYTES = 512 * 1024 * 1024
"""Bytes that their bodies take together; the oldest calls make room."""
MOST_SHOWN = 1024 * 1024
"""Bytes of a body that the list of calls shows."""

Headers = list[tuple[str, str]]
_FAULT = re.compile(r"<(?:faultstring|soap:Text)(?: [^>]*)?>([^<]*)</|<Error><Code>[^<]*</Code><Description>([^<]*)<")


@dataclass(eq=False)
class RecordedCall:
    """One call. `status` is 0 when no answer was begun; `seconds` are those until its end."""

    number: int
    at: datetime
    called: Called
    method: str
    path: str
    query: str
    headers: Headers
    request: KeptBody
    response: KeptBody
    status: int = 0
    response_headers: Headers | tuple[()] = ()
    seconds: float = 0.0
    fault: str = ""

    @property
    def kept(self) -> int:
        """Bytes that are kept of both bodies."""
        return self.request.kept + self.response.kept

    def remove(self) -> None:
        """Remove what is in files."""
        self.request.remove()
        self.response.remove()


class RecordedCalls:
    """The newest calls, at most `most` of them and `most_bytes` of their bodies, of which large ones lie in `folder`."""

    def __init__(self, folder: Path, *, most: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._most_bytes = most_bytes
        self._calls: deque[RecordedCall] = deque()
        self._bytes = 0
        self._numbers = count(1)
        # The calls that began since the last `clear`: what began before is no call of this test.
        self._first = 1
        self._lock = Lock()

    def begin(self, called: Called, scope: Scope) -> RecordedCall:
        """Return the record of a call that begins. It is listed once it is added."""
        number = next(self._numbers)
        self._folder.mkdir(parents=True, exist_ok=True)
        return RecordedCall(
            number=number,
            at=now(),
            called=called,
            method=scope["method"],
            path=str(scope["path"]),
            query=bytes(scope.get("query_string", b"")).decode("latin-1"),
            headers=_decoded(scope["headers"]),
            request=KeptBody(self._folder / f"{number}-request"),
            response=KeptBody(self._folder / f"{number}-response"),
        )

    def add(self, call: RecordedCall) -> None:
        """List a call that is over."""
        with self._lock:
            if call.number < self._first:
                call.remove()
                return
            self._calls.append(call)
            self._bytes += call.kept
            while len(self._calls) > self._most or (self._bytes > self._most_bytes and len(self._calls) > 1):
                oldest = self._calls.popleft()
                self._bytes -= oldest.kept
                oldest.remove()

    def find(self, operation: str = "", interface: Interface | None = None, limit: int = MOST_CALLS) -> list[RecordedCall]:
        """Return the newest calls, the oldest of them first: of an operation and an interface, if these are given."""
        with self._lock:
            calls = sorted(self._calls, key=lambda call: call.number)
        return [
            call
            for call in calls
            if operation in ("", call.called.operation) and interface in (None, call.called.interface)
        ][-limit:]

    def get(self, number: int) -> RecordedCall | None:
        """Return a call by its number."""
        return next((call for call in self.find() if call.number == number), None)

    def clear(self) -> None:
        """Forget all calls, also those that are not over yet."""
        with self._lock:
            calls, self._calls, self._bytes = self._calls, deque(), 0
            self._first = next(self._numbers)
        for call in calls:
            call.remove()


class CallRecorder:
    """An app whose calls are recorded. They pass as they come: nothing is held up, and nothing large kept in memory."""

    def __init__(self, app: ASGIApp, calls: RecordedCalls) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        called = Called.of(scope) if scope["type"] == "http" else None
        if called is None:
            await self._app(scope, receive, send)
            return
        scope[CALLED] = called
        call = self._calls.begin(called, scope)
        began = time.perf_counter()
        gone = over = False

        async def end() -> None:
            nonlocal over
            over = True
            await call.request.close()
            await call.response.close()
            call.seconds = time.perf_counter() - began
            self._calls.add(call)

        async def received() -> Message:
            nonlocal gone
            message = await receive()
            if message["type"] == "http.request":
                data, more = message.get("body", b""), message.get("more_body", False)
                called.feed(data, more=more)
                await call.request.add(data)
            else:
                gone = True
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status, call.response_headers = message["status"], _decoded(message["headers"])
            elif message["type"] == "http.response.body" and not over:
                await call.response.add(message.get("body", b""))
                if not message.get("more_body", False):
                    call.fault = _fault(call)
                    # Before the client has the end: it may ask for its calls at once.
                    await end()
            await send(message)

        try:
            await self._app(scope, received, sent)
        finally:
            if not over:
                call.fault = called.broken or ("The client has gone." if gone else "The answer was broken off.")
                await end()


def _decoded(headers: Any) -> Headers:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _fault(call: RecordedCall) -> str:
    """The sentence with which a call was refused; empty for a call that was not."""
    if call.status < 400:
        return ""
    text = call.response.start(MOST_SHOWN).decode("utf-8", "replace")
    if found := _FAULT.search(text):
        return html.unescape(found[1] or found[2] or "")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, TypeError, KeyError):
        return f"status {call.status}"


class Body(BaseModel):
    """A body as it was on the wire: `text`, or `base64` for what is no UTF-8. `size` is that of the whole in bytes.

    Only the beginning is here when `whole` is false. A compressed body is not decoded.
    """

    body: str
    encoding: Literal["text", "base64"]
    size: int
    whole: bool


class RequestOut(Body):
    """A request; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Headers


class ResponseOut(Body):
    """An answer as far as it was sent; `status` is 0 when none was begun."""

    status: int
    headers: Headers


class CallOut(BaseModel):
    """A call. `operation` is empty when it named none; `fault` says why it was refused or broke off.

    `fault_number` is the fault of `/_test/faults` that was put in.
    """

    number: int
    at: datetime
    interface: Interface
    operation: str
    seconds: float
    fault: str
    fault_number: int | None
    request: RequestOut
    response: ResponseOut


class CallsOut(BaseModel):
    """Calls, the oldest first."""

    calls: list[CallOut]


def _shown(call: RecordedCall) -> CallOut:
    request = RequestOut(method=call.method, path=call.path, query=call.query, headers=call.headers, **_body(call.request))
    response = ResponseOut(status=call.status, headers=list(call.response_headers), **_body(call.response))
    return CallOut(
        number=call.number,
        at=call.at,
        interface=call.called.interface,
        operation=call.called.operation,
        seconds=round(call.seconds, 6),
        fault=call.fault,
        fault_number=call.called.fault,
        request=request,
        response=response,
    )


def _body(body: KeptBody) -> dict[str, Any]:
    data = body.start(MOST_SHOWN)
    whole = len(data) == body.size
    try:
        # A character that is cut in two is left out.
        text, encoding = codecs.getincrementaldecoder("utf-8")().decode(data, final=whole), "text"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(data).decode(), "base64"
    return {"body": text, "encoding": encoding, "size": body.size, "whole": whole}


def router(calls: RecordedCalls) -> APIRouter:
    """Return the part of the control API that is about calls."""
    api = APIRouter(prefix="/calls", tags=["calls"])

    @api.get("", response_model=CallsOut)
    def list_calls(
        operation: Annotated[str, Query(max_length=100)] = "",
        interface: Interface | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_CALLS)] = MOST_CALLS,
    ) -> StreamingResponse:
        """Return the calls, the oldest first; of more than `limit` the newest."""
        return StreamingResponse(_document(calls.find(operation, interface, limit)), media_type="application/json")

    @api.delete("", status_code=204)
    def delete_calls() -> None:
        """Forget all calls."""
        calls.clear()

    def find(number: int) -> RecordedCall:
        call = calls.get(number)
        if call is None:
            raise not_found("call")
        return call

    @api.get("/{number}")
    def get_call(number: Number) -> CallOut:
        """Return one call."""
        try:
            return _shown(find(number))
        except FileNotFoundError:
            raise not_found("call") from None

    @api.get("/{number}/{part}", response_class=StreamingResponse)
    def get_body(number: Number, part: Literal["request", "response"]) -> StreamingResponse:
        """Return the whole body of a request or an answer, byte for byte as it was on the wire."""
        call = find(number)
        try:
            pieces = (call.request if part == "request" else call.response).pieces()
        except FileNotFoundError:
            raise not_found("call") from None
        return StreamingResponse(pieces, media_type="application/octet-stream")

    return api


def _document(calls: list[RecordedCall]) -> Iterator[str]:
    """The list as JSON, one call at a time: all of them may be larger than the memory."""
    yield '{"calls":['
    comma = ""
    for call in calls:
        try:
            shown = _shown(call).model_dump_json()
        except FileNotFoundError:
            # It was removed since the list was made.
            continue
        yield comma + shown
        comma = ","
    yield "]}"
