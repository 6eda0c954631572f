"""The server put together: every contract, the console and the worker on one set of records."""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from functools import partial
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from soapstone import log_context
from soapstone.accounts.logon import log_refusal
from soapstone.connection import Connection, Patience, check_all
from soapstone.connection_limits import HEALTH, ConnectionLimits
from soapstone.console.recent_calls import RecentCalls
from soapstone.demo import LOGIN, PASSWORD
from soapstone.errors import SoapstoneError
from soapstone.http.client_address import Origins, first_headers
from soapstone.http.compression import Decompressed
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.magnetmail.prefill import prefill as magnetmail_prefill
from soapstone.magnetmail.service import MagnetMailService
from soapstone.product import Product
from soapstone.readiness import Readiness
from soapstone.settings import Settings
from soapstone.store.change_token import Watch
from soapstone.supervisor import Supervisor
from soapstone.wire.contract import Contract
from soapstone.wire.endpoint import CallRecord, Endpoint
from soapstone.wire.form import Prefill
from soapstone.wire.large_calls import LargeCalls
from soapstone.wire.service import Service
from soapstone.xmlhttp.paths import PATHS

if TYPE_CHECKING:
    from soapstone.metrics import Metrics
    from soapstone.xmlhttp.app import XmlOverHttp

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

# Seconds by which answers come late that ask to try again.
REFUSAL_PAUSE = 1.0
# In lower case.
LISTRAK_PATH = "/v31/integrationservice.asmx"
# The calls that clients poll with: their answers depend on the records alone.
POLLS = ("getUploadJobStatus", "getUploadJobStatusUTC", "GetProcessStatus", "GetLegacyProcessStatus")


class LateApp:
    """An app that is made, in a thread, when it is first called, unless it was loaded before."""

    def __init__(self, make: Callable[[], App]) -> None:
        self._make = make
        self._app: App | None = None
        self._making = Lock()

    def load(self) -> App:
        """Return the app; make it at the first time."""
        with self._making:
            if self._app is None:
                self._app = self._make()
            return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = await run_in_threadpool(self.load) if self._app is None else self._app
        await app(scope, receive, send)


