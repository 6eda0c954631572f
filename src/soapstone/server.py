"""The web server: all contracts, REST and the console on one set of records."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Collection, MutableMapping, Sequence
from functools import partial
from itertools import count
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from soapstone import log_context
from soapstone.accounts.logon import log_refusal
from soapstone.connection import Connection, check_all
from soapstone.connection_limits import HEALTH, ConnectionLimits
from soapstone.console.recent_calls import RecentCalls
from soapstone.demo import LOGIN, PASSWORD
from soapstone.http.client_address import Origins, first_headers
from soapstone.http.compression import Decompressed
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.magnetmail.prefill import prefill as magnetmail_prefill
from soapstone.magnetmail.service import MagnetMailService
from soapstone.product import Product
from soapstone.readiness import Failing, Readiness
from soapstone.settings import Settings
from soapstone.store.recorded_reads import RecordWatch
from soapstone.tracking.spool import Spool
from soapstone.wire.contract import Contract
from soapstone.wire.endpoint import CallRecord, Endpoint
from soapstone.wire.form import Prefill
from soapstone.wire.large_calls import LargeCalls
from soapstone.wire.service import Service
from soapstone.wire.shortcut import Place, Shortcut
from soapstone.xmlhttp.paths import PATHS, REFUSED

if TYPE_CHECKING:
    from soapstone.metrics import Metrics
    from soapstone.subscriber.tracking import TrackingApp
    from soapstone.web_processes import WebProcess
    from soapstone.xmlhttp.app import XmlOverHttp


log = logging.getLogger(__name__)

# Delay of answers with Retry-After, in seconds.
REFUSAL_PAUSE = 1.0
# Links and images of mails that are tracked.
TRACKED = ("/c/", "/o/", "/r/")
# In lower case.
LISTRAK_PATH = "/v31/integrationservice.asmx"
# The polling operations, whose answers depend on the records alone.
POLLS = ("getUploadJobStatus", "getUploadJobStatusUTC", "GetProcessStatus", "GetLegacyProcessStatus")


class LateApp:
    """An app that is created on its first call, in a thread, unless loaded before."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None
        self._making = Lock()

    def load(self) -> ASGIApp:
        """Return the app, created on first use."""
        with self._making:
            if self._app is None:
                self._app = self._make()
            return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = await run_in_threadpool(self.load) if self._app is None else self._app
        await app(scope, receive, send)


