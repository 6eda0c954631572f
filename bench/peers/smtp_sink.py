"""An SMTP server that takes everything, counts it and keeps the last mail. A program of its own, made to be fast.

    python bench/peers/smtp_sink.py

It prints its port, and for every line on its standard input one line of JSON on what came since the line before:
`mails`, the `seconds` from the first accepted one to the last, `recipients` (how many different ones), `octets`, and
the `last` mail as it came. It offers PIPELINING, as mail servers do, and answers all that came at once in one piece.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from typing import cast

import uvloop

GREETING = b"220 sink.example ESMTP\r\n"
ABILITIES = b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8\r\n"
END = b"\r\n.\r\n"
# By the first four letters of a command, in capitals.
REPLIES = {
    b"EHLO": ABILITIES,
    b"HELO": b"250 sink.example\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


class Count:
    """What came in."""

    def __init__(self) -> None:
        self.mails = 0
        self.octets = 0
        self.first = self.latest = 0.0
        self.recipients: set[bytes] = set()
        self.mail = b""

    def add(self, recipient: bytes, mail: bytes) -> None:
        self.latest = time.perf_counter()
        self.first = self.first or self.latest
        self.mails += 1
        self.octets += len(mail)
        self.recipients.add(recipient)
        self.mail = mail

    def line(self) -> str:
        return json.dumps(
            {
                "mails": self.mails,
                "seconds": self.latest - self.first,
                "recipients": len(self.recipients),
                "octets": self.octets,
                "last": self.mail.decode("utf-8", "replace"),
            }
        )


class Sink(asyncio.Protocol):
    """One connection."""

    count = Count()

    def __init__(self) -> None:
        self._held = b""
        self._in_data = False
        self._recipient = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no children of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        held = self._held + data if self._held else data
        replies = []
        while held:
            if self._in_data:
                end = held.find(END)
                if end < 0:
                    break
                self.count.add(self._recipient, held[: end + 2])
                self._in_data = False
                replies.append(b"250 2.0.0 Ok: queued as 4F1B2C3D5E\r\n")
                held = held[end + len(END) :]
                continue
            line, end_of_line, rest = held.partition(b"\r\n")
            if not end_of_line:
                break
            held = rest
            verb = line[:4].upper()
            if verb == b"RCPT":
                self._recipient = line
            replies.append(REPLIES.get(verb, b"500 5.5.2 Unknown\r\n"))
            self._in_data = verb == b"DATA"
        self._held = held
        self._transport.write(b"".join(replies))
        if replies and replies[-1].startswith(b"221"):
            self._transport.close()


def tell(loop: asyncio.AbstractEventLoop) -> None:
    """Answer the lines of the standard input, and end with it."""

    def report() -> None:
        print(Sink.count.line(), flush=True)
        Sink.count = Count()

    for _ in sys.stdin:
        loop.call_soon_threadsafe(report)
    loop.call_soon_threadsafe(loop.stop)


async def serve() -> None:
    """Listen."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=tell, args=(loop,), daemon=True).start()


if __name__ == "__main__":
    loop = uvloop.new_event_loop()
    loop.create_task(serve())
    loop.run_forever()
