"""Reads are answered again when their connection to the database broke."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soapstone.api.problems import BROKEN
from soapstone.http.client_address import SAFE_METHODS


class RepeatedReads:
    """An app whose reads are repeated once if a PostgreSQL server that restarts ended them, instead of a 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        broken: list[bool] = []
        dropped = False

        async def sent(message: Message) -> None:
            nonlocal dropped
            if message["type"] == "http.response.start":
                dropped = message["status"] == 503 and any(broken) and scope["method"] in SAFE_METHODS
            if not dropped:
                await send(message)

        await self._app({**scope, BROKEN: broken}, receive, sent)
        if dropped:
            await self._app({**scope, BROKEN: broken}, receive, send)
