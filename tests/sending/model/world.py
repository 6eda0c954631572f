"""A world with a time of its own: events, an event loop that jumps to the next of them, connections in memory.

Nothing waits and nothing runs at the same time as anything else, so the same seed gives the same story. Work that the
product gives to a thread runs as one piece at a moment that the seed chooses.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol, cast

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
# Seconds that bytes travel.
JOURNEY = 0.001
# Turns of the event loop at one moment, after which the program is taken for one that never waits.
MOST_TURNS = 20_000


class Killed(BaseException):
    """The process that works on the send is gone; nothing of it may write any more."""


class Fault(AssertionError):
    """The send did what no send may do."""


class World:
    """Time, what happens in it, and a record of what happened.

    `random` decides whatever happens by chance while the send runs. A point is a moment at which something of the send
    has just come to its end: a command that the server read, or a transaction.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.time = 0.0
        self.lines: list[tuple[float, str]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._points = 0
        self._at_points: dict[int, list[Callable[[], None]]] = {}

    def now(self) -> datetime:
        """Return the current instant, as the product sees it."""
        return BEGIN + timedelta(seconds=self.time)

    def seconds(self) -> float:
        """Return the time in seconds, as a clock for limits."""
        return self.time

    def note(self, line: str) -> None:
        """Put a line into the record."""
        self.lines.append((self.time, line))

    def at(self, moment: float, happen: Callable[[], None]) -> None:
        """Let something happen at a moment, or at once when that is past."""
        self._count += 1
        heapq.heappush(self._events, (max(moment, self.time), self._count, happen))

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        self.at(self.time + seconds, happen)

    def at_point(self, number: int, happen: Callable[[], None]) -> None:
        """Let something happen at a point; points are counted from 1."""
        self._at_points.setdefault(number, []).append(happen)

    def point(self) -> None:
        """Say that a point is reached."""
        self._points += 1
        for happen in self._at_points.pop(self._points, ()):
            happen()

    @property
    def next(self) -> float | None:
        """The moment of the next event."""
        return self._events[0][0] if self._events else None

    def step(self, until: float) -> bool:
        """Run the next event and move time there, or move it to `until` when that comes first: then False."""
        if self._events and self._events[0][0] <= until:
            moment, _, happen = heapq.heappop(self._events)
            self.time = max(self.time, moment)
            happen()
            return True
        self.time = max(self.time, until)
        return False

    def pass_to(self, moment: float) -> None:
        """Let time pass, and everything happen, up to a moment."""
        while self.step(moment):
            pass

    def story(self) -> str:
        """Return the record as text."""
        return "\n".join(f"{moment:11.4f}  {line}" for moment, line in self.lines)


class Process:
    """The process of a worker. `alive` ends with a kill; `stopping` is what it is told when it shall end by itself."""

    def __init__(self) -> None:
        self.alive = True
        self.stopping = False


class Dialer(Protocol):
    """Whom an event loop connects to."""

    async def dial(self, loop: VirtualLoop, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Connect the protocol; raise OSError when that cannot be."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose time is that of the world: it never waits, it jumps.

    When its process was killed, it raises Killed once. What is cleaned up afterwards sees a clock of its own, and
    reaches neither the database nor the server. `faults` gets what no task caught.
    """

    def __init__(self, world: World, process: Process, dialer: Dialer, faults: list[str]) -> None:
        super().__init__()
        self._world = world
        self._process = process
        self._dialer = dialer
        # Seconds that the clean-up after a kill has taken; the world does not see them.
        self._beyond = 0.0
        self._mourned = False
        self._turns = 0
        self._turned_at = -1.0
        # BaseEventLoop asks it for what came in; here time comes in.
        self._selector = self
        self._faults = faults

    @property
    def alive(self) -> bool:
        """Whether its process is."""
        return self._process.alive

    def time(self) -> float:
        return self._world.time + self._beyond

    def select(self, timeout: float | None) -> list[Any]:
        """Let the next thing happen, at most `timeout` seconds from now."""
        self._count_turn()
        if timeout == 0:
            return []
        if not self._process.alive:
            if timeout is None:
                raise Fault("the process waits for ever after it was killed")
            self._beyond += timeout
            return []
        if timeout is None and self._world.next is None:
            raise Fault("the send waits for something that never comes")
        self._world.step(self._world.time + timeout if timeout is not None else float(self._world.next or 0))
        self._mourn()
        return []

    def _count_turn(self) -> None:
        if self.time() != self._turned_at:
            self._turned_at, self._turns = self.time(), 0
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise Fault("the send is busy without end at one moment")

    def _mourn(self) -> None:
        if not self._process.alive and not self._mourned:
            self._mourned = True
            raise Killed

    def _run_once(self) -> None:
        self._mourn()
        super()._run_once()  # type: ignore[misc]

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: no event comes from outside."""

    def _write_to_self(self) -> None:
        """Do nothing: nobody wakes it from another thread."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run it as one piece, a little later; its end is seen a little later still."""
        future = self.create_future()
        if not self._process.alive:
            raise Killed
        chance = self._world.random

        def begin() -> None:
            if not self._process.alive:
                return
            try:
                outcome, error = func(*args), None
            except Killed:
                return
            except BaseException as raised:
                outcome, error = None, raised
            self._world.after(_work_time(chance), lambda: self._settle(future, outcome, error))

        self._world.after(_work_time(chance), begin)
        return future

    def _settle(self, future: asyncio.Future[Any], outcome: Any, error: BaseException | None) -> None:
        if not self._process.alive or future.done():
            return
        if error is None:
            future.set_result(outcome)
        else:
            future.set_exception(error)

    async def create_connection(self, protocol_factory: Any, *_: Any, **__: Any) -> Any:
        """Connect to the server of the world, whatever the address."""
        if not self._process.alive:
            raise ConnectionError("the process is gone")
        protocol = protocol_factory()
        transport = await self._dialer.dial(self, cast("asyncio.Protocol", protocol))
        return transport, protocol

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what a task did not catch; after a kill there is nobody to tell it."""
        if self._process.alive:
            self._faults.append(f"{context.get('message')}: {context.get('exception')!r}")


def _work_time(chance: Random) -> float:
    """Half the seconds that a transaction takes: mostly little, now and then much."""
    return chance.choice((0.0, 0.0005, 0.002)) if chance.random() < 0.95 else chance.uniform(0.01, 0.4)


class Line(asyncio.Transport):
    """The client's end of a connection. `hear` gets what it says, with the moment; `leave` is told of its end."""

    def __init__(
        self,
        loop: VirtualLoop,
        protocol: asyncio.Protocol,
        world: World,
        hear: Callable[[bytes, float], None],
        leave: Callable[[], None],
    ) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: asyncio.Protocol = protocol
        self._world = world
        self._hear = hear
        self._leave = leave
        self._closed = False

    # --- the client's side ------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closed or not self._loop.alive:
            return
        heard, moment = bytes(data), self._world.time
        self._world.after(JOURNEY, lambda: self._hear(heard, moment))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._loop.alive:
                self._world.after(JOURNEY, self._leave)
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closed or not self._loop.alive

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    # --- the server's side ------------------------------------------------------------------------------------------

    def send(self, data: bytes, delivered: Callable[[], None]) -> None:
        """Let the client read something; `delivered` is called when it has."""

        def read() -> None:
            if not self._closed and self._loop.alive:
                delivered()
                self._protocol.data_received(data)

        self._world.after(JOURNEY, lambda: self._soon(read))

    def hang_up(self, error: Exception | None) -> None:
        """End the connection from the server's side, by a reset where there is an error."""

        def lose() -> None:
            if self._closed or not self._loop.alive:
                return
            if error is None:
                self._protocol.eof_received()
            self._closed = True
            self._protocol.connection_lost(error)

        self._world.after(JOURNEY, lambda: self._soon(lose))

    def _soon(self, act: Callable[[], None]) -> None:
        if self._loop.alive and not self._loop.is_closed():
            self._loop.call_soon(act)
