"""Load on a server of this machine: raw HTTP/1.1 on kept connections, from bytes that cost nothing to make.

Shared by the benches. The generator runs in the bench's own process; `busy` tells whether it was the limit itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

Make = Callable[[int], bytes]
"""Gives the request with that number, head and body."""

# A request that has no answer after so many seconds ends the run.
PATIENCE = 60.0
# Of one steady stream.
MOST_CONNECTIONS = 64


def request(path: str, body: bytes, headers: dict[str, str], *, host: str = "127.0.0.1") -> bytes:
    """One POST with its body."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def same(data: bytes) -> Make:
    """The same request every time."""
    return lambda _: data


def numbered(data: bytes, mark: bytes) -> Make:
    """A request that differs every time: `mark` stands once in it and is replaced by a number of the same length."""
    before, after = data.split(mark)
    width = len(mark)
    return lambda n: before + b"%0*d" % (width, n) + after


@dataclass
class Load:
    """What came of a load: seconds of each answer, and of the whole; `busy` is the generator's share of its core."""

    seconds: float = 0.0
    busy: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency, in seconds, that this share of the answers did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class WrongAnswer(Exception):
    """An answer that is no success, or none at all."""


class _Connection(asyncio.Protocol):
    """One kept connection with one request on the way at a time; `lost` is told of its end."""

    def __init__(
        self,
        done: Callable[[_Connection], None],
        failed: Callable[[Exception], None],
        lost: Callable[[_Connection], None],
    ) -> None:
        self._done = done
        self._failed = failed
        self._lost = lost
        self._received = b""
        self._usual = -1
        self._transport: asyncio.Transport | None = None
        self.since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of it.
        self._transport = cast(asyncio.Transport, transport)

    def send(self, data: bytes, since: float) -> None:
        self.since = since
        assert self._transport is not None
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        if len(received) != self._usual:
            # Not as long as the last answer: look where it ends, and wait for the rest.
            if not _complete(received):
                return
            self._usual = len(received)
        if received[9:12] not in (b"200", b"302"):
            self._failed(WrongAnswer(received[:500].decode("latin-1")))
            return
        self._received = b""
        self._done(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _complete(received: bytes) -> bool:
    """Whether this is a whole answer: as long as it says, or with the last chunk at its end."""
    head, gap, body = received.partition(b"\r\n\r\n")
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return bool(gap) and body.endswith(b"\r\n0\r\n\r\n")
    return bool(gap) and len(body) >= int(lower[at + 17 :].partition(b"\r\n")[0])


class _Run:
    """What both kinds of load share: connections, and the end by a failure."""

    def __init__(self, port: int, done: Callable[[_Connection], None]) -> None:
        self.load = Load()
        self.over = asyncio.get_running_loop().create_future()
        self.connections: list[_Connection] = []
        self._port = port
        self._done = done

    async def connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(
            lambda: _Connection(self._done, self.fail, self.lost), "127.0.0.1", self._port
        )
        self.connections.append(made)
        return made

    def fail(self, error: Exception) -> None:
        if not self.over.done():
            self.over.set_exception(error)

    def lost(self, connection: _Connection) -> None:
        self.fail(WrongAnswer("the server closed a connection that waits for an answer"))

    def close(self) -> None:
        if not self.over.done():
            self.over.cancel()
        for connection in self.connections:
            connection.close()


def full(port: int, make: Make, *, connections: int, seconds: float, warm_up: float = 0.5) -> Load:
    """As much as the server takes: every connection sends its next request when it has its answer."""

    async def run() -> Load:
        sent = 0
        measuring = False

        def next_one(connection: _Connection) -> None:
            nonlocal sent
            now = time.perf_counter()
            if measuring:
                running.load.latencies.append(now - connection.since)
            sent += 1
            connection.send(make(sent), now)

        running = _Run(port, next_one)
        try:
            for _ in range(connections):
                await running.connect()
            for connection in running.connections:
                sent += 1
                connection.send(make(sent), time.perf_counter())
            await _while(running.over, warm_up)
            began, worked, measuring = time.perf_counter(), time.process_time(), True
            await _while(running.over, seconds)
            measuring = False
            running.load.seconds = time.perf_counter() - began
            running.load.busy = (time.process_time() - worked) / running.load.seconds
            return running.load
        finally:
            running.close()

    return uvloop.run(run())


@dataclass(frozen=True)
class Stream:
    """Requests at a steady rate a second."""

    make: Make
    rate: float


class _Steady(_Run):
    """One stream. It connects when a request is due and no connection is free; the server may close idle ones."""

    def __init__(self, port: int, stream: Stream) -> None:
        super().__init__(port, self._answered)
        self._stream = stream
        self._free: list[_Connection] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._connecting: set[asyncio.Task[None]] = set()

    async def run(self, going: Callable[[float], bool]) -> Load:
        began, sent = time.perf_counter(), 0
        while going(time.perf_counter() - began):
            due = began + sent / self._stream.rate
            await _while(self.over, due - time.perf_counter())
            sent += 1
            self._send(self._stream.make(sent), due)
        last = time.perf_counter()
        while len(self.load.latencies) < sent:
            if time.perf_counter() - last > PATIENCE:
                raise WrongAnswer(f"{sent - len(self.load.latencies)} requests were never answered")
            await _while(self.over, 0.01)
        self.load.seconds = time.perf_counter() - began
        return self.load

    def lost(self, connection: _Connection) -> None:
        self.connections.remove(connection)
        if connection in self._free:
            self._free.remove(connection)
        else:
            super().lost(connection)

    def _send(self, data: bytes, due: float) -> None:
        if self._free:
            self._free.pop().send(data, due)
            return
        self._waiting.append((data, due))
        if len(self.connections) + len(self._connecting) < MOST_CONNECTIONS:
            task = asyncio.create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        try:
            self._next(await self.connect())
        except OSError as error:
            self.fail(error)

    def _answered(self, connection: _Connection) -> None:
        self.load.latencies.append(time.perf_counter() - connection.since)
        self._next(connection)

    def _next(self, connection: _Connection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._free.append(connection)


def steady(port: int, streams: Sequence[Stream], *, going: Callable[[float], bool]) -> list[Load]:
    """Several streams at once, each at its rate whatever the answers do, while `going(seconds)` holds.

    A latency counts from when the request was due, so that a server that stands still is charged for all that came
    meanwhile. One load for each stream; each has its own connections.
    """

    async def run() -> list[Load]:
        running = [_Steady(port, stream) for stream in streams]
        try:
            return list(await asyncio.gather(*(each.run(going) for each in running)))
        finally:
            for each in running:
                each.close()

    return uvloop.run(run())


async def _while(over: asyncio.Future[None], seconds: float) -> None:
    """Let the load go on for some time. Raises what ended it early."""
    if seconds > 0:
        await asyncio.wait([over], timeout=seconds)
    if over.done():
        over.result()
