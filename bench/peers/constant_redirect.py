"""The least that a link can do: the same 302 for every request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

HEADERS = [(b"location", b"https://shop.example/1?utm_source=soapstone"), (b"content-length", b"0")]


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer any request."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 302, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b""})
