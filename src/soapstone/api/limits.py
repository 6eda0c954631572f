"""How large a request may be. Bodies are held in memory before anybody knows who calls, so they are small."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The largest body of a request but for files that are imported.
JSON_BYTES = 1 << 20
# What is taken and forgotten of a body that is too large, so that a client that sends all first can read the refusal.
DRAIN = 16 << 20
# Files are streamed, to whom the caller is known, up to a limit of their own.
FILES = re.compile(r"/api/v1/lists/[0-9]+/imports")


class Limited:
    """An app whose requests are at most `JSON_BYTES` large, or `files` bytes where a file comes in."""

    def __init__(self, app: ASGIApp, *, files: int) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._files if FILES.fullmatch(scope["path"]) else JSON_BYTES
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size <= limit:
                return message
            while message["type"] == "http.request" and message.get("more_body") and size <= limit + DRAIN:
                message = await receive()
                size += len(message.get("body", b""))
            raise HTTPException(413, f"The request is larger than {limit} bytes.")

        await self._app(scope, limited, send)
