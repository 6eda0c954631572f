"""Rate limits of mails: in total and per domain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Bucket:
    """A token bucket: `rate` per second, bursts of at most one second's worth. Not thread-safe."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._most = max(1.0, rate)
        self._level = self._most
        self._at = clock()

    def wait(self) -> float:
        """Return the seconds until the next one may go; 0 if it may go now."""
        moment = self._clock()
        self._level = min(self._most, self._level + (moment - self._at) * self._rate)
        self._at = moment
        return 0.0 if self._level >= 1.0 else (1.0 - self._level) / self._rate

    def take(self) -> None:
        """Take one, after `wait` returned 0."""
        self._level -= 1.0

    @property
    def full(self) -> bool:
        """Whether the bucket is full again."""
        return self.wait() == 0.0 and self._level >= self._most


class Rates:
    """The rate limits of one worker, shared by all its sends. In mails per second; 0 means no limit."""

    # From this number on, full buckets of domains are dropped.
    MOST_DOMAINS = 10_000

    def __init__(self, total: float, domain: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = Bucket(total, clock) if total else None
        self._rate = domain
        self._domains: dict[str, Bucket] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, domain: str) -> float:
        """Count a mail to the domain and return 0, or return the seconds until it may go."""
        if self._total is None and not self._rate:
            return 0.0
        with self._lock:
            buckets = [self._total] if self._total else []
            if self._rate:
                buckets.append(self._of(domain))
            wait = max(bucket.wait() for bucket in buckets)
            if not wait:
                for bucket in buckets:
                    bucket.take()
            return wait

    def total_wait(self) -> float:
        """Return seconds until a mail may go to any domain at all."""
        if self._total is None:
            return 0.0
        with self._lock:
            return self._total.wait()

    def _of(self, domain: str) -> Bucket:
        if domain not in self._domains:
            if len(self._domains) >= self.MOST_DOMAINS:
                self._domains = {name: bucket for name, bucket in self._domains.items() if not bucket.full}
            self._domains[domain] = Bucket(self._rate, self._clock)
        return self._domains[domain]
