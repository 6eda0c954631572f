"""A size limit for requests to pages, whose forms are small."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.http.client_address import SAFE_METHODS

FORM_BYTES = 16 * 1024
"""The largest body of a request to a page, in bytes: larger than any form, including those of mail programs."""


class BodyLimit:
    """Limits bodies for an app of pages: raises HTTPException 413 inside it beyond `FORM_BYTES`.

    The rest is not read, nor anything if the announced length is larger. An app that does not want
    the body receives a disconnect instead.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        too_large = announced.isdigit() and (len(announced) > 18 or int(announced) > FORM_BYTES)
        size, started = 0, False

        async def limited() -> Message:
            nonlocal size, too_large
            if not too_large:
                message = await receive()
                size += len(message.get("body", b""))
                too_large = size > FORM_BYTES
                if not too_large:
                    return message
            # No app reads the body of a safe method: it calls `receive` only to notice a disconnect.
            if started or scope["method"] in SAFE_METHODS:
                return {"type": "http.disconnect"}
            raise HTTPException(413)

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        await self._app(scope, limited, watched)
        if too_large and not started:
            await PlainTextResponse("The request is too large.\n", 413)(scope, receive, send)
