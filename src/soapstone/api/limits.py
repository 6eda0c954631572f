"""Limits of request sizes. No body is read before the credentials were checked."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.api.authentication import ADMITTED, admit
from soapstone.http.client_address import SAFE_METHODS
from soapstone.http.compression import GzipBody
from soapstone.http.draining import pace

# The largest body of a request, except files to import.
JSON_BYTES = 1 << 20
# Bytes read and dropped of a body that is too large: a client that sends all first can then read the refusal.
DRAIN = 16 << 20
# Files of known callers are streamed, up to a limit of their own.
FILES = re.compile(r"/api/v1/(?:(?:lists/[0-9]+/)?imports|incoming)")


REFUSALS = {
    400: "The body is damaged: it is not a complete gzip stream.",
    413: "The body's compression ratio is too high.",
}


class Limited:
    """An app whose requests are at most `JSON_BYTES` large, or `files` bytes at the `paths` where a file comes in.

    A body with a file may come packed by gzip; the limit holds for what comes in and for what comes out. `admit` checks
    the credentials before the first piece of a body is taken.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        files: int,
        paths: re.Pattern[str] = FILES,
        admit: Callable[[dict[str, Any]], Awaitable[None]] = admit,
    ) -> None:
        self._app = app
        self._files = files
        self._paths = paths
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        takes_file = self._paths.fullmatch(scope["path"]) is not None
        limit = self._files if takes_file else JSON_BYTES
        size, started = 0, False
        # Filled in by `admit`, or by the operation when it takes no body.
        scope = {**scope, ADMITTED: []}

        async def limited() -> Message:
            nonlocal size
            await self._admit(scope)
            message = await receive()
            size += len(message.get("body", b""))
            if size <= limit:
                return message
            if started or scope["method"] in SAFE_METHODS:
                # Only a stream that watches for its client's disconnect reads on; it ends as if the client had gone.
                return {"type": "http.disconnect"}
            while message["type"] == "http.request" and message.get("more_body") and size <= limit + DRAIN:
                message = await receive()
                size += len(message.get("body", b""))
                await pace(len(message.get("body", b"")))
            raise HTTPException(413, f"The request is larger than {limit} bytes.")

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        encodings = [value.strip().lower() for name, value in scope["headers"] if name == b"content-encoding"]
        if not encodings or encodings == [b"identity"]:
            await self._app(scope, limited, watched)
        elif takes_file and encodings in ([b"gzip"], [b"x-gzip"]):
            await self._app(scope, _unpacked(limited, limit), watched)
        else:
            await self._app(scope, _unreadable, send)


def _unpacked(receive: Receive, limit: int) -> Receive:
    body, size = GzipBody(receive), 0

    async def next_piece() -> Message:
        nonlocal size
        message = await body.next()
        size += len(message.get("body", b""))
        if size > limit:
            await body.drain()
            raise HTTPException(413, f"Unpacked, the request is larger than {limit} bytes.")
        if body.refused:
            await body.drain()
            raise HTTPException(body.refused, REFUSALS[body.refused])
        return message

    return next_piece


async def _unreadable() -> Message:
    headers = {"Accept-Encoding": "gzip"}
    raise HTTPException(
        415, "Only bodies with a file may be packed, by gzip: other content encodings are not read.", headers
    )
