"""The SMTP server that all sends of one worker share, and how mails are tried again there."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import uvloop

from soapstone.sending.smtp.connection import SmtpConnection
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.sending.smtp.url import SmtpAddress

# By how much a pause is longer or shorter than it should be, so that clients of a server do not come back together.
JITTER = 0.25


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How a mail is tried again: after `first`, after twice as long each further time, at most `longest`.

    It is given up when `limit` has passed since the first attempt.
    """

    first: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(hours=1)
    limit: timedelta = timedelta(hours=24)

    def delay(self, attempts: int) -> timedelta | None:
        """Return how long to wait after so many attempts; None when the mail is given up."""
        waited = sum((self._step(number) for number in range(1, attempts)), timedelta())
        return self._step(attempts) if waited < self.limit else None

    def _step(self, attempt: int) -> timedelta:
        longest = max(self.first, self.longest)
        return min(self.first * 2.0 ** min(attempt - 1, 30), longest)


class SmtpServer:
    """The server that all sends of one worker share: its connections are divided among them, its limits hold for all.

    `timeout` is in seconds: see SmtpConnection. `chance` and `loop_factory` are for tests that want no chance, and a
    clock of their own.
    """

    def __init__(
        self,
        address: SmtpAddress,
        *,
        connections: int = 8,
        rates: Rates | None = None,
        retries: Retries | None = None,
        timeout: float = 300.0,
        local_hostname: str | None = None,
        chance: random.Random | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
    ) -> None:
        self.address = address
        self.rates = rates or Rates(0, 0)
        self.retries = retries or Retries()
        self.loop_factory = loop_factory
        self._chance = chance or random.Random()  # noqa: S311 - pauses are no secret
        self._connections = connections
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._sends = 0
        self._lock = threading.Lock()

    @property
    def share(self) -> int:
        """How many connections one send may have now."""
        return max(1, self._connections // max(1, self._sends))

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Count a send as one that uses the server."""
        with self._lock:
            self._sends += 1
        try:
            yield
        finally:
            with self._lock:
                self._sends -= 1

    def connection(self) -> SmtpConnection:
        """Return a new connection, not opened."""
        return SmtpConnection(self.address, timeout=self._timeout, local_hostname=self._local_hostname)

    def jittered(self, pause: float) -> float:
        """Return a pause that is a little longer or shorter, in the same unit."""
        return pause * self._chance.uniform(1 - JITTER, 1 + JITTER)
