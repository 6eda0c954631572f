"""The bounded queue between the proxy and our half, a process of its own that may fail, be slow, or be killed."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence

from soapstone.shadow.exchange import Exchange, frame

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""Calls that wait for our half; a further one is dropped, and counted."""
MOST_BYTES = 64 << 20
"""Bytes of all of them."""
STOP_SECONDS = 10.0
"""How long our half may take, at the end, for what still waits."""
_PAUSES = (1, 5, 30, 60)
"""Seconds before our half is started again; the last one repeats."""


class Feed:
    """Hands calls to our half. All methods are called on one event loop, and none of them waits but `stop`.

    `command` starts our half, which reads frames from its standard input until that ends.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._waiting: deque[tuple[Exchange, list[str]]] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self.skipped: Counter[str] = Counter()
        """Calls that our half does not get, by reason."""
        self.passed = 0
        self.pid: int | None = None
        """The process of our half; None while there is none."""

    def start(self) -> None:
        """Start our half."""
        self._task = asyncio.create_task(self._run())

    def put(self, exchange: Exchange, encodings: list[str]) -> None:
        """Take a call; `encodings` are those of its two bodies."""
        size = len(exchange.request) + len(exchange.answer)
        if len(self._waiting) >= MOST_WAITING or self._bytes + size > MOST_BYTES:
            self.skip("dropped")
            return
        self.passed += 1
        self._bytes += size
        self._waiting.append((exchange, encodings))
        self._more.set()

    def skip(self, reason: str) -> None:
        """Count a call that our half does not get."""
        self.passed += 1
        self.skipped[reason] += 1

    @property
    def waiting(self) -> int:
        """Number of calls that wait."""
        return len(self._waiting)

    async def stop(self) -> None:
        """Let our half finish what waits, within `STOP_SECONDS`; then it is ended."""
        self._ending = True
        self._more.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if not done:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        while not (self._ending and not self._waiting):
            before = self.waiting
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
                )
            except OSError:
                log.exception("our half cannot be started")
            else:
                self.pid = process.pid
                counting = asyncio.ensure_future(_played(process))
                try:
                    handed = await self._hand_over(process)
                except asyncio.CancelledError:
                    process.kill()
                    raise
                finally:
                    self.pid = None
                    await _end(process)
                # What was in the pipe, or at work, when it ended.
                self.skipped["dropped"] += handed - await counting
                failures = 0 if handed else failures
                if not self._ending:
                    log.warning("our half has ended with code %s, and is started again", process.returncode)
            if self._ending:
                # What it did not take is lost with it.
                self.skipped["dropped"] += len(self._waiting)
                return
            pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
            failures += 1
            log.info("%d calls wait", before)
            await self._ended_within(pause)

    async def _ended_within(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            if self._ending:
                return
            await asyncio.sleep(0.1)

    async def _hand_over(self, process: asyncio.subprocess.Process) -> int:
        """Write calls until the process or this server ends; return how many."""
        pipe, handed = process.stdin, 0
        assert pipe is not None  # noqa: S101 - asked for
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                if not self._waiting:
                    if self._ending:
                        return handed
                    self._more.clear()
                    waiting = asyncio.ensure_future(self._more.wait())
                    await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    continue
                exchange, encodings = self._waiting.popleft()
                self._bytes -= len(exchange.request) + len(exchange.answer)
                try:
                    pipe.write(frame(exchange, encodings=encodings, skipped=dict(self.skipped)))
                    await pipe.drain()
                    handed += 1
                except OSError:
                    self.skipped["dropped"] += 1
                    await ended
            return handed
        finally:
            ended.cancel()


async def _played(process: asyncio.subprocess.Process) -> int:
    """Return, at the end of our half, how many calls it has played: it writes a byte for each."""
    played, pipe = 0, process.stdout
    while pipe is not None and (told := await pipe.read(4096)):
        played += len(told)
    return played


async def _end(process: asyncio.subprocess.Process) -> None:
    """End our half: the end of its input lets it finish; a kill follows when the server cannot wait."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
