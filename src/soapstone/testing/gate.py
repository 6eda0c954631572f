"""The gate: requests wait in front of it while the records behind it are replaced."""

from __future__ import annotations

import asyncio

from soapstone.server import App, Receive, Scope, Send

# Seconds that requests under way may take before a reset gives them up, and seconds that this may take.
PATIENCE = 2.0
GIVING_UP = 10.0


class Gate:
    """An ASGI app that passes requests on to `app`, and holds them back between `hold` and `release`.

    Used on the event loop of the web server alone.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._open = asyncio.Event()
        self._open.set()
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What was held back may be held back again.
        while not self._open.is_set():
            await self._open.wait()
        task = asyncio.ensure_future(self._pass_on(scope, receive, send))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            # The server closes the connection: no answer was begun, or it stays without its end.
            if not task.cancelled():
                raise

    async def hold(self) -> None:
        """Let nobody through, and wait until all who went through are done; those who take long are given up."""
        self._open.clear()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=PATIENCE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=GIVING_UP)

    def release(self) -> None:
        """Let requests through again."""
        self._open.set()

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
