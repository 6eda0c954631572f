"""The SMTP server, shared by all sends of one worker."""

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

# Relative jitter of pauses, so that the clients of a server do not return all at once.
JITTER = 0.25


class SmtpServer:
    """The server shared by all sends of one worker, which divide its connections and share its limits.

    `timeout` is in seconds: see SmtpConnection. `chance` and `loop_factory` let tests fix the jitter and use a
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
        """The number of connections that one send may have now."""
        return max(1, self._connections // max(1, self._sends))

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Count a send as using the server."""
        with self._lock:
            self._sends += 1
        try:
            yield
        finally:
            with self._lock:
                self._sends -= 1

    def connection(self) -> SmtpConnection:
        """Return a new connection, not yet opened."""
        return SmtpConnection(self.address, timeout=self._timeout, local_hostname=self._local_hostname)

    def jittered(self, pause: float) -> float:
        """Return a slightly longer or shorter pause, in the same unit."""
        return pause * self._chance.uniform(1 - JITTER, 1 + JITTER)
