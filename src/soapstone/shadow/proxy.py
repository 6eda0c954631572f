"""The way of a client's call to the live service and back, and the copy of both bodies that goes to our half."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from soapstone.clock import now
from soapstone.connection import TRANSPORT
from soapstone.http.client_address import Origins, first_headers, is_local
from soapstone.shadow.descriptions import LARGEST, is_description, renamed
from soapstone.shadow.exchange import KEPT_HEADERS, MOST_KEPT, Exchange
from soapstone.shadow.feed import Feed
from soapstone.shadow.upstream import BrokenOff, Headers, Reply, Unreachable, Upstream

log = logging.getLogger(__name__)

REPORT = "/_shadow"
"""Path of the report, for requests from this machine; all other paths are those of the live service."""

# They are of one connection (RFC 9110 7.6.1). Expect was answered by the server, which asked for the body.
_HOP_BY_HOP = {
    b"connection",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}


class ClientGone(Exception):
    """The client has closed its connection."""


class _Copy:
    """The beginning of a body, up to `MOST_KEPT` bytes; `over` says that there was more."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    @property
    def over(self) -> bool:
        return self.size > MOST_KEPT

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.over:
            self.pieces.clear()
        else:
            self.pieces.append(piece)

    def whole(self) -> bytes:
        return b"".join(self.pieces)


class Proxy:
    """The ASGI app: every request goes to the live service, and its answer to the client, untouched.

    Only descriptions change: they name this server as the service. `origins` reads its URL as the client has it.
    A failure of the live service reaches the client as far as HTTP lets it: a connection that it closes is closed here.
    """

    def __init__(self, upstream: Upstream, feed: Feed, report: ASGIApp, origins: Origins) -> None:
        self._upstream = upstream
        self._origins = origins
        self._feed = feed
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            if str(scope["path"]).partition(".")[0] == REPORT and is_local(scope):
                await self._report(scope, receive, send)
            else:
                await self._pass(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._feed.start()
            else:
                await self._upstream.close()
                await self._feed.stop()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, chunked = self._request_headers(scope)
        described = is_description(scope)
        if described:
            headers = [pair for pair in headers if pair[0].lower() != b"accept-encoding"]
        # Help pages and descriptions are no calls.
        copied = scope["method"] == "POST"
        request, answer = _Copy(), _Copy()
        at, began = now(), time.perf_counter()

        async def body() -> AsyncIterator[bytes]:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                piece, more = message.get("body", b""), message.get("more_body", False)
                if piece:
                    request.add(piece)
                    yield piece
            yield b""
            while (await receive())["type"] != "http.disconnect":
                pass
            raise ClientGone

        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        try:
            reply = await self._upstream.send(scope["method"], target, headers, body(), chunked=chunked)
        except ClientGone:
            return
        except Unreachable as trouble:
            log.warning("the live service cannot be reached: %s", trouble)
            await _answer_unreachable(send)
            return
        except BrokenOff:
            log.warning("the live service broke a call off")
            _break_off(scope)
            return
        whole = False
        try:
            pieces, passed = reply.pieces(), _passed(reply)
            if described and reply.status == 200:
                pieces, passed = await self._renamed(scope, pieces, passed)
            await send({"type": "http.response.start", "status": reply.status, "headers": passed})
            async for piece in pieces:
                answer.add(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            whole = True
        except BrokenOff:
            log.warning("the live service broke an answer off")
            _break_off(scope)
            return
        finally:
            reply.close()
        seconds = time.perf_counter() - began
        await send({"type": "http.response.body", "body": b""})
        if copied and whole:
            self._copy(scope, at, seconds, request, reply.status, reply.headers, answer)

    async def _renamed(
        self, scope: Scope, pieces: AsyncIterator[bytes], headers: Headers
    ) -> tuple[AsyncIterator[bytes], Headers]:
        """Return a description's body and headers with this server's URL. One that is too long stays as it is."""
        kept: list[bytes] = []
        size = 0
        async for piece in pieces:
            kept.append(piece)
            size += len(piece)
            if size > LARGEST:
                break
        else:
            body = renamed(b"".join(kept), scope["raw_path"], self._origins.read(scope)[1])
            kept = [body]
            length = (b"content-length", str(len(body)).encode())
            headers = [*(pair for pair in headers if pair[0].lower() != b"content-length"), length]

        async def joined() -> AsyncIterator[bytes]:
            for piece in kept:
                yield piece
            async for piece in pieces:
                yield piece

        return joined(), headers

    def _copy(
        self,
        scope: Scope,
        at: Any,
        seconds: float,
        request: _Copy,
        status: int,
        answer_headers: Headers,
        answer: _Copy,
    ) -> None:
        """Hand the call to our half. Nothing that fails there, or here, concerns the client."""
        try:
            if request.over or answer.over:
                self._feed.skip("too large")
                return
            sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in first_headers(scope).items()}
            got = {name.lower(): value.decode("latin-1") for name, value in answer_headers}
            exchange = Exchange(
                at,
                str(scope["path"]),
                {name: sent[name] for name in KEPT_HEADERS if name in sent},
                request.whole(),
                status,
                got.get(b"content-type", ""),
                answer.whole(),
                seconds,
            )
            encodings = [sent.get("content-encoding", ""), got.get(b"content-encoding", "")]
            self._feed.put(exchange, encodings)
        except Exception:
            log.exception("a call could not be copied")

    def _request_headers(self, scope: Scope) -> tuple[Headers, bool]:
        """Return the headers for the live service, and whether the body goes in chunks."""
        named = {
            token.strip().lower()
            for name, value in scope["headers"]
            if name.lower() == b"connection"
            for token in value.split(b",")
        }
        headers = [
            pair for pair in scope["headers"] if pair[0].lower() not in _HOP_BY_HOP | named - {b"content-length"}
        ]
        chunked = any(name.lower() == b"transfer-encoding" for name, _ in scope["headers"])
        framing = [(b"transfer-encoding", b"chunked")] if chunked else []
        if chunked:
            headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
        return [(b"host", self._upstream.address.authority.encode()), *headers, *framing], chunked


def _passed(reply: Reply) -> Headers:
    # An answer without a body may tell the length that another one would have.
    dropped = _HOP_BY_HOP | ({b"content-length"} if reply.status in (204, 304) else set())
    return [(name, value) for name, value in reply.headers if name.lower() not in dropped]


async def _answer_unreachable(send: Send) -> None:
    text = b"The live service cannot be reached.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 502, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _break_off(scope: Scope) -> None:
    """Close the client's connection without a further byte, as the live service closed its own."""
    scope[TRANSPORT].abort()
