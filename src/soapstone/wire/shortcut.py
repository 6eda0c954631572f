"""Whole requests that are answered from memory, before the HTTP parser reads them.

The head of a request is known by its bytes. It is learned from a request that was parsed and answered, arrived as one
piece and has nothing in its head that concerns the connection. See docs/decisions/polls-from-memory.md.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

PIECE = "soapstone.piece"
"""Key of the received bytes in the scope of a request that arrived alone, as one piece, on an idle connection."""

LARGEST_PIECE = 10 * 1024
"""Bytes of such a request; polls are far smaller."""
MOST_HEADS = 4096
LARGEST_HEAD = 2048
"""Bytes of the largest head that is learned."""

# What a head may hold besides its request line. Nothing here frames a body in another way, asks for something of the
# connection, or changes from one request to the next.
_HEADERS = frozenset(
    {
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"pragma",
        b"soapaction",
        b"user-agent",
    }
)
_END = b"\r\n\r\n"

Reply = tuple[bytes, bytes]
"""Header lines and content of an answer with status 200."""
Place = tuple[Hashable, Hashable, Hashable]
"""All that a request does not tell itself: the client's address, ours, the scheme."""


class _Head(NamedTuple):
    length: int
    reply: Callable[[bytes], Reply | None]


class Shortcut:
    """Known heads of requests. For the event loop alone."""

    def __init__(self) -> None:
        self._heads: OrderedDict[tuple[Place, bytes], _Head] = OrderedDict()

    def answer(self, place: Place, data: bytes) -> Reply | None:
        """Return the answer to the one whole request in `data`; None for anything else."""
        end = data.find(_END, 0, LARGEST_HEAD) + len(_END)
        head = self._heads.get((place, data[:end]))
        # The head says the length of the body, so that nothing of a second request can follow in these bytes.
        if head is None or len(data) - end != head.length:
            return None
        return head.reply(data[end:])

    def learn(
        self, place: Place, scope: Mapping[str, Any], body: bytes, reply: Callable[[bytes], Reply | None]
    ) -> None:
        """Learn the head of a request that was answered, if it arrived as one piece and says nothing special.

        `reply` answers a request with this head from its body, or returns None.
        """
        end = plain_head(scope, body, _HEADERS)
        if end:
            self._heads[place, scope[PIECE][:end]] = _Head(len(body), reply)
            if len(self._heads) > MOST_HEADS:
                self._heads.popitem(last=False)


class Turn:
    """The change token of one turn of the event loop, read once for all requests that the turn brings.

    They had arrived before it was read, so that each is answered by what was true after it came. Only for callbacks of
    received bytes: a task may run before the loop looks for more of them. `read` returns the token, or None.
    """

    def __init__(self, read: Callable[[], Hashable | None]) -> None:
        self._read = read
        self._loop: asyncio.AbstractEventLoop | None = None
        self._token: Hashable | None = None

    def token(self) -> Hashable | None:
        """Return the token of this turn, or None for unknown."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Runs in the next turn, before the loop looks for bytes again.
            loop.call_soon(self._end)
            self._loop, self._token = loop, self._read()
        return self._token

    def _end(self) -> None:
        self._loop = None


def plain_head(scope: Mapping[str, Any], body: bytes, allowed: frozenset[bytes]) -> int:
    """Return the length of a request's head; 0 if it did not arrive as one piece or its head says anything special.

    `allowed` are the names that its headers may have, each once.
    """
    data = scope.get(PIECE)
    if data is None or scope["http_version"] != "1.1" or not data.endswith(body):
        return 0
    end = len(data) - len(body)
    names = [name for name, _ in scope["headers"]]
    values = dict(scope["headers"])
    plain = (
        data.find(_END, 0, LARGEST_HEAD) == end - len(_END)
        and len(names) == len(values)
        and allowed.issuperset(names)
        and values.get(b"content-length", b"0") == b"%d" % len(body)
        and values.get(b"connection", b"keep-alive").lower() == b"keep-alive"
    )
    return end if plain else 0


def place_of(scope: Mapping[str, Any]) -> Place:
    """Return the place of a request or of a connection: it has `client`, `server` and `scheme`."""
    client = scope["client"]
    return (client[0] if client else None, scope["server"], scope["scheme"])
