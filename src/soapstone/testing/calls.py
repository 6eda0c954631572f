"""The calls recorded by a test server, each with request and answer."""

from __future__ import annotations

import html
import json
import re
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.clock import now
from soapstone.testing.bodies import KeptBody
from soapstone.testing.called import CALLED, Called, Interface

MOST_CALLS = 1000
"""Number of calls kept, the newest ones."""
MOST_BYTES = 512 * 1024 * 1024
"""Bytes of all their bodies; the oldest calls are dropped first."""

# Bytes of an answer that are searched for the sentence of a refusal.
_MOST_READ = 64 * 1024

Headers = list[tuple[str, str]]
_FAULT = re.compile(r"<(?:faultstring|soap:Text)(?: [^<>]*)?>([^<]*)</|<Error><Code>[^<]*</Code><Description>([^<]*)<")


@dataclass(eq=False)
class RecordedCall:
    """One call. `status` is 0 if no answer was begun; `seconds` is its duration."""

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
        """Number of bytes kept of both bodies."""
        return self.request.kept + self.response.kept

    def remove(self) -> None:
        self.request.remove()
        self.response.remove()


class RecordedCalls:
    """The newest calls, at most `most` calls and `most_bytes` of bodies. Large bodies are files in `folder`."""

    def __init__(self, folder: Path, *, most: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._most_bytes = most_bytes
        self._calls: deque[RecordedCall] = deque()
        self._bytes = 0
        self._numbers = count(1)
        # Calls that began since the last `clear`: earlier ones belong to another test.
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

    def find(
        self, operation: str = "", interface: Interface | None = None, limit: int = MOST_CALLS
    ) -> list[RecordedCall]:
        """Return the newest calls, oldest first, of an operation and an interface, if given."""
        with self._lock:
            calls = sorted(self._calls, key=lambda call: call.number)
        return [
            call
            for call in calls
            if operation in ("", call.called.operation) and interface in (None, call.called.interface)
        ][-limit:]

    def get(self, number: int) -> RecordedCall | None:
        """Return a call by its number; None if unknown."""
        return next((call for call in self.find() if call.number == number), None)

    def clear(self) -> None:
        """Forget all calls, including those under way."""
        with self._lock:
            calls, self._calls, self._bytes = self._calls, deque(), 0
            self._first = next(self._numbers)
        for call in calls:
            call.remove()


class CallRecorder:
    """Records an app's calls, without delaying them or keeping large bodies in memory."""

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
                    # Before the client gets the end: it may list its calls at once.
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
    """Return the sentence of a call's refusal; empty if it was not refused."""
    if call.status < 400:
        return ""
    text = call.response.start(_MOST_READ).decode("utf-8", "replace")
    if found := _FAULT.search(text):
        return html.unescape(found[1] or found[2] or "")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, TypeError, KeyError):
        return f"status {call.status}"