class Application:
    """The ASGI app of one web process: dispatches by path."""

    def __init__(
        self,
        product: Product,
        *,
        demo: bool = False,
        supervisor: Failing | None = None,
        process: WebProcess | None = None,
        lazy: bool = False,
        repeatable: Collection[str] = POLLS,
        read_seconds: float | None = None,
    ) -> None:
        """With `lazy`, apps are loaded on their first call: a test server may not need them all.

        `process` says which one this is, if several ones serve; `supervisor` knows how the worker is. `repeatable`
        operations may be answered from a cache while the records are unchanged. A mail that is open for
        `read_seconds` is read.
        """
        self._repeatable = repeatable
        self._spool = Spool(product.settings.spool, on_lost=partial(self._add_unrecorded, "not written"))
        self._readiness = Readiness(product, supervisor or process, self._spool)
        self._product = product
        settings = product.settings
        self._calls = RecentCalls()
        product.database.follow_changes()
        self._watch = RecordWatch(product.database.change_token(), product.database.path)
        self._shortcuts: dict[str, Shortcut] = {}
        # Ids of the requests that are answered from memory: random ones would cost a system call each.
        self._ids = count(secrets.randbits(63))
        self._endpoints: list[Endpoint] = []
        self._xml_calls: XmlOverHttp | None = None
        self._large_calls = LargeCalls()
        origins = Origins(settings.trusted_proxies, allowed=settings.allowed_origins, public_url=settings.public_url)
        self._origins = origins
        self._metrics = _metrics(product, process) if settings.metrics_token else None
        self._known = (LOGIN, PASSWORD) if demo else ()
        prefill = magnetmail_prefill(*self._known)
        service = MagnetMailService(product)
        self._magnetmail = self._endpoint("magnetmail", MAGNETMAIL, service, prefill)
        self._listrak = LateApp(self._make_listrak)
        self._xml = LateApp(self._make_xml)
        # A server of the contracts alone does not load it.
        self._rest = LateApp(self._make_rest)
        self._subscriber = LateApp(self._make_subscriber)
        self._tracking = LateApp(self._make_tracking)
        self._tracked: TrackingApp | None = None
        self._read_seconds = read_seconds
        self._relay = LateApp(self._make_relay)
        self._console = LateApp(partial(self._make_console, demo=demo))
        self._lazy = lazy
        if not lazy:
            for each in (service, self._listrak, self._xml, self._subscriber, self._tracking, self._console):
                each.load()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(TRACKED):
            # A campaign brings many of them at once, and the id of such a request serves no purpose.
            await self._tracking(
                scope, receive, send if self._metrics is None else self._answering(send, "tracking", "")
            )
        elif scope["type"] == "http":
            interface, app = self._room(str(scope["path"]))
            request_id = self._origins.request_id(scope) or secrets.token_hex(8)
            # Each request runs in a task of its own, whose log lines get these fields.
            log_context.bind(interface=interface, request_id=request_id)
            await app(scope, receive, self._answering(send, interface, request_id))
        elif scope["type"] == "lifespan":
            await _live(receive, send)

    def _endpoint(self, interface: str, contract: Contract, service: Service, prefill: Prefill) -> ASGIApp:
        endpoint = Endpoint(
            contract,
            service,
            self._product.blobs.new,
            max_body=self._product.settings.max_upload_bytes,
            origins=self._origins,
            on_call=partial(self._add_call, interface),
            repeatable=self._repeatable,
            records=self._watch,
            prefill=prefill,
            large_calls=self._large_calls,
            shortcut=self._shortcuts.setdefault(interface, Shortcut()),
        )
        self._endpoints.append(endpoint)
        return self._shared(Decompressed(endpoint))

    def _make_listrak(self) -> ASGIApp:
        from soapstone.listrak.operations import CONTRACT
        from soapstone.listrak.prefill import prefill
        from soapstone.listrak.service import ListrakService

        service = ListrakService(self._product)
        if not self._lazy:
            service.load()
        return self._endpoint("listrak", CONTRACT, service, prefill(*self._known))

    def _make_xml(self) -> ASGIApp:
        from soapstone.xmlhttp.app import XmlOverHttp

        max_body = self._product.settings.max_upload_bytes
        self._xml_calls = XmlOverHttp(self._product, self._large_calls, max_body=max_body)
        return self._shared(Decompressed(self._xml_calls))

    def _make_rest(self) -> ASGIApp:
        from soapstone.api.app import rest

        return self._shared(rest(self._product))

    def _make_subscriber(self) -> ASGIApp:
        from soapstone.subscriber.app import subscriber

        return subscriber(self._product)

    def _make_tracking(self) -> ASGIApp:
        from soapstone.subscriber.tracking import MOST_HELD, READ_SECONDS, TrackingApp

        self._tracked = TrackingApp(
            self._product.database,
            self._product.stems,
            self._spool,
            self._origins,
            # The others stay free for those who call.
            most_held=min(MOST_HELD, self._product.settings.max_connections // 2),
            read_seconds=READ_SECONDS if self._read_seconds is None else self._read_seconds,
            on_unheld=partial(self._add_unrecorded, "not held", 1),
        )
        return self._tracked

    def _make_relay(self) -> ASGIApp:
        from soapstone.relay_calls import relay_calls

        return relay_calls(self._product)

    def _make_console(self, *, demo: bool) -> ASGIApp:
        from soapstone.console.app import console

        return console(self._product, self._calls, demo=demo)

    def forget(self) -> None:
        """Clear the answer caches, after the clock was set. Called on the event loop."""
        for endpoint in self._endpoints:
            endpoint.forget()

    def answer_known(self, place: Place, data: bytes) -> bytes | None:
        """Return the answer to one whole request, if it is in memory, from behind its first header lines.

        Its status is 200. Called on the event loop.
        """
        for interface, shortcut in self._shortcuts.items():
            reply = shortcut.answer(place, data)
            if reply is not None:
                if self._metrics is not None:
                    self._metrics.add_request(interface, 200)
                return b"%bx-request-id: %b\r\n\r\n%b" % (reply[0], b"%016x" % next(self._ids), reply[1])
        return None

    def answer_tracked(self, place: Place, data: bytes, reply: Callable[[bytes, bytes], None]) -> bool:
        """Return whether one whole request is for a known link or image; then `reply` gets the answer in this turn.

        That is its status line, and what follows its first header lines. Called on the event loop.
        """
        status = 0 if self._tracked is None else self._tracked.answer_known(place, data, reply)
        if status and self._metrics is not None:
            self._metrics.add_request("tracking", status)
        return status > 0

    def settle(self) -> None:
        """Give the answers to tracked requests that wait for the spool."""
        self._spool.flush()

    def close(self) -> None:
        """Wait for the calls under way, end the threads, and close the records."""
        for endpoint in self._endpoints:
            endpoint.close()
        if self._xml_calls is not None:
            self._xml_calls.close()
        self._watch.close()
        self._spool.close()

    def _room(self, path: str) -> tuple[str, ASGIApp]:
        """Return the interface's name, for logs and metrics, and its app."""
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
        if path.startswith("/relay/"):
            return "relay", self._relay
        if path.startswith(("/confirm/", "/u/", "/m/")):
            return "links", self._subscriber
        if path == HEALTH:
            return "health", PlainTextResponse("ok\n")
        if path == "/readyz":
            return "health", self._ready
        if path == "/metrics":
            return "metrics", self._send_metrics
        return "console", self._console

    def _answering(self, send: Send, interface: str, request_id: str) -> Send:
        """Send answers with their request's id; delay those with Retry-After.

        Clients that retry at once would keep the server busy with refusals.
        """

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                if status >= 500 and any(name.lower() == b"retry-after" for name, _ in headers):
                    await asyncio.sleep(REFUSAL_PAUSE)
                if request_id:
                    message = {**message, "headers": [*headers, (b"x-request-id", request_id.encode())]}
                if self._metrics is not None:
                    self._metrics.add_request(interface, status)
            await send(message)

        return answer

    def _add_call(self, interface: str, call: CallRecord) -> None:
        """Record an answered SOAP call. Called on the event loop."""
        if self._metrics is not None:
            self._metrics.add_call(interface, call.operation, call.seconds, call.fault)
        self._calls.add(call)

    def _add_unrecorded(self, reason: str, count: int) -> None:
        """Count opens, reads and clicks that were answered and are not recorded. Called on the event loop."""
        if self._metrics is not None:
            self._metrics.add_unrecorded(reason, count)

    async def _call_xml(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = perf_counter(), 499

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        state = scope.setdefault("state", {})
        await self._xml(scope, receive, answer)
        fault = "" if status < 400 else state.get(REFUSED, f"status {status}")
        if self._metrics is not None:
            self._metrics.add_call("xml", PATHS.get(scope["path"], ""), perf_counter() - began, fault)

    async def _send_metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the metrics if the request has the configured token."""
        if self._metrics is None:
            response: Response = PlainTextResponse("Metrics are off. SOAPSTONE_METRICS_TOKEN turns them on.\n", 404)
        elif scope["method"] not in ("GET", "HEAD"):
            response = PlainTextResponse("Only GET and HEAD.\n", 405, {"Allow": "GET, HEAD"})
        elif not self._metrics.may_be_read(given := first_headers(scope).get(b"authorization", b"")):
            if given:
                log_refusal(self._origins.read(scope)[0], "token")
            response = PlainTextResponse("The token for metrics is needed.\n", 401, {"WWW-Authenticate": "Bearer"})
        else:
            page, media_type = await run_in_threadpool(self._metrics.page)
            response = Response(page, 200, {"Cache-Control": "no-store"}, media_type)
        await response(scope, receive, send)

    def _shared(self, app: ASGIApp) -> ASGIApp:
        """Return the app with CORS headers for the allowed origins (lk-7)."""
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
        # Without a database the look at it would wait.
        figures = {} if "database" in missing else {"figures": await run_in_threadpool(self._readiness.figures)}
        content = {"ready": not missing, "missing": missing, **figures}
        answer = JSONResponse(content, status_code=503 if missing else 200)
        await answer(scope, receive, send)


class WebServer(uvicorn.Server):
    """uvicorn with a callback at its start, and limits on slow clients and connections."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        ready: Callable[[], None],
        tls: ssl.SSLContext | None = None,
        grace: int = 10,
        date_header: bool = True,
    ) -> None:
        """Give calls under way `grace` seconds at shutdown. Without `date_header` the app sends a Date itself."""
        known = app if isinstance(app, Application) else None
        limits = ConnectionLimits(
            settings.max_connections, settings.max_connections_per_address, settings.trusted_proxies
        )
        super().__init__(
            uvicorn.Config(
                limits.per_client(app),
                # uvicorn calls it as it would call the class.
                http=partial(  # type: ignore[arg-type]
                    Connection, limits=limits, timeout=settings.client_timeout_seconds, known=known
                ),
                # An upgraded connection would escape these limits.
                ws="none",
                loop="uvloop",
                log_config=None,
                access_log=False,
                # The apps evaluate proxy headers, from trusted proxies only.
                proxy_headers=False,
                server_header=False,
                date_header=date_header,
                timeout_graceful_shutdown=grace,
                ssl_context_factory=(lambda *_: tls) if tls else None,
            )
        )
        self._ready = ready

    async def on_tick(self, counter: int) -> bool:
        """Act ten times a second."""
        if counter % 10 == 0:
            check_all(self.server_state.connections)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _metrics(product: Product, process: WebProcess | None) -> Metrics:
    from soapstone.listrak.operations import CONTRACT

    # Only servers with a monitor load the library.
    from soapstone.metrics import Metrics

    operations = {"magnetmail": MAGNETMAIL.operations_by_name, "listrak": CONTRACT.operations_by_name}
    named = {**operations, "xml": PATHS.values()}
    metrics = Metrics(product.database, named, product.settings.metrics_token, process)
    if product.bucket is not None:
        product.bucket.on_request = metrics.add_bucket_request
    return metrics


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def serve(
    app: ASGIApp,
    listeners: Sequence[socket.socket],
    settings: Settings,
    *,
    ready: Callable[[], None],
    tls: ssl.SSLContext | None = None,
    date_header: bool = True,
) -> None:
    """Serve until a signal ends it."""
    # uvicorn raises SIGTERM again at its end, which by default ends the process before the callers' cleanup.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        WebServer(app, settings, ready=ready, tls=tls, date_header=date_header).run(sockets=list(listeners))
    finally:
        signal.signal(signal.SIGTERM, before)
