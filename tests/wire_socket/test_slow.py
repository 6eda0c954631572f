"""Senders and readers that stand still lose their connection, and no other does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

PATIENCE = 1


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, server_class: Any) -> Iterator[Any]:
    """A server that waits for so many seconds only."""
    running = server_class(tmp_path_factory.mktemp("served") / "data", client_timeout_seconds=str(PATIENCE))
    yield running
    running.stop()


@pytest.mark.parametrize("sent", [0, 1, 30, -1, -40])
def test_a_request_that_stands_still(wire: Any, sent: int) -> None:
    """In its head, its body, or before it began: 408 and the end."""
    request = wire.cases.http(wire.cases.MM_PATH, wire.cases.details(), action=wire.cases.ACTION)
    began = time.monotonic()
    with wire.connect() as connection:
        connection.sendall(request[:sent])
        wire.is_well()
        reply = wire.read(connection)
        assert (reply.status, reply.body) == ("408 Request Timeout", b"")
        assert connection.recv(1) == b""
    assert PATIENCE * 0.9 < time.monotonic() - began < 20
    wire.is_well()


def test_a_file_that_stands_still_is_not_kept(wire: Any) -> None:
    request = wire.cases.http(wire.cases.MM_PATH, wire.upload("x" * 3_000_000))
    blobs = wire.served.data / "blobs"
    with wire.connect() as connection:
        connection.sendall(request[:-100])
        until(lambda: any(blobs.glob("*.partial")))
        assert wire.read(connection).status == "408 Request Timeout"
    until(lambda: not any(blobs.glob("*.partial")))
    wire.is_well()


def test_xml_over_http_that_stands_still(wire: Any) -> None:
    with wire.connect() as connection:
        connection.sendall(wire.cases.http("/xml/SendToFile", "<SendToFile>" * 3, content_type="text/xml")[:-5])
        assert wire.read(connection).status == "408 Request Timeout"
    wire.is_well()


def test_a_head_that_comes_slowly(wire: Any) -> None:
    """However steady it is: the head has its time as a whole."""
    request = wire.cases.http(wire.cases.MM_PATH, method="GET", extra=("X-More: " + "x" * 2000,))
    assert until_closed(wire, request, 20, PATIENCE / 4) == "408 Request Timeout"


def test_a_body_that_comes_slowly(wire: Any) -> None:
    """A few bytes now and then are not enough."""
    request = wire.cases.http(wire.cases.MM_PATH, wire.upload("x" * 20_000))
    head, gap, body = request.partition(b"\r\n\r\n")
    assert until_closed(wire, body, 20, PATIENCE / 4, first=head + gap) == "408 Request Timeout"


def test_a_large_file_that_comes_steadily(wire: Any) -> None:
    """So much a second that it is no attack, though all of it takes many times as long as anything may stand still."""
    request = wire.cases.http(wire.cases.MM_PATH, wire.upload("x" * 12_000))
    head, gap, body = request.partition(b"\r\n\r\n")
    assert until_closed(wire, body, 1500, PATIENCE / 2, first=head + gap) == "200 OK"


def test_a_body_that_goes_on_after_the_answer(wire: Any) -> None:
    """The answer does not wait for the body of a request that needs none; the connection ends, without another one."""
    with wire.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nxxx")
        assert wire.read(connection).status == "200 OK"
        assert connection.recv(1000) == b""


def test_stray_line_ends_keep_no_connection(wire: Any) -> None:
    with wire.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read(connection).status == "200 OK"
        connection.sendall(b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
        assert connection.recv(1000) == b""


def test_an_answer_that_is_not_taken(wire: Any) -> None:
    """Many requests in a row, of which no answer is read: the server waits for the client, and then no longer."""
    page = wire.cases.http(f"{wire.cases.LK_PATH}?WSDL", method="GET").replace(b"Connection: close", b"Accept: x")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", wire.port))
        connection.settimeout(20)
        began = time.monotonic()
        while True:
            try:
                connection.sendall(page)
            except (BrokenPipeError, ConnectionResetError):
                break
            # Not more of them at once than a client may send ahead.
            time.sleep(0.01)
    assert time.monotonic() - began < 20
    wire.is_well()


def until_closed(wire: Any, data: bytes, step: int, pause: float, *, first: bytes = b"") -> str:
    """Send in steps, with a pause after each, until there is an answer; its status."""
    with wire.connect() as connection:
        connection.sendall(first)
        connection.settimeout(pause)
        for at in range(0, len(data), step):
            try:
                connection.sendall(data[at : at + step])
                if connection.recv(1, socket.MSG_PEEK) is not None:
                    break
            except TimeoutError:
                continue
        connection.settimeout(20)
        return str(wire.read(connection).status)


def until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
