"""What a turn of the event loop knows of the records is never older than the requests that it brought."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from itertools import count

import pytest
import uvloop

from soapstone.wire.shortcut import Turn

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("new_loop", LOOPS)
def test_it_is_read_once_for_a_turn(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    versions = count()
    turn = Turn(lambda: next(versions))

    async def ask() -> list[Hashable]:
        seen = [turn.token(), turn.token()]
        await asyncio.sleep(0)
        return [*seen, turn.token(), turn.token()]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(ask()) == [0, 0, 1, 1]


def test_another_loop_reads_it_again() -> None:
    """The first one was stopped within the turn."""
    versions = count()
    turn = Turn(lambda: next(versions))

    async def ask() -> Hashable:
        return turn.token()

    assert [asyncio.run(ask()) for _ in range(3)] == [0, 1, 2]


class Asked(asyncio.Protocol):
    """Answers each byte with the token."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(f"{self._turn.token()}\n".encode())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_who_saw_a_change_is_answered_by_it(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Clients change the records in turn, each after an answer, while others keep the loop busy."""
    version, lock, reads = 0, threading.Lock(), count()

    def read() -> int:
        next(reads)
        return version

    def ask(client: socket.socket) -> int:
        client.sendall(b"?")
        return int(client.recv(100))

    def change_and_ask(client: socket.socket) -> None:
        nonlocal version
        for _ in range(500):
            with lock:
                version += 1
                least = version
            assert least <= ask(client) <= version

    async def serve() -> None:
        turn = Turn(read)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Asked(turn), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(8)]
            await asyncio.gather(*(asyncio.to_thread(change_and_ask, client) for client in clients))
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
    assert version == 4000
    assert next(reads) <= 4000
