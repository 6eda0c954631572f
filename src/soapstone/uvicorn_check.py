"""A self-test at startup: checks that this uvicorn has the internals that `Connection` relies on."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from soapstone.connection import Connection
from soapstone.connection_limits import ConnectionLimits
from soapstone.errors import SoapstoneError

_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n"
_OFFER = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbody"
_PIECE = b"x" * 100_000


def check_uvicorn() -> None:
    """Serve a few requests without a network. Raises SoapstoneError if a limit does not hold."""
    try:
        asyncio.run(_rehearse())
    except Exception as trouble:
        raise SoapstoneError(
            f"This server does not know how uvicorn {version('uvicorn')} works inside ({trouble or type(trouble)}). "
            "Its bounds on connections would not hold. Install the version of uvicorn that it was released with."
        ) from trouble


class _Transport(asyncio.Transport):
    """A transport that keeps written bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.unsent = 0

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def _echo_size(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def _connect(*, timeout: float = 60, most: int = 1) -> tuple[Connection, _Transport]:
    config = uvicorn.Config(
        _echo_size, http=Connection, ws="none", log_config=None, access_log=False, proxy_headers=False
    )
    config.load()
    limits, transport = ConnectionLimits(most, most), _Transport()
    connection = Connection(config, ServerState(), {}, limits=limits, timeout=timeout)
    connection.connection_made(transport)
    return connection, transport


def _expect(right: bool, what: str) -> None:
    if not right:
        raise ValueError(what)


async def _rehearse() -> None:
    connection, transport = _connect()
    connection.data_received(_HEAD)
    _expect(connection.sending == "head", "the head of a request")
    connection.data_received(b"\r\n" + _PIECE)
    _expect(connection.sending == "body", "the body of a request")
    _expect(connection.flow.read_paused, "a body that is not read")
    await asyncio.sleep(0)
    _expect(not connection.flow.read_paused, "a body that is read")
    connection.data_received(_PIECE)
    _expect(connection.sending == "", "the end of a request")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    _expect(transport.written.endswith(b"\r\n\r\n200000") and connection.cycle.response_complete, "an answer")
    _expect(connection.timeout_keep_alive_task is not None, "an idle connection")
    connection.connection_lost(None)

    connection, transport = _connect()
    connection.data_received(_OFFER)
    for _ in range(3):
        await asyncio.sleep(0)
    _expect(transport.written.endswith(b"\r\n\r\n4"), "a body behind an offer of another protocol")
    connection.connection_lost(None)

    connection, transport = _connect(timeout=-1)
    connection.check()
    _expect(transport.written.startswith(b"HTTP/1.1 408 ") and transport.closed, "a slow head")
    connection.connection_lost(None)

    connection, transport = _connect(timeout=-1)
    connection.data_received(_HEAD + b"\r\n")
    await asyncio.sleep(0)
    connection.check()
    _expect(transport.written.startswith(b"HTTP/1.1 408 ") and transport.closed, "a slow body")
    connection.connection_lost(None)
    await asyncio.sleep(0)

    connection, transport = _connect(most=0)
    connection.data_received(_HEAD + b"\r\n")
    for _ in range(3):
        await asyncio.sleep(0)
    connection.data_received(_PIECE)
    for _ in range(3):
        await asyncio.sleep(0)
    _expect(transport.written.startswith(b"HTTP/1.1 503 ") and transport.closed, "too many connections")
    connection.connection_lost(None)
