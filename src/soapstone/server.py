"""The server put together: every contract, the console and the worker on one set of records."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import partial
from typing import Any

import uvicorn
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, PlainTextResponse

from soapstone.connection import Connection, Patience, check_all
from soapstone.connection_limits import HEALTH, ConnectionLimits
from soapstone.console.app import console
from soapstone.console.recent_calls import RecentCalls
from soapstone.demo import LOGIN, PASSWORD
from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.listrak.prefill import prefill as listrak_prefill
from soapstone.listrak.service import ListrakService
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.magnetmail.prefill import prefill as magnetmail_prefill
from soapstone.magnetmail.service import MagnetMailService
from soapstone.product import Product
from soapstone.readiness import Readiness
from soapstone.settings import Settings
from soapstone.store.watch import Watch
from soapstone.subscriber.app import subscriber
from soapstone.supervisor import Supervisor
from soapstone.wire.compressed import Decompressed
from soapstone.wire.endpoint import Endpoint
from soapstone.wire.large_calls import LargeCalls
from soapstone.wire.origin import Origins
from soapstone.xmlhttp.app import XmlOverHttp

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

# Seconds by which answers come late that ask to try again.
REFUSAL_PAUSE = 1.0
# The calls that clients poll with: their answers depend on the records alone.
POLLS = ("getUploadJobStatus", "getUploadJobStatusUTC", "GetProcessStatus", "GetLegacyProcessStatus")


class Application:
    """The ASGI app of one web process: picks the room by the path."""

    def __init__(self, product: Product, *, demo: bool = False, supervisor: Supervisor | None = None) -> None:
        self._readiness = Readiness(product, supervisor)
        self._product = product
        settings = product.settings
        calls = RecentCalls()
        self._watch = Watch(product.database)
        self._contracts: list[tuple[str, App]] = []
        large_calls = LargeCalls()
        origins = Origins(settings.trusted_proxies, allowed=settings.allowed_origins, public_url=settings.public_url)
        known = (LOGIN, PASSWORD) if demo else ()
        for contract, service, prefill in (
            (MAGNETMAIL, MagnetMailService(product), magnetmail_prefill(*known)),
            (LISTRAK, ListrakService(product), listrak_prefill(*known)),
        ):
            endpoint = Endpoint(
                contract,
                service,
                product.blobs.new,
                max_body=settings.max_upload_bytes,
                origins=origins,
                on_call=calls.add,
                repeatable=POLLS,
                freshness=self._watch.token,
                prefill=prefill,
                large_calls=large_calls,
            )
            self._contracts.append((contract.path.lower(), self._shared(Decompressed(endpoint))))
        xml = XmlOverHttp(product, large_calls, max_body=settings.max_upload_bytes)
        self._xml = self._shared(Decompressed(xml))
        self._rest: App | None = None
        self._subscriber = subscriber(product)
        self._console = console(product, calls, demo=demo)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._room(str(scope["path"]))(scope, receive, _unhurried(send))
        elif scope["type"] == "lifespan":
            await _live(receive, send)

    def _room(self, path: str) -> App:
        lower = path.lower()
        for prefix, endpoint in self._contracts:
            if lower == prefix or lower.startswith(f"{prefix}/"):
                return endpoint
        if lower.startswith("/xml/"):
            return self._xml
        if path.startswith("/api/"):
            return self._call_rest
        if path.startswith(("/confirm/", "/u/", "/m/")):
            return self._subscriber
        if path == HEALTH:
            return PlainTextResponse("ok\n")
        if path == "/readyz":
            return self._ready
        return self._console

    async def _call_rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The REST API, made when it is first asked for: a server of the contracts alone need not hold it in memory."""
        from starlette.concurrency import run_in_threadpool

        if self._rest is None:
            self._rest = await run_in_threadpool(self._make_rest)
        await self._rest(scope, receive, send)

    def _make_rest(self) -> App:
        from soapstone.api.app import rest

        return self._shared(rest(self._product))

    def _shared(self, app: App) -> App:
        """The app, telling browsers that pages of the allowed origins may call it (lk-7)."""
        allowed = self._product.settings.allowed_origins
        if not allowed:
            return app
        return CORSMiddleware(
            app,
            allow_origins=allowed,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "SOAPAction"),
            expose_headers=("Content-Disposition",),
        )

    async def _ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.concurrency import run_in_threadpool

        missing = await run_in_threadpool(self._readiness.missing)
        answer = JSONResponse({"ready": not missing, "missing": missing}, status_code=503 if missing else 200)
        await answer(scope, receive, send)


class WebServer(uvicorn.Server):
    """uvicorn, telling when it has begun to serve. Slow clients and too many connections are given up."""

    def __init__(
        self, app: App, settings: Settings, *, ready: Callable[[], None], tls: ssl.SSLContext | None = None
    ) -> None:
        limits = ConnectionLimits(
            settings.max_connections, settings.max_connections_per_address, settings.trusted_proxies
        )
        patience = Patience(settings.head_seconds, settings.body_seconds, settings.answer_seconds)
        super().__init__(
            uvicorn.Config(
                limits.per_client(app),
                # uvicorn calls it as it would call the class.
                http=partial(Connection, limits=limits, patience=patience),  # type: ignore[arg-type]
                # A connection that is upgraded would leave these bounds.
                ws="none",
                loop="uvloop",
                log_config=None,
                access_log=False,
                # Proxies are believed by the rooms, for the addresses that the operator names.
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=10,
                ssl_context_factory=(lambda *_: tls) if tls else None,
            )
        )
        self._ready = ready

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % 10 == 0:
            check_all(self.server_state.connections)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


class PortTaken(Exception):
    """The address is not to be had; the message says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as trouble:
        listener.close()
        if isinstance(trouble, socket.gaierror) or trouble.errno == errno.EADDRNOTAVAIL:
            remedy = "Name an address of this machine: --host 127.0.0.1."
        else:
            remedy = f"Choose another port: --port {port + 1}, or make run PORT={port + 1}."
        raise PortTaken(f"Cannot listen on {host}:{port} ({trouble.strerror}). {remedy}") from None
    return listener


def _unhurried(send: Send) -> Send:
    """Send answers that ask to try again later a moment late.

    Callers in a flood that try again at once would keep the server busy with refusals, and others waiting.
    """

    async def late(message: MutableMapping[str, Any]) -> None:
        if message.get("status", 0) >= 500 and any(name.lower() == b"retry-after" for name, _ in message["headers"]):
            await asyncio.sleep(REFUSAL_PAUSE)
        await send(message)

    return late


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def serve(
    app: App,
    listeners: Sequence[socket.socket],
    settings: Settings,
    *,
    ready: Callable[[], None],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until a signal ends it."""
    # Uvicorn raises SIGTERM again when it is done: by default that ends the process before the callers have cleaned up.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        WebServer(app, settings, ready=ready, tls=tls).run(sockets=list(listeners))
    finally:
        signal.signal(signal.SIGTERM, before)
