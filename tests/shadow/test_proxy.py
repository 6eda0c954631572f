"""What a client sees of a live service that is slow, fails, or breaks off; and that nothing of an answer changes."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.shadow.conftest import Client, shadowing, wait_for

from soapstone.errors import InvalidError
from soapstone.shadow.upstream import Address

BODY = b"<a>" + b"x" * 100_000 + b"</a>"
HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: Old/1.0\r\nDate: Mon, 01 Jan 2007 00:00:00 GMT\r\n"
    b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
)


def read_request(connection: socket.socket) -> bytes:
    """One request, whole, if it has a length or chunks."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
    elif b"content-length:" in lower:
        length = int(lower.partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def scripted(answer: Callable[[socket.socket, bytes], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads requests, and answers each by the script: its URL and all requests."""
    requests: list[bytes] = []
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            # Scripts close connections.
            with connection, suppress(OSError):
                while request := read_request(connection):
                    requests.append(request)
                    answer(connection, request)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", requests
        server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


_asking: list[http.client.HTTPConnection] = []


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Most of these calls are not compared, and nobody waits for that.
    monkeypatch.setattr("soapstone.shadow.feed.STOP_SECONDS", 0.2)
    yield
    while _asking:
        _asking.pop().close()


def ask(
    base: str, method: str = "POST", body: bytes | None = BODY, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    _asking.append(connection)
    connection.request(method, "/v31/IntegrationService.asmx?a=%20b", body, headers or {})
    return connection.getresponse()


def test_nothing_of_an_answer_changes(folder: Path) -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY) + BODY)
        connection.close()

    with scripted(answer) as (live, requests), shadowing(live, folder) as shadow:
        response = ask(
            shadow.base, headers={"Expect": "100-continue", "X-Mine": "1", "Connection": "X-Hop", "X-Hop": "1"}
        )
        got = response.read()
    assert (response.status, got) == (200, BODY)
    assert [(name, value) for name, value in response.getheaders() if name != "connection"] == [
        ("server", "Old/1.0"),
        ("date", "Mon, 01 Jan 2007 00:00:00 GMT"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-length", str(len(BODY))),
    ]
    (request,) = requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == BODY
    assert head.startswith(b"POST /v31/IntegrationService.asmx?a=%20b HTTP/1.1\r\n")
    assert b"host: " + live.removeprefix("http://").encode() in head.lower()
    assert b"x-mine: 1" in head.lower()
    assert b"x-hop" not in head.lower()


def calls_and_connections(folder: Path, rest: bytes, head: bytes = b"") -> tuple[list[tuple[int, bytes]], int]:
    """What four calls get of a service that sends a rest behind each answer, and how many connections it sees.

    Each call begins when all has been sent to the one before.
    """
    seen: set[socket.socket] = set()
    sent: list[bytes] = []

    def answer(connection: socket.socket, _: bytes) -> None:
        seen.add(connection)
        connection.sendall(HEAD + head + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        if rest:
            time.sleep(0.05)
            connection.sendall(rest)
        sent.append(rest)

    with scripted(answer) as (live, _), shadowing(live, folder) as shadow:
        found = []
        for number in range(1, 5):
            response = ask(shadow.base)
            found.append((response.status, response.read()))
            wait_for(lambda: len(sent) == number, "nothing is sent")  # noqa: B023
    return found, len(seen)


def test_connections_to_the_live_service_are_kept(folder: Path) -> None:
    """Another one for each call would cost its client a handshake, and with TLS several."""
    assert calls_and_connections(folder, b"") == ([(200, BODY)] * 4, 1)


@pytest.mark.parametrize("rest", [b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", b"x"])
def test_what_follows_an_answer_is_no_answer_to_the_next_call(folder: Path, rest: bytes) -> None:
    assert calls_and_connections(folder, rest) == ([(200, BODY)] * 4, 4)


def test_a_connection_that_the_service_closes_is_not_kept(folder: Path) -> None:
    assert calls_and_connections(folder, b"", b"Connection: close\r\n") == ([(200, BODY)] * 4, 4)


@pytest.mark.parametrize(("told", "connections"), [(b"timeout=1, max=100", 4), (b"max=9, timeout=15", 1)])
def test_a_connection_is_kept_for_less_time_than_the_service_tells(folder: Path, told: bytes, connections: int) -> None:
    """A call that meets the end of the connection would fail, and the live service has not failed."""
    found = calls_and_connections(folder, b"", b"Keep-Alive: " + told + b"\r\n")
    assert found == ([(200, BODY)] * 4, connections)


@pytest.mark.parametrize("framing", ["chunked", "until the end"])
def test_answers_without_a_length(folder: Path, framing: str) -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        if framing == "chunked":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(BODY), 7000):
                piece = BODY[at : at + 7000]
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.sendall(HEAD + b"\r\n" + BODY)
            connection.shutdown(socket.SHUT_RDWR)

    with scripted(answer) as (live, requests), shadowing(live, folder) as shadow:
        assert [ask(shadow.base).read() for _ in range(3)] == [BODY] * 3
    assert len(requests) == 3


def test_a_chunked_request_goes_on_in_chunks(folder: Path) -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad")

    with scripted(answer) as (live, requests), shadowing(live, folder) as shadow:
        parts = urlsplit(shadow.base)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        _asking.append(connection)
        connection.request("POST", "/", iter([b"uno", b"tutto"]), encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, response.read()) == (500, b"bad")
        head = ask(shadow.base, "HEAD", None)
        assert (head.status, head.read(), head.getheader("Content-Length")) == (500, b"", "3")
    # The pieces may be cut anew. No letter of theirs is a digit of a chunk's size.
    body = requests[0].partition(b"\r\n\r\n")[2]
    assert re.sub(rb"[0-9a-f]+\r\n|\r\n", b"", body) == b"unotutto"


def test_a_closed_connection_is_closed_here_and_no_call_is_repeated(folder: Path) -> None:
    def close(connection: socket.socket, _: bytes) -> None:
        connection.close()

    refused = pytest.raises((http.client.RemoteDisconnected, ConnectionResetError))
    with scripted(close) as (live, requests), shadowing(live, folder) as shadow, refused:
        ask(shadow.base)
    assert len(requests) == 1


def test_a_truncated_answer_is_truncated_here(folder: Path) -> None:
    def cut(connection: socket.socket, _: bytes) -> None:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b"half")
        connection.shutdown(socket.SHUT_RDWR)

    with scripted(cut) as (live, _), shadowing(live, folder) as shadow:
        response = ask(shadow.base)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            response.read()
        assert shadow.feed.passed == 0


def test_a_live_service_that_is_not_there(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        live = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with shadowing(live, folder) as shadow:
        assert ask(shadow.base).status == 502


def test_a_slow_answer_comes_piece_by_piece(folder: Path) -> None:
    going = threading.Event()

    def slow(connection: socket.socket, _: bytes) -> None:
        connection.sendall(HEAD + b"Content-Length: 8\r\n\r\nhalf")
        assert going.wait(60)
        connection.sendall(b"half")

    with scripted(slow) as (live, _), shadowing(live, folder) as shadow:
        response = ask(shadow.base)
        assert response.read(4) == b"half"
        going.set()
        assert response.read() == b"half"


def test_a_client_that_goes_ends_the_call(folder: Path) -> None:
    begun, gone = threading.Event(), threading.Event()

    def wait(connection: socket.socket, _: bytes) -> None:
        begun.set()
        connection.settimeout(60)
        if connection.recv(1) == b"":
            gone.set()

    with scripted(wait) as (live, _), shadowing(live, folder) as shadow:
        parts = urlsplit(shadow.base)
        with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            assert begun.wait(60)
        assert gone.wait(60)


def test_answers_that_are_no_soap_are_counted(folder: Path) -> None:
    def page(connection: socket.socket, _: bytes) -> None:
        text = b"<html><body>Server Error"
        connection.sendall(
            b"HTTP/1.1 500 E\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(text) + text
        )

    with scripted(page) as (live, _), shadowing(live, folder) as shadow:
        assert Client(shadow.base).listrak("GetContactListCollection").endswith("Server Error")
        assert shadow.report(1)["skipped"] == {"the live service failed": 1}


@pytest.mark.parametrize(
    "url", ["live.example.com", "ftp://a.example", "https://a.example/path", "https://u:p@a", "https://"]
)
def test_only_urls_of_servers(url: str) -> None:
    with pytest.raises(InvalidError):
        Address.of(url)
    assert str(Address.of("https://a.example/")) == "https://a.example"
    assert str(Address.of("http://[::1]:81")) == "http://[::1]:81"
