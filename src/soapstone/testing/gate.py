"""The gate: holds requests back while the records are replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, MutableMapping
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")

log = logging.getLogger(__name__)

# Seconds that requests under way get before a reset aborts them, and most seconds for aborting.
PATIENCE = 2.0
GIVING_UP = 10.0


class Gate:
    """An ASGI app that passes requests on to `app`, and holds them back between `hold` and `release`.

    Used on the event loop of the web server alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._open = asyncio.Event()
        self._open.set()
        self._under_way: dict[asyncio.Task[None], _Passage] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A released request may be held back again.
        while not self._open.is_set():
            await self._open.wait()
        passage = _Passage(receive, send)
        task = asyncio.ensure_future(self._pass_on(scope, passage))
        self._under_way[task] = passage
        task.add_done_callback(self._under_way.pop)
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            # The server closes the connection: no answer was begun, or it stays without its end.
            if not task.cancelled():
                raise

    async def hold(self) -> None:
        """Hold requests back, and wait for those under way; abort those that take too long."""
        self._open.clear()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=PATIENCE)
            for task in late:
                self._under_way[task].give_up()
            if late:
                # Their threads must have ended too: they would see half-replaced records.
                _, late = await asyncio.wait(late, timeout=GIVING_UP)
            for task in late:
                log.warning("a call under way did not end within %.0f s", PATIENCE + GIVING_UP)
                task.cancel()

    def release(self) -> None:
        """Let requests through again."""
        self._open.set()

    async def _pass_on(self, scope: Scope, passage: _Passage) -> None:
        await self.app(scope, passage.receive, passage.send)


class _Passage:
    """The messages of one request. An aborted request sees a disconnect."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._given_up = False
        self._waiting: set[asyncio.Task[Any]] = set()

    def give_up(self) -> None:
        """Abort the request: pending and later receives get a disconnect."""
        self._given_up = True
        for task in self._waiting:
            task.cancel()

    async def receive(self) -> MutableMapping[str, Any]:
        """Return what the app receives."""
        message = None if self._given_up else await self._unless_given_up(self._receive())
        return message or {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass on what the app sends."""
        if not self._given_up:
            await self._unless_given_up(self._send(message))

    async def _unless_given_up(self, waiting: Awaitable[T]) -> T | None:
        task = asyncio.ensure_future(waiting)
        self._waiting.add(task)
        try:
            await asyncio.wait((task,))
        finally:
            self._waiting.discard(task)
            task.cancel()
        return None if task.cancelled() else task.result()
