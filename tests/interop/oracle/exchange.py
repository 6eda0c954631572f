"""A request as it goes over the wire, the answer as it comes back, and our own endpoints served to be asked."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from tests.interop.oracle.service import Kept, SampleService

from soapstone.wire.contract import Contract
from soapstone.wire.endpoint import Endpoint

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """One request; `mode` says what the method behind it does (service.MODES)."""

    name: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    target: str = ""
    mode: str = "told"


@dataclass(frozen=True)
class Answer:
    """What is compared: status, headers that clients look at, and body."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def ask(connection: http.client.HTTPConnection, request: Request) -> Answer:
    """Send exactly these headers, besides those that HTTP itself needs. Each request has a connection of its own."""
    try:
        connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value)
        connection.putheader("X-Answer", request.mode)
        connection.putheader("Connection", "close")
        if request.body or request.method in ("POST", "PUT"):
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        response = connection.getresponse()
        names = ("content-type", "cache-control")
        headers = {name: value for name in names for value in response.headers.get_all(name, [])}
        return Answer(response.status, response.read(), headers)
    finally:
        connection.close()


class Ours:
    """Our endpoints, served by uvicorn in a thread of this process as the product serves them."""

    def __init__(self, contracts: Sequence[Contract], port: int) -> None:
        self.port = port
        self._contracts = {contract.path.lower(): contract for contract in contracts}
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        config = uvicorn.Config(
            self,
            interface="asgi3",
            host="127.0.0.1",
            port=port,
            http="httptools",
            loop="uvloop",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="ours")
        self._thread.start()
        assert self._ready.wait(30), "our server does not start"

    def _serve(self) -> None:
        async def run() -> None:
            serving = asyncio.ensure_future(self._server.serve())
            while not self._server.started and not serving.done():
                await asyncio.sleep(0.01)
            self._ready.set()
            await serving

        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(run())

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mode = dict(scope["headers"]).get(b"x-answer", b"filled").decode()
        path = str(scope["path"]).lower()
        (contract,) = (contract for prefix, contract in self._contracts.items() if path.startswith(prefix))
        endpoint = self._endpoints.get((contract.name, mode))
        if endpoint is None:
            service = SampleService(contract, mode)
            endpoint = Endpoint(contract, service, Kept, max_body=MAX_BODY, threads=1)
            self._endpoints[contract.name, mode] = endpoint
        await endpoint(scope, receive, send)
