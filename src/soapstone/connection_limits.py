"""Limits on concurrent connections of the web process, in total and per client address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from soapstone.http.client_address import Origins

HEALTH = "/healthz"
"""The path that is answered even beyond the limits."""
SURPLUS = 16
"""Open connections beyond the limits. Each gets one answer: 503, or that of a health check."""
RETRY_SECONDS = 5
BUSY = "The server has too many connections. Try again later.\n"
_DRAIN = 64 * 1024


class SurplusConnection(Protocol):
    """A connection beyond the limits."""

    def turn_away(self) -> None:
        """Answer 503 and close, without waiting for a request."""


class ConnectionLimits:
    """Counts connections.

    `total` bounds all of them, `per_address` those of one client address; an IPv6 address counts with its /64 network.
    Loopback addresses and `trusted_proxies` (addresses or networks) have no limit of their own. Behind such a
    proxy, requests under way are counted instead, by the client address that the proxy sends.
    """

    def __init__(self, total: int, per_address: int, trusted_proxies: Sequence[str] = ()) -> None:
        self._total = total
        self._per_address = per_address
        self._trusted = [ip_network(entry, strict=False) for entry in trusted_proxies]
        self._origins = Origins(trusted_proxies)
        self._open = 0
        self._by_address: Counter[Hashable] = Counter()
        self._surplus: dict[SurplusConnection, None] = {}

    def admit(self, peer: str) -> bool:
        """Count a connection; return False, without counting it, if it is beyond a limit."""
        if self._open >= self._total or not self._enter(peer):
            return False
        self._open += 1
        return True

    def release(self, peer: str) -> None:
        """Note that an admitted connection has ended."""
        self._open -= 1
        self._leave(peer)

    def add_surplus(self, connection: SurplusConnection) -> None:
        """Let a connection beyond the limits wait for its request, dropping the oldest one if too many wait."""
        self._surplus[connection] = None
        if len(self._surplus) > SURPLUS:
            oldest = next(iter(self._surplus))
            del self._surplus[oldest]
            oldest.turn_away()

    def remove_surplus(self, connection: SurplusConnection) -> None:
        """Note that a connection beyond the limits has ended."""
        self._surplus.pop(connection, None)

    def busy(self, app: ASGIApp) -> ASGIApp:
        """Return the app of a connection beyond the limits: 503 for all requests but health checks."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == HEALTH:
                await app(scope, receive, send)
            else:
                await _refuse(scope, receive, send)

        return answer

    def per_client(self, app: ASGIApp) -> ASGIApp:
        """Return the app with a limit on requests per client behind trusted proxies."""
        if not self._trusted:
            return app

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            client = scope.get("client") if scope["type"] == "http" else None
            address = "" if client is None else self._origins.read(scope)[0]
            if client is None or address == client[0] or scope["path"] == HEALTH:
                await app(scope, receive, send)
            elif self._enter(address):
                try:
                    await app(scope, receive, send)
                finally:
                    self._leave(address)
            else:
                await _refuse(scope, receive, send)

        return answer

    def _enter(self, address: str) -> bool:
        key = self._key(address)
        if key is not None:
            if self._by_address[key] >= self._per_address:
                return False
            self._by_address[key] += 1
        return True

    def _leave(self, address: str) -> None:
        key = self._key(address)
        if key is not None:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]

    def _key(self, address: str) -> Hashable | None:
        """Return the key under which an address is counted; None for one without a limit."""
        try:
            found = ip_address(address)
        except ValueError:
            # A peer on a local socket has no address.
            return None
        mapped = getattr(found, "ipv4_mapped", None)
        known = mapped or found
        if known.is_loopback or any(each in network for each in {found, known} for network in self._trusted):
            return None
        return int(known) >> 64 if isinstance(known, IPv6Address) else str(known)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 503 and close. A small body is read first: a client that is cut off while it sends sees a reset."""
    taken = 0
    while taken <= _DRAIN:
        message = await receive()
        taken += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    headers = {"Retry-After": str(RETRY_SECONDS), "Connection": "close"}
    await PlainTextResponse(BUSY, 503, headers)(scope, receive, send)
