"""A client may offer another protocol with its request, as Java's HttpClient does on plain HTTP: it is passed over."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import LocalServed

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"
HEAD = (
    b"POST /api/v1/lists HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Authorization: Basic " + b64encode(b"demo:demo") + b"\r\n"
)


def request(name: str, *, chunked: bool, offer: bytes = OFFER) -> bytes:
    """A request that makes a list."""
    body = json.dumps({"name": name}).encode()
    if chunked:
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:5], body[5:])) + b"0\r\n\r\n"
        return HEAD + offer + b"Transfer-Encoding: chunked\r\n\r\n" + framed
    return HEAD + offer + b"Content-Length: %d\r\n\r\n" % len(body) + body


def made(served: LocalServed, pieces: list[bytes], number: int) -> list[str]:
    """The names in so many answers to what is sent by one connection; the last request is followed by the end."""
    port = int(served.base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answers = b""
        while answers.count(b"HTTP/1.1 201 ") < number or not answers.endswith(b"}"):
            more = connection.recv(65536)
            assert more, answers
            answers += more
    return [json.loads(b"{" + part.partition(b"{")[2])["name"] for part in answers.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
@pytest.mark.parametrize("way", ["at once", "head first", "byte by byte"])
def test_the_body_arrives(served: LocalServed, chunked: bool, way: str) -> None:
    name = f"{way} {chunked}"
    whole = request(name, chunked=chunked)
    head, _, body = whole.partition(b"\r\n\r\n")
    pieces = {
        "at once": [whole],
        "head first": [head + b"\r\n\r\n", body],
        "byte by byte": [whole[at : at + 1] for at in range(len(whole))],
    }
    assert made(served, pieces[way], 1) == [name]


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_the_connection_serves_further_requests(served: LocalServed, chunked: bool) -> None:
    """Also when they are sent ahead, with another offer or with none."""
    names = [f"{chunked} {number}" for number in range(4)]
    ahead = b"".join(
        request(name, chunked=chunked, offer=OFFER if at % 2 == 0 else b"") for at, name in enumerate(names)
    )
    assert made(served, [ahead], 4) == names


def test_a_request_without_a_body(served: LocalServed) -> None:
    get = HEAD.replace(b"POST", b"GET") + OFFER + b"\r\n"
    port = int(served.base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for _ in range(2):
            connection.sendall(get)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_malformed_body_is_refused(served: LocalServed) -> None:
    port = int(served.base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(HEAD + OFFER + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
