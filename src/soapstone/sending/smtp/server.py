"""The SMTP server that all sends of one worker share."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvloop

from soapstone.sending.smtp.connection import SmtpConnection
from soapstone.sending.smtp.rate_limits import Rates
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.url import SmtpAddress

# By how much a pause is longer or shorter than it should be, so that clients of a server do not come back together.
JITTER = 0.25


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
