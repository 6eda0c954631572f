"""One client connection: limits on request heads, on slow clients, and on connections in total."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from soapstone.connection_limits import BUSY, RETRY_SECONDS, ConnectionLimits
from soapstone.wire.shortcut import LARGEST_PIECE, PIECE, Place, place_of

MAX_HEAD = 64 * 1024
"""Bytes of request line and headers, or of a chunked body's framing. A guard, not an exact limit:
they are counted by received pieces."""
LEAST_BODY = 1000
"""Bytes of a body that must come within the timeout of a client."""
MAX_UNREAD = 16 * 1024 * 1024
"""Bytes of a body still read after the answer, so that a client that sends everything first can read it."""
MAX_PIPELINED = 16
"""Pipelined requests behind an unanswered one. The connection is closed on more."""

TRANSPORT = "soapstone.transport"
"""Key of the connection's transport in a request's scope."""

_BUSY_HEAD = (
    f"HTTP/1.1 503 Service Unavailable\r\nretry-after: {RETRY_SECONDS}\r\ncontent-type: text/plain; charset=utf-8\r\n"
    f"content-length: {len(BUSY)}\r\nconnection: close\r\n\r\n{BUSY}"
).encode()


class Known(Protocol):
    """Answers whole requests before the parser reads them, from their place and bytes.

    An answer is its status line, and what follows the default header lines.
    """

    def answer_known(self, place: Place, data: bytes) -> bytes | None:
        """Return the second part of an answer with status 200 from memory, or None."""

    def answer_tracked(self, place: Place, data: bytes, reply: Callable[[bytes, bytes], None]) -> bool:
        """Return whether `reply` gets both parts in this turn of the event loop, or when `settle` is called."""

    def settle(self) -> None:
        """Give the answers that were promised."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with limits. Call `check` about once a second.

    `timeout` is a client's time in seconds: for the head of a request, for each `LEAST_BODY` bytes of its body, and to
    read some of a waiting answer.
    """

    def __init__(
        self, *arguments: Any, limits: ConnectionLimits, timeout: float, known: Known | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._timeout = timeout
        self._known = known
        self._place: Place = (None, None, None)
        self._known_at = 0.0
        # Whether an answer was promised and not given yet.
        self._promised = False
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""
        self._peer = ""
        self._admitted = True
        # Whether nothing of a request was received since the last one, if any; and how many have begun.
        self._between = True
        self._begun = 0
        # The part of a request that the client is sending; neither: it is answered, or none has begun.
        self._in_head = True
        self._in_body = False
        self._head_size = 0
        self._unread = 0
        # Bytes of a chunked body's framing or trailers since its last content.
        self._beside = 0
        # The last received bytes, and whether the parser reads a synthetic head that only frames the body.
        self._data = b""
        self._reframing = False
        # Requests without a whole answer, the next to be answered first.
        self._unanswered: deque[RequestResponseCycle] = deque()
        # Start time and received bytes of the head, or of the last `LEAST_BODY` bytes of the body.
        self._since = self._now = self.loop.time()
        self._came = 0
        self._unsent = 0
        self._taken = self._now

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin the connection of a client."""
        super().connection_made(transport)
        self._since = self._now = self._taken = self.loop.time()
        self._peer = self.client[0] if self.client else ""
        self._place = place_of({"client": self.client, "server": self.server, "scheme": self.scheme})
        self._admitted = self._limits.admit(self._peer)
        if not self._admitted:
            self.app = self._limits.busy(self.app)
            self._limits.add_surplus(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended."""
        if self._admitted:
            self._limits.release(self._peer)
        else:
            self._limits.remove_surplus(self)
        super().connection_lost(exc)
        # uvicorn notifies only the last request, and earlier ones would go on writing.
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._settle()
        self._now = self.loop.time()
        answered = self.cycle is None or self.cycle.response_complete
        alone = self._between and self._admitted and answered and len(data) <= LARGEST_PIECE
        if alone and self._answer_known(data):
            return
        begun = self._begun
        self._between = False
        if self._in_body:
            self._beside += len(data)
            self._came += len(data)
            if self._came >= LEAST_BODY:
                self._came, self._since = 0, self._now
        elif not self._in_head:
            self._begin_head()
        in_head = self._in_head
        self._data = data
        super().data_received(data)
        self._between = not self._in_head and not self._in_body
        if alone and self._between and self._begun == begun + 1:
            self.scope[PIECE] = data  # type: ignore[literal-required]
        if self._in_head:
            # A head that begins right after a body is counted from the next piece on.
            self._head_size += len(data) if in_head else 0
            if self._head_size > MAX_HEAD:
                self._end(b"431 Request Header Fields Too Large")
        elif self._in_body and self.cycle is not None and self.cycle.response_complete:
            self._unread += len(data)
            if self._unread > MAX_UNREAD:
                self._end(b"413 Content Too Large")
        if self._in_body and self._beside > MAX_HEAD:
            # The parser buffers an incomplete trailer.
            self._end(b"431 Request Header Fields Too Large")

    def _answer_known(self, data: bytes) -> bool:
        """Answer a whole request that is known, without the parser; return whether that was possible."""
        known = self._known
        if known is None or self.flow.write_paused or self.transport.is_closing():
            return False
        if data.startswith(b"GET "):
            self._promised = known.answer_tracked(self._place, data, self._reply)
            return self._promised
        rest = known.answer_known(self._place, data)
        if rest is None:
            return False
        self._reply(b"HTTP/1.1 200 OK\r\n", rest)
        return True

    def _reply(self, first: bytes, rest: bytes) -> None:
        """Write the answer to a request that the parser has not read."""
        self._promised = False
        if self.transport.is_closing():
            return
        if self._defaults is not self.server_state.default_headers:
            # uvicorn replaces them when the date changes.
            self._defaults = self.server_state.default_headers
            self._default_lines = b"".join(b"%b: %b\r\n" % line for line in self._defaults)
        self.transport.write(b"%b%b%b" % (first, self._default_lines, rest))
        self._in_head, self._since, self._known_at = False, self._now, self._now
        self.server_state.total_requests += 1
        if self.timeout_keep_alive_task is None:
            self._await_next(self.timeout_keep_alive)

    def _settle(self) -> None:
        if self._promised and self._known is not None:
            self._known.settle()

    def shutdown(self) -> None:
        """End the connection, or let it end behind the answer under way."""
        self._settle()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection. Answers from memory leave the timer as it is, because they are many."""
        left = self._known_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._await_next(left)
        else:
            super().timeout_keep_alive_handler()

    def _await_next(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        if self._reframing:
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            # Stops the parser; uvicorn answers 400 and closes.
            raise ValueError("too many requests at once")
        if not self._in_head:
            self._begin_head()
        self._begun += 1
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        if not self._reframing:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; drop a trailer of a chunked body, as nothing reads it."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head."""
        if self._reframing:
            self._reframing = False
            return
        self._in_head, self._in_body = False, True
        self._since, self._came, self._unread, self._beside = self._now, 0, 0, 0
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]
        super().on_headers_complete()
        self._unanswered.append(self.cycle)
        if not self._admitted:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body's content."""
        self._beside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body, unless it follows an offer of another protocol."""
        if self.parser.should_upgrade():
            return
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Continue after the answer is written. The head of the next request may have begun."""
        self._since = self.loop.time()
        self._unanswered.popleft()
        super().on_response_complete()

    def resume_writing(self) -> None:
        """Note that the client has read a part of the answer."""
        self._taken = self.loop.time()
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore the offer of another protocol (RFC 9110 7.8), as Java's HttpClient sends it.

        The parser would treat everything after the head as that protocol. So a new one reads it, after a head that only
        frames the body.
        """
        offer = sys.exception()
        assert isinstance(offer, HttpParserUpgrade)  # noqa: S101 - uvicorn calls this where it catches one
        rest = self._data[offer.args[0] :]
        names = (b"content-length", b"transfer-encoding")
        framing = [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name in names]
        self.parser = HttpRequestParser(self)
        # As uvicorn sets up its own.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._reframing = True
        self._data = b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n" + rest
        super().data_received(self._data)

    @property
    def sending(self) -> str:
        """What the client is sending: "head" (even before it begins), "body", or "" for nothing."""
        return "head" if self._in_head else "body" if self._in_body else ""

    def check(self) -> None:
        """Close the connection of an idle client that we are waiting for."""
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._taken = now
        self._unsent = unsent
        cycle = self.cycle
        if unsent and now - self._taken > self._timeout:
            self.transport.abort()
        elif self._in_head:
            answered = cycle is None or cycle.response_complete
            if answered and now - self._since > self._timeout:
                self._end(b"408 Request Timeout")
        elif self._in_body:
            if self.flow.read_paused:
                self._since, self._came = now, 0
            elif now - self._since > self._timeout:
                self._end(b"408 Request Timeout")

    def turn_away(self) -> None:
        """Answer 503 and close."""
        if not self.transport.is_closing():
            if self.cycle is None or not self.cycle.response_started:
                self.transport.write(_BUSY_HEAD)
            self.transport.close()

    def _begin_head(self) -> None:
        self._in_head = True
        self._head_size = 0
        self._since = self._now

    def _end(self, status: bytes) -> None:
        """Answer in place of the app, if it has not begun to, and close; the app receives a disconnect."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or not cycle.response_started or (cycle.response_complete and self._in_head):
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def check_all(connections: Iterable[object]) -> None:
    """Check each of the connections."""
    for connection in list(connections):
        if isinstance(connection, Connection):
            connection.check()
