"""How many connections a server serves at once, and what the others are told."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import LocalServed, locally_served

from soapstone.connection_limits import SURPLUS, ConnectionLimits

MOST = 10
ASK = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


def admitted(limits: ConnectionLimits, *peers: str) -> list[bool]:
    return [limits.admit(peer) for peer in peers]


def test_of_one_address() -> None:
    limits = ConnectionLimits(100, 2, ["198.51.100.0/24"])
    assert admitted(limits, *["192.0.2.1"] * 3, "192.0.2.2") == [True, True, False, True]
    limits.release("192.0.2.1")
    assert admitted(limits, *["192.0.2.1"] * 2) == [True, False]
    # An address of IPv4 within one of IPv6 is the same address.
    assert admitted(limits, "::ffff:192.0.2.1") == [False]
    for free in ("127.0.0.1", "127.9.9.9", "::1", "198.51.100.7", "::ffff:198.51.100.7", ""):
        assert admitted(limits, *[free] * 5) == [True] * 5


def test_an_ipv6_network_counts_as_one_address() -> None:
    limits = ConnectionLimits(100, 2)
    assert admitted(limits, "2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:9::") == [True, True, False]
    assert admitted(limits, "2001:db8:0:1::1") == [True]
    limits.release("2001:db8::1")
    assert admitted(limits, "2001:db8::5") == [True]


def test_of_all() -> None:
    limits = ConnectionLimits(3, 2)
    assert admitted(limits, "127.0.0.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1") == [True] * 3 + [False] * 2
    limits.release("192.0.2.2")
    # What was not admitted was not counted.
    assert admitted(limits, "192.0.2.3") == [True]


def test_behind_a_proxy_the_client_counts() -> None:
    """Its requests under way, by the address that the proxy names."""
    waiting: list[asyncio.Future[None]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            waiting.append(asyncio.get_running_loop().create_future())
            await waiting[-1]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(limited: Any, path: str, client: str, peer: str = "127.0.0.1") -> int:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"x-forwarded-for", client.encode())] if client else []
        scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "client": (peer, 1)}
        await limited(scope, receive, send)
        if sent[0]["status"] == 503:
            assert {(b"retry-after", b"5"), (b"connection", b"close")} <= set(sent[0]["headers"])
        return int(sent[0]["status"])

    async def scenario() -> None:
        limited = ConnectionLimits(100, 2, ["127.0.0.1"]).per_client(app)
        slow = [asyncio.ensure_future(ask(limited, "/slow", "192.0.2.1")) for _ in range(2)]
        while len(waiting) < 2:
            await asyncio.sleep(0)
        assert await ask(limited, "/", "192.0.2.1") == 503
        assert await ask(limited, "/healthz", "192.0.2.1") == 200
        assert await ask(limited, "/", "192.0.2.2") == 200
        # Nobody else is believed, and the proxy's own requests are not counted.
        assert await ask(limited, "/", "192.0.2.1", peer="192.0.2.9") == 200
        assert await ask(limited, "/", "") == 200
        for each in waiting:
            each.set_result(None)
        assert await asyncio.gather(*slow) == [200, 200]
        assert await ask(limited, "/", "192.0.2.1") == 200

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, demo_records: Path) -> Iterator[LocalServed]:
    with locally_served(tmp_path_factory.mktemp("served") / "data", demo_records, max_connections=MOST) as running:
        yield running


def test_beyond_the_limit(served: Any) -> None:
    """503 and the end; a health check is answered all the same. When others go, the next one is served."""
    port = int(served.base.rpartition(":")[2])

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout=20)

    def ask(connection: socket.socket, path: bytes = b"/readyz") -> bytes:
        connection.sendall(ASK % path)
        return read(connection)

    with ExitStack() as held:
        first = [held.enter_context(connect()) for _ in range(MOST)]
        assert [ask(each)[:12] for each in first] == [b"HTTP/1.1 200"] * MOST
        for each in first:
            each.sendall(b"GET /readyz HTTP/1.1\r\n")
        with connect() as more:
            answer = ask(more)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 5\r\n" in answer.lower()
            assert b"\r\nconnection: close\r\n" in answer.lower()
            assert more.recv(1) == b""
        # Others that say nothing do not keep a health check out.
        for _ in range(3 * SURPLUS):
            held.enter_context(connect())
        with connect() as health:
            assert ask(health, b"/healthz").endswith(b"\r\n\r\nok\n")
            assert health.recv(1) == b""
        # Those that made room have their answer, too.
        first[0].sendall(b"Host: x\r\n\r\n")
        assert read(first[0]).startswith(b"HTTP/1.1 200 ")
        first[0].close()
        end = time.monotonic() + 20
        while True:
            with connect() as late:
                if ask(late).startswith(b"HTTP/1.1 200 "):
                    break
            assert time.monotonic() < end


def test_requests_that_do_not_wait_for_answers(served: Any) -> None:
    """A client may send some requests ahead, and not thousands."""
    port = int(served.base.rpartition(":")[2])
    for times, whole in ((10, True), (5000, False)):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(
                ASK % b"/readyz" * (times - 1) + ASK.replace(b"Host: x", b"Connection: close") % b"/readyz"
            )
            answers = b""
            try:
                while more := connection.recv(65536):
                    answers += more
            except ConnectionResetError:
                pass
        assert (answers.count(b"HTTP/1.1 200 ") == times) == whole
        assert answers.count(b"HTTP/1.1 200 ") <= 20


def read(connection: socket.socket) -> bytes:
    """One answer with its Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        data = connection.recv(65536)
        body += data
    return head + b"\r\n\r\n" + body