class Application:
    """The ASGI app of one web process: picks the room by the path."""

    def __init__(
        self,
        product: Product,
        *,
        demo: bool = False,
        supervisor: Supervisor | None = None,
        lazy: bool = False,
        repeatable: Collection[str] = POLLS,
    ) -> None:
        """With `lazy` what a call needs is loaded when it is first called: in a test server it may never be.

        `repeatable` are operations that may be given the same answer again while the records are as they were.
        """
        self._repeatable = repeatable
        self._readiness = Readiness(product, supervisor)
        self._product = product
        settings = product.settings
        self._calls = RecentCalls()
        self._watch = Watch(product.database.path)
        self._endpoints: list[Endpoint] = []
        self._xml_calls: XmlOverHttp | None = None
        self._large_calls = LargeCalls()
        origins = Origins(settings.trusted_proxies, allowed=settings.allowed_origins, public_url=settings.public_url)
        self._origins = origins
        self._metrics = _metrics(product) if settings.metrics_token else None
        self._known = (LOGIN, PASSWORD) if demo else ()
        prefill = magnetmail_prefill(*self._known)
        service = MagnetMailService(product)
        self._magnetmail = self._endpoint("magnetmail", MAGNETMAIL, service, prefill)
        self._listrak = LateApp(self._make_listrak)
        self._xml = LateApp(self._make_xml)
        # A server of the contracts alone need not hold it in memory.
        self._rest = LateApp(self._make_rest)
        self._subscriber = LateApp(self._make_subscriber)
        self._console = LateApp(partial(self._make_console, demo=demo))
        self._lazy = lazy
        if not lazy:
            for each in (service, self._listrak, self._xml, self._subscriber, self._console):
                each.load()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            interface, app = self._room(str(scope["path"]))
            request_id = self._origins.request_id(scope) or secrets.token_hex(8)
            # The server runs each request in a task of its own: all of its lines in the log say these.
            log_context.bind(interface=interface, request_id=request_id)
            await app(scope, receive, self._answering(send, interface, request_id))
        elif scope["type"] == "lifespan":
            await _live(receive, send)

    def _endpoint(self, interface: str, contract: Contract, service: Service, prefill: Prefill) -> App:
        endpoint = Endpoint(
            contract,
            service,
            self._product.blobs.new,
            max_body=self._product.settings.max_upload_bytes,
            origins=self._origins,
            on_call=partial(self._add_call, interface),
            repeatable=self._repeatable,
            freshness=self._watch.token,
            prefill=prefill,
            large_calls=self._large_calls,
        )
        self._endpoints.append(endpoint)
        return self._shared(Decompressed(endpoint))

    def _make_listrak(self) -> App:
        from soapstone.listrak.operations import CONTRACT
        from soapstone.listrak.prefill import prefill
        from soapstone.listrak.service import ListrakService

        service = ListrakService(self._product)
        if not self._lazy:
            service.load()
        return self._endpoint("listrak", CONTRACT, service, prefill(*self._known))

    def _make_xml(self) -> App:
        from soapstone.xmlhttp.app import XmlOverHttp

        max_body = self._product.settings.max_upload_bytes
        self._xml_calls = XmlOverHttp(self._product, self._large_calls, max_body=max_body)
        return self._shared(Decompressed(self._xml_calls))

    def _make_rest(self) -> App:
        from soapstone.api.app import rest

        return self._shared(rest(self._product))

    def _make_subscriber(self) -> App:
        from soapstone.subscriber.app import subscriber

        return subscriber(self._product)

    def _make_console(self, *, demo: bool) -> App:
        from soapstone.console.app import console

        return console(self._product, self._calls, demo=demo)

    def forget(self) -> None:
        """Give no answer again that was given before: the clock was set. Called on the event loop."""
        for endpoint in self._endpoints:
            endpoint.forget()

    def close(self) -> None:
        """Wait for the calls under way; end the threads, and let go of the records."""
        for endpoint in self._endpoints:
            endpoint.close()
        if self._xml_calls is not None:
            self._xml_calls.close()
        self._watch.close()

    def _room(self, path: str) -> tuple[str, App]:
        """Return the name of an interface, as logs and metrics have it, and its app."""
        lower = path.lower()
        for prefix, interface, app in (
            (MAGNETMAIL.path.lower(), "magnetmail", self._magnetmail),
            (LISTRAK_PATH, "listrak", self._listrak),
        ):
            if lower == prefix or lower.startswith(f"{prefix}/"):
                return interface, app
        if lower.startswith("/xml/"):
            return "xml", self._call_xml
        if path.startswith("/api/"):
            return "rest", self._rest
        if path.startswith(("/confirm/", "/u/", "/m/")):
            return "links", self._subscriber
        if path == HEALTH:
            return "health", PlainTextResponse("ok\n")
        if path == "/readyz":
            return "health", self._ready
        if path == "/metrics":
            return "metrics", self._tell_metrics
        return "console", self._console

    def _answering(self, send: Send, interface: str, request_id: str) -> Send:
        """Send answers with the id of their request, and those that ask to try again later a moment late.

        Callers in a flood that try again at once would keep the server busy with refusals, and others waiting.
        """

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                if status >= 500 and any(name.lower() == b"retry-after" for name, _ in headers):
                    await asyncio.sleep(REFUSAL_PAUSE)
                message = {**message, "headers": [*headers, (b"x-request-id", request_id.encode())]}
                if self._metrics is not None:
                    self._metrics.add_request(interface, status)
            await send(message)

        return answer

    def _add_call(self, interface: str, call: CallRecord) -> None:
        """Take a SOAP call that was just answered. Called on the event loop."""
        if self._metrics is not None:
            self._metrics.add_call(interface, call.operation, call.seconds, call.fault)
        self._calls.add(call)

    async def _call_xml(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = perf_counter(), 499

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._xml(scope, receive, answer)
        fault = "" if status < 400 else f"status {status}"
        if self._metrics is not None:
            self._metrics.add_call("xml", PATHS.get(scope["path"], ""), perf_counter() - began, fault)

    async def _tell_metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the figures, whoever has the token of the settings."""
        if self._metrics is None:
            response: Response = PlainTextResponse("Metrics are off. SOAPSTONE_METRICS_TOKEN turns them on.\n", 404)
        elif scope["method"] not in ("GET", "HEAD"):
            response = PlainTextResponse("Only GET and HEAD.\n", 405, {"Allow": "GET, HEAD"})
        elif not self._metrics.may_be_read(first_headers(scope).get(b"authorization", b"")):
            log_refusal(self._origins.read(scope)[0], "token")
            response = PlainTextResponse("The token for metrics is needed.\n", 401, {"WWW-Authenticate": "Bearer"})
        else:
            page, media_type = await run_in_threadpool(self._metrics.page)
            response = Response(page, 200, {"Cache-Control": "no-store"}, media_type)
        await response(scope, receive, send)

    def _shared(self, app: App) -> App:
        """Return the app, telling browsers that pages of the allowed origins may call it (lk-7)."""
        allowed = self._product.settings.allowed_origins
        if not allowed:
            return app
        from starlette.middleware.cors import CORSMiddleware

        return CORSMiddleware(
            app,
            allow_origins=allowed,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "SOAPAction"),
            expose_headers=("Content-Disposition", "X-Request-ID"),
        )

    async def _ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        missing = await run_in_threadpool(self._readiness.missing)
        answer = JSONResponse({"ready": not missing, "missing": missing}, status_code=503 if missing else 200)
        await answer(scope, receive, send)


class WebServer(uvicorn.Server):
    """uvicorn, telling when it has begun to serve. Slow clients and too many connections are given up."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        *,
        ready: Callable[[], None],
        tls: ssl.SSLContext | None = None,
        grace: int = 10,
    ) -> None:
        """Give calls under way `grace` seconds at the end of the server."""
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
                timeout_graceful_shutdown=grace,
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


class PortTaken(SoapstoneError):
    """The address is not to be had; the message says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises PortTaken."""
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


def _metrics(product: Product) -> Metrics:
    from soapstone.listrak.operations import CONTRACT

    # Only servers that have a monitor hold the library in memory.
    from soapstone.metrics import Metrics

    operations = {"magnetmail": MAGNETMAIL.operations_by_name, "listrak": CONTRACT.operations_by_name}
    return Metrics(product.database, {**operations, "xml": PATHS.values()}, product.settings.metrics_token)


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
