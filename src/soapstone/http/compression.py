"""Compressed request bodies, which `Decompressed` decodes for an app."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from soapstone.http.draining import pace

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PIECE = 64 * 1024
"""Decompressed bytes passed on at a time."""
FREE_SIZE = 8 * 1024 * 1024
"""Bytes to which any body may grow, whatever its compressed size."""
MAX_RATIO = 200
"""Largest growth factor beyond that. Address lists reach 5 to 30, a bomb 1000."""
DRAIN = 64 * 1024 * 1024
"""Bytes still read of a refused body: a client that is cut off while it sends sees a reset."""


class Decompressed:
    """Decompresses gzip bodies for an app, piece by piece, so that the app's limits count decompressed bytes.

    Other content encodings are answered 415, a damaged gzip body 400, one that grows beyond `MAX_RATIO` times 413, all
    with an empty body; the app then receives a disconnect.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encodings = [value.strip().lower() for name, value in scope["headers"] if name == b"content-encoding"]
        if not encodings or encodings == [b"identity"]:
            await self._app(scope, receive, send)
            return
        body = GzipBody(receive)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        if encodings in ([b"gzip"], [b"x-gzip"]):
            await self._app(scope, body.next, watched)
        else:
            body.refused = 415
        if body.refused and not started:
            await _refuse(body, send)


async def _refuse(body: GzipBody, send: Send) -> None:
    headers = [(b"content-length", b"0")]
    if body.refused == 415:
        headers.append((b"accept-encoding", b"gzip"))
    if not await body.drain():
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": body.refused, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class GzipBody:
    """A body of one gzip stream or several in a row. `refused` is the status of its refusal, 0 for none."""

    def __init__(self, receive: Receive) -> None:
        self.refused = 0
        self._receive = receive
        self._more = True
        self._waiting = b""
        self._stream = zlib.decompressobj(wbits=31)
        self._begun = False
        self._taken = 0
        self._given = 0

    async def next(self) -> Message:
        """Return the next decompressed piece, or a disconnect."""
        while True:
            if self._waiting or not self._more:
                # One message may hold a thousand pieces; let other calls run between them.
                await asyncio.sleep(0)
            else:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._more = bool(message.get("more_body", False))
                self._waiting = message.get("body", b"")
                self._taken += len(self._waiting)
            try:
                piece = self._decompress()
            except zlib.error:
                return self._give_up(400)
            self._given += len(piece)
            if self._given > FREE_SIZE and self._given > MAX_RATIO * self._taken:
                return self._give_up(413)
            if piece:
                return {"type": "http.request", "body": piece, "more_body": True}
            if not self._waiting and not self._more:
                if self._begun and not self._stream.eof:
                    return self._give_up(400)
                return {"type": "http.request", "body": b"", "more_body": False}

    async def drain(self) -> bool:
        """Read the rest of the body, within bounds; return whether its end was reached."""
        left = DRAIN
        while self._more and left > 0:
            message = await self._receive()
            if message["type"] != "http.request":
                return False
            self._more = bool(message.get("more_body", False))
            size = len(message.get("body", b""))
            left -= size
            await pace(size)
        return not self._more

    def _decompress(self) -> bytes:
        if self._stream.eof and self._waiting:
            self._stream = zlib.decompressobj(wbits=31)
            self._begun = False
        if not self._waiting and not self._begun:
            return b""
        self._begun = True
        piece = self._stream.decompress(self._waiting, PIECE)
        self._waiting = self._stream.unconsumed_tail or self._stream.unused_data
        return piece

    def _give_up(self, status: int) -> Message:
        self.refused = status
        return {"type": "http.disconnect"}
