"""The ASGI layer that lets calls fail on purpose."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.connection import TRANSPORT
from soapstone.http.draining import pace
from soapstone.magnetmail.sessions import LATE_SECONDS
from soapstone.testing.called import CALLED, Called, Interface
from soapstone.testing.faults import Fault, FaultKind, Faults


class FaultLayer:
    """Lets an app's calls fail as `faults` say. The recorder around it determines what is called."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        called: Called | None = scope.get(CALLED)
        if called is None or not self._faults:
            await self._app(scope, receive, send)
            return
        request = _Request(receive)
        await request.read_until(lambda: called.known)
        fault = self._faults.due(called)
        if fault is None:
            await self._app(scope, request.receive, send)
        else:
            called.fault = fault.number
            await self._fail(fault, called, scope, request, send)

    async def _fail(self, fault: Fault, called: Called, scope: Scope, request: _Request, send: Send) -> None:
        breaking = fault.kind in (FaultKind.DISCONNECT, FaultKind.RESET)
        if fault.kind is FaultKind.DELAY:
            await self._delay(fault, scope, request, send)
        elif fault.kind is FaultKind.TRUNCATE:
            await self._truncate(fault, called, scope, request, send)
        else:
            if fault.work_done:
                await self._app(scope, request.receive, _forget)
            await request.drain()
            if request.gone:
                return
            if breaking:
                await _break(called, scope, request, reset=fault.kind is FaultKind.RESET)
            else:
                if fault.kind is FaultKind.LOCKED_LOGIN and called.interface is Interface.MAGNETMAIL:
                    await request.wait(LATE_SECONDS)
                await _answer(fault, called)(scope, request.receive, send)

    async def _delay(self, fault: Fault, scope: Scope, request: _Request, send: Send) -> None:
        if not fault.work_done:
            await request.wait(fault.seconds)
            if not request.gone:
                await self._app(scope, request.receive, send)
            return

        async def late(message: Message) -> None:
            if message["type"] == "http.response.start":
                await request.wait(fault.seconds)
            if not request.gone:
                await send(message)

        await self._app(scope, request.receive, late)

    async def _truncate(self, fault: Fault, called: Called, scope: Scope, request: _Request, send: Send) -> None:
        cut = _Cut(send)
        if fault.work_done:
            await self._app(scope, request.receive, cut)
        else:
            await request.drain()
            await _answer(fault, called)(scope, request.receive, cut)
        await request.drain()
        if not request.gone:
            await _break(called, scope, request, reset=False)


class _Request:
    """The body of a request, partly read ahead. `gone` says that the client has disconnected."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ahead: list[Message] = []
        self._more = True
        self.gone = False

    async def receive(self) -> Message:
        """Return the next message for the app."""
        return self._ahead.pop(0) if self._ahead else await self._next()

    async def read_until(self, enough: Callable[[], bool]) -> None:
        """Read ahead until `enough` is true, or to the end."""
        while not enough() and self._more and not self.gone:
            self._ahead.append(await self._next())

    async def drain(self) -> None:
        """Read the rest: a client that is cut off while it sends sees a reset instead of an answer."""
        self._ahead.clear()
        while self._more and not self.gone:
            await pace(len((await self._next()).get("body", b"")))

    async def wait(self, seconds: float) -> None:
        """Wait, but no longer than the client stays connected, as seen once its body is read."""
        if self._more:
            await asyncio.sleep(seconds)
        elif not self.gone:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.until_gone()

    async def until_gone(self) -> None:
        """Wait until the client has disconnected."""
        while not self.gone:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._more = message.get("more_body", False)
        else:
            self.gone = True
        return message


class _Cut:
    """Passes on half of an answer's body, or of its first piece if it has no length, and nothing more."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._head: Message | None = None
        self._left: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            length = next((value for name, value in message["headers"] if name.lower() == b"content-length"), b"")
            self._head, self._left = message, int(length) // 2 if length.isdigit() else None
            return
        body = message.get("body", b"")
        if self._left is None:
            self._left = len(body) // 2
        piece = body[: self._left]
        self._left -= len(piece)
        if piece:
            # An answer that has no half has no beginning either.
            if self._head is not None:
                await self._send(self._head)
                self._head = None
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})


async def _forget(message: Message) -> None:
    """Send nothing."""


def _answer(fault: Fault, called: Called) -> Response:
    # It loads all interfaces.
    from soapstone.testing import fault_answers

    if fault.kind is FaultKind.STATUS_500:
        return fault_answers.page(500)
    if fault.kind is FaultKind.STATUS_503:
        return fault_answers.page(503, max(1, round(fault.seconds)))
    if fault.kind is FaultKind.EXPIRED_SESSION:
        return fault_answers.expired_session(called)
    if fault.kind is FaultKind.LOCKED_LOGIN:
        return fault_answers.locked_login(called)
    return fault_answers.soap_fault(called, fault.wanted.message)


async def _break(called: Called, scope: Scope, request: _Request, *, reset: bool) -> None:
    """Close the connection after what is written of an answer, or reset it at once."""
    transport: asyncio.Transport = scope[TRANSPORT]
    called.broken = f"The connection was {'reset' if reset else 'closed'} by fault {called.fault}."
    if reset:
        # Closing a socket that does not linger sends RST.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()
    # An app that returns before would be taken for one that forgot to answer.
    await request.until_gone()
