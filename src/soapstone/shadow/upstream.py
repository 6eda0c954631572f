"""A client of HTTP/1.1 that passes bodies on piece by piece: the way to the live service."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

from soapstone.errors import InvalidError

Headers = list[tuple[bytes, bytes]]

CONNECT_SECONDS = 30.0
IDLE_SECONDS = 4.0
"""How long an unused connection is kept: servers that do not tell keep them for five seconds and more."""
MARGIN = 1.0
"""How many seconds earlier than the server: a request that meets its end would be lost."""
MOST_IDLE = 100
_PIECE = 64 * 1024


class Unreachable(Exception):
    """No connection to the live service: it got nothing of the request."""


class BrokenOff(Exception):
    """The live service closed the connection before its answer was whole, or answered something else than HTTP."""


@dataclass(frozen=True)
class Address:
    """The address of the live service: `https://host[:port]`, without a path."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        """Return the address of a URL. Raises InvalidError."""
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (ValueError, KeyError):
            raise InvalidError(f"{url} is no URL such as https://api.example.com.") from None
        if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username or parts.fragment:
            raise InvalidError(f"{url} is no URL of a server alone, such as https://api.example.com.")
        return cls(parts.scheme, parts.hostname, port)

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class _Answer:
    """What the parser found: status and headers, then pieces of the body."""

    def __init__(self, *, has_body: bool) -> None:
        self.parser = HttpResponseParser(self)
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.has_body = has_body
        self.status = 0
        self.whole = False
        # The server leaves the connection open, and has sent nothing behind the answer.
        self.keeps = False

    def on_message_begin(self) -> None:
        self.headers = []
        self.keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        # Others come before the answer, such as 100 Continue.
        self.status = status if status >= 200 else 0

    def on_body(self, body: bytes) -> None:
        self.pieces.append(bytes(body))

    def on_message_complete(self) -> None:
        self.whole = self.status != 0
        # The parser forgets it as soon as this method returns.
        self.keeps = self.whole and self.parser.should_keep_alive()


class Reply:
    """An answer whose head has come. `pieces` yields its body; close it in any case."""

    def __init__(self, connection: _Connection, answer: _Answer) -> None:
        self._connection = connection
        self._answer = answer
        self.status = answer.status
        self.headers = answer.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises BrokenOff."""
        answer = self._answer
        while True:
            waiting, answer.pieces = answer.pieces, []
            for piece in waiting:
                yield piece
            if answer.whole:
                self._connection.patience = _patience(answer.headers)
                self._connection.reusable = answer.keeps and self._connection.patience > 0
                return
            await self._connection.read_into(answer)

    def close(self) -> None:
        """Give the connection back, or close it."""
        self._connection.release()


class _Connection:
    def __init__(self, upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._upstream = upstream
        self.reader, self.writer = reader, writer
        # The request is sent to its end; a connection is kept only then.
        self.whole = False
        self.reusable = False
        self.idle_since = 0.0
        # Seconds for which it is kept unused.
        self.patience = IDLE_SECONDS

    async def read_into(self, answer: _Answer) -> None:
        """Give the next bytes to the parser. Raises BrokenOff."""
        try:
            data = await self.reader.read(_PIECE)
            if data:
                answer.parser.feed_data(data)
            elif answer.status and _until_the_end(answer.headers):
                answer.whole = True
            else:
                raise BrokenOff
        except (OSError, HttpParserError):
            raise BrokenOff from None
        if answer.status and not answer.has_body:
            # The parser does not know that an answer to HEAD has none.
            answer.whole, answer.pieces = True, []

    @property
    def is_silent(self) -> bool:
        """Whether the server has neither closed it nor sent anything: that would be taken for the next answer."""
        return not self.reader.at_eof() and not self.reader._buffer  # type: ignore[attr-defined]

    def release(self) -> None:
        if self.reusable and self.whole and self.is_silent:
            self.reusable = self.whole = False
            self._upstream.keep(self)
        else:
            self.writer.transport.abort()


class Upstream:
    """Connections to one address. All methods are called on one event loop."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._idle: list[_Connection] = []

    async def send(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: AsyncIterator[bytes],
        *,
        chunked: bool,
    ) -> Reply:
        """Send a request, and return the answer as soon as its head is there. Raises Unreachable and BrokenOff.

        `headers` have the framing of the body. What `body` raises, also behind its end, ends the call.
        """
        connection = await self._connect()
        try:
            lines = [b"%b %b HTTP/1.1\r\n" % (method.encode(), target)]
            lines += [b"%b: %b\r\n" % pair for pair in headers]
            answer = _Answer(has_body=method != "HEAD")
            head = b"".join(lines) + b"\r\n"
            sending = asyncio.ensure_future(_write(connection, head, body, chunked=chunked))
            reading = asyncio.ensure_future(_read_head(connection, answer))
            try:
                await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    # The client has gone.
                    sending.result()
                await reading
            finally:
                for task in (sending, reading):
                    task.cancel()
                await asyncio.gather(sending, reading, return_exceptions=True)
            return Reply(connection, answer)
        except BaseException:
            connection.writer.transport.abort()
            raise

    def keep(self, connection: _Connection) -> None:
        """Keep an unused connection for the next call."""
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        if len(self._idle) > MOST_IDLE:
            self._idle.pop(0).writer.transport.abort()

    async def close(self) -> None:
        """Close the unused connections."""
        while self._idle:
            writer = self._idle.pop().writer
            writer.transport.abort()
            # The loop ends soon, and would leave it half closed.
            with suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            # A request on a connection that the server is about to close would be lost, and must not be repeated.
            if connection.is_silent and time.monotonic() - connection.idle_since < connection.patience:
                return connection
            connection.writer.transport.abort()
        address = self.address
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(address.host, address.port, ssl=self._tls)
        except OSError as trouble:
            # A timeout is one too, and says nothing.
            raise Unreachable(f"{address.host}:{address.port}: {trouble or 'no answer in time'}") from None
        return _Connection(self, reader, writer)


async def _read_head(connection: _Connection, answer: _Answer) -> None:
    while not answer.status:
        await connection.read_into(answer)


async def _write(connection: _Connection, head: bytes, body: AsyncIterator[bytes], *, chunked: bool) -> None:
    """Write head and body, then wait for what ends the call: the end of this task is always an exception.

    The head goes along with the first piece of the body: most requests are one packet.
    """
    try:
        async for piece in body:
            if piece:
                connection.writer.write(head + (b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece))
                await connection.writer.drain()
            else:
                # The body is whole; what follows is the wait for the end of the client.
                connection.whole = True
                if end := head + (b"0\r\n\r\n" if chunked else b""):
                    connection.writer.write(end)
            head = b""
    except OSError:
        # The server has closed: its answer may be there, or reading says what happened.
        await asyncio.Event().wait()


def _patience(headers: Headers) -> float:
    """Return for how long a connection may be kept, by what the server tells of it."""
    told = [
        part.partition(b"=") for name, value in headers if name.lower() == b"keep-alive" for part in value.split(b",")
    ]
    seconds = [float(number) for name, _, number in told if name.strip().lower() == b"timeout" and number.isdigit()]
    return min([IDLE_SECONDS, *(each - MARGIN for each in seconds)])


def _until_the_end(headers: Headers) -> bool:
    """Return whether the body of an answer ends where the connection does (RFC 9112 6.3)."""
    names = {name.lower() for name, _ in headers}
    return not names & {b"content-length", b"transfer-encoding"}
