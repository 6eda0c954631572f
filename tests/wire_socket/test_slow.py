"""Senders that stand still lose their connection, and nobody else does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

PATIENCE = 1


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, server_class: Any) -> Iterator[Any]:
    """A server that waits for so many seconds only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOAPSTONE_IDLE_SECONDS", str(PATIENCE))
        running = server_class(tmp_path_factory.mktemp("served") / "data")
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


def test_slow_but_steady_is_fine(wire: Any) -> None:
    request = wire.cases.http(wire.cases.MM_PATH, wire.cases.details(), action=wire.cases.ACTION)
    with wire.connect() as connection:
        step = len(request) // 8
        for at in range(0, len(request), step):
            connection.sendall(request[at : at + step])
            # The point is to be slow.
            time.sleep(PATIENCE / 4)
        assert wire.read(connection).status == "200 OK"


def until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
