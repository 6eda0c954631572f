"""One client connection: bounded request heads, and an end to clients that stand still."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of request line and headers. A guard, not an exact limit: they are counted by received pieces."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol. `close_if_idle` is to be called now and then."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = True
        self._head_size = 0
        self._heard = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._heard = self.loop.time()
        super().data_received(data)
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self._end(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer of a chunked body: nobody reads those, and they would pile up."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._in_head = False
        super().on_headers_complete()

    def close_if_idle(self, patience: float) -> None:
        """Give up a request of which nothing came for `patience` seconds, if it is the client that we wait for."""
        cycle = self.cycle
        in_body = cycle is not None and cycle.more_body and not cycle.response_complete
        waiting = (self._in_head or in_body) and not self.flow.read_paused
        if waiting and self.loop.time() - self._heard > patience:
            self._end(b"408 Request Timeout")

    def _end(self, status: bytes) -> None:
        """Answer without the app, if it has not begun to, and close; the app is told of a disconnect."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def close_idle(connections: Iterable[object], patience: float) -> None:
    """Do so for all of them."""
    for connection in list(connections):
        if isinstance(connection, Connection):
            connection.close_if_idle(patience)
