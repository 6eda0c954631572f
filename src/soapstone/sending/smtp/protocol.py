"""SMTP commands and replies on an open connection, with pipelining (RFC 2920)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from functools import lru_cache
from typing import NamedTuple, Self, cast

from soapstone.sending.smtp.errors import SmtpDisconnectedError

# Limits of a reply and of one of its lines; RFC 5321 asks for 512 octets per line.
LONGEST_REPLY_OCTETS = 65_536


class Reply(NamedTuple):
    """A three-digit code, and the text of all lines."""

    code: int
    text: str


# Octets of a line that is kept to be read again.
LONGEST_KNOWN = 100

# What is said to the server, which yields to get the next reply.
Dialogue = Generator[None, Reply, None]


class SmtpProtocol(asyncio.Protocol):
    """The client side of SMTP on a transport. Replies come in the order of the commands."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""
        # The code and lines of the incomplete reply.
        self._code = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._loop = asyncio.get_running_loop()
        # The dialogue under way, unless it is running right now, and its end.
        self._dialogue: Dialogue | None = None
        self._over: asyncio.Future[None] = self._loop.create_future()
        # The loop's time by which the replies must be there. One timer for all mails looks at it; None once it is over.
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        # When the timer is due: uvloop's timers do not always tell.
        self._due = 0.0
        self._end = ""
        self._closed = asyncio.Event()

    @classmethod
    def taking_over(cls, transport: asyncio.BaseTransport) -> Self:
        """Replace the protocol of a transport; no reply may be pending."""
        protocol = cls(cast("asyncio.Transport", transport))
        transport.set_protocol(protocol)
        return protocol

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, as far as known."""
        return not self._end and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send commands, or a mail. Raises SmtpDisconnectedError."""
        if not self.is_open:
            raise SmtpDisconnectedError(self._end or "Connection lost")
        self._transport.write(data)

    def allow(self, seconds: float) -> None:
        """Let all replies that are read from now on, up to the next call, take so many seconds together."""
        self._deadline = self._loop.time() + seconds
        # Where the timer is set for an earlier time, it goes on then.
        if self._timer is None or self._due > self._deadline:
            self._look_at_time()

    def converse(self, dialogue: Dialogue) -> asyncio.Future[None]:
        """Hold a dialogue, each step as soon as its reply comes; return what is set at its end.

        When no reply is left, the dialogue gets SmtpDisconnectedError if the connection ended, and TimeoutError when
        the time is over. Its errors are those of the result. If that is cancelled, the dialogue ends.
        """
        self._over = self._loop.create_future()
        self._go_on(dialogue, begins=True)
        return self._over

    def close(self) -> None:
        """Close the connection without QUIT."""
        self._transport.close()
        self._finish("Connection closed")

    async def wait_closed(self) -> None:
        """Wait until the connection is closed."""
        await self._closed.wait()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        *lines, self._buffer = buffer.split(b"\n")
        for line in lines:
            if not self._lines and len(line) <= LONGEST_KNOWN and (reply := _whole_reply(line)):
                self._replies.append(reply)
                continue
            code, mark = line[:3], line[3:4]
            if not code.isdigit() or len(code) < 3 or (self._lines and code != self._code):
                self._break_off("Malformed SMTP reply: " + line[:100].decode("utf-8", "replace"))
                return
            self._code = code
            self._lines.append(_text(line))
            if mark != b"-":
                self._replies.append(Reply(int(code), "\n".join(self._lines)))
                self._lines.clear()
        if len(self._buffer) + sum(map(len, self._lines)) > LONGEST_REPLY_OCTETS:
            self._break_off("The SMTP server's reply is too long")
        elif self._replies:
            self._wake()

    def eof_received(self) -> bool:
        self._finish("Unexpected EOF received")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._finish(f"Connection lost: {error}" if error else "Connection lost")
        self._closed.set()

    def _break_off(self, why: str) -> None:
        self._finish(why)
        self._transport.close()

    def _look_at_time(self) -> None:
        """Set the timer; wake who waits if the time is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop.time() < self._deadline:
            self._due = self._deadline
            self._timer = self._loop.call_at(self._due, self._look_at_time)
        else:
            self._wake()

    def _finish(self, why: str) -> None:
        self._end = self._end or why
        # Who waits learns that the connection has ended.
        if self._timer is not None:
            self._timer.cancel()
        self._wake()

    def _wake(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            self._go_on(dialogue)

    def _go_on(self, dialogue: Dialogue, *, begins: bool = False) -> None:
        """Let the dialogue go on as far as it can. It may close the connection."""
        over, replies = self._over, self._replies
        if over.done():
            dialogue.close()
            return
        try:
            if begins:
                next(dialogue)
            while replies:
                dialogue.send(replies.popleft())
            if self._end:
                dialogue.throw(SmtpDisconnectedError(self._end))
            elif self._timer is None:
                dialogue.throw(TimeoutError())
            else:
                self._dialogue = dialogue
        except StopIteration:
            over.set_result(None)
        except BaseException as error:
            over.set_exception(error)


# Most servers say the same to MAIL, RCPT and DATA each time.
@lru_cache(64)
def _whole_reply(line: bytes) -> Reply | None:
    """Return the reply of one line; None for a line of a longer one, and what is no reply."""
    code = line[:3]
    return Reply(int(code), _text(line)) if len(code) == 3 and code.isdigit() and line[3:4] != b"-" else None


def _text(line: bytes) -> str:
    return line[4:].strip(b" \t\r").decode("utf-8", "surrogateescape")
