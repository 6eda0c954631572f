"""A listener that takes bounces and complaints by LMTP (RFC 2033) and SMTP (RFC 5321), and relays nothing.

Written here rather than taken from a library: aiosmtpd answers once for all recipients of an LMTP transaction, so that
a relay delivers the others again, and it holds whole mails in memory. Here 256 KiB of each are kept.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking.incoming_mails import IncomingMails
from soapstone.tracking.mail_parts import LARGEST_MAIL

log = logging.getLogger(__name__)

# Octets of a mail, and of one command line (RFC 5321 4.5.3.1 allows fewer).
LARGEST_TAKEN = 10 << 20
LONGEST_COMMAND = 4096
MOST_RECIPIENTS = 100
MOST_CONNECTIONS = 50
# Commands in a row that are refused, before the connection is closed.
MOST_ERRORS = 20
# Seconds without an octet (RFC 5321 4.5.3.2.7), and for one whole mail.
IDLE, WHOLE_MAIL = 300.0, 900.0
_BLOCK = 64 << 10
_END = b"\r\n.\r\n"

_PATH = re.compile(r"\s*<(?:@[^:>]*:)?([^<>]*)>(.*)", re.DOTALL)
_SIZE = re.compile(r"\bSIZE=(\d{1,20})\b", re.IGNORECASE)
# Local parts besides the signed ones: complaints (RFC 9477), and what every domain must take (RFC 5321 4.5.1).
_PLAIN = ("fbl", "postmaster")

OK = "250 2.0.0 Ok"
UNKNOWN = "550 5.1.1 No such address here"
TOO_LARGE = "552 5.3.4 The mail is larger than 10 MiB"
LATER = "451 4.3.0 Cannot be stored now, try again later"
BAD_SEQUENCE = "503 5.5.1 Bad sequence of commands"
BAD_SYNTAX = "501 5.5.4 Syntax error"


class UnusablePlace(Exception):
    """The listener cannot listen where it shall; the message is a sentence for the operator."""


class _Closed(Exception):
    """The client is gone, or is sent away."""


class MailListener:
    """Takes mails for the addresses of one domain; hands those for signed addresses, complaints and postmaster on."""

    def __init__(self, incoming: IncomingMails, domain: str, hostname: str) -> None:
        self._incoming = incoming
        self._domain = domain.lower()
        self.hostname = hostname
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until it is gone."""
        self._connections += 1
        session = _Session(self, reader, writer)
        try:
            if self._connections > MOST_CONNECTIONS:
                await session.reply("421 4.3.2 Too many connections, try again later")
            else:
                await session.run()
        except (_Closed, ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            pass
        except Exception:
            log.exception("a connection for bounces failed by a fault of the server")
        finally:
            self._connections -= 1
            writer.close()
            with suppress(ConnectionError, OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 5)

    def takes(self, address: str) -> bool:
        """Return whether mails to this address are taken: it is signed here, or one of the plain ones."""
        local, _, domain = address.rpartition("@")
        if address.lower() == "postmaster":
            return True
        if domain.lower() != self._domain:
            return False
        return local.lower() in _PLAIN or self._incoming.is_ours(local)

    def take(self, content: bytes, address: str, source: str) -> str:
        """Take a mail for one recipient; return the reply. Once it is 250, the mail is on disk."""
        local = address.partition("@")[0].lower()
        # The stem of a complaint is inside.
        recipients = [] if local in _PLAIN else [address]
        try:
            self._incoming.take(content, recipients, source=source)
        except RecordsUnavailable as trouble:
            log.warning("a mail is not taken now: %s", trouble)
            return LATER
        except Exception:
            log.exception("a mail could not be taken, by a fault of the server")
            return LATER
        return OK


class _Session:
    """One connection."""

    def __init__(self, listener: MailListener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._listener = listener
        self._reader, self._writer = reader, writer
        self._buffer = bytearray()
        self._greeted = self._is_lmtp = False
        self._errors = 0
        self._has_sender = False
        self._recipients: list[str] = []

    async def run(self) -> None:
        await self.reply(f"220 {self._listener.hostname} takes bounces by ESMTP and LMTP")
        while True:
            line = await self._line()
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                await self.reply("221 2.0.0 Bye")
                return
            if verb == "DATA":
                await self._data()
                continue
            commands: dict[str, Callable[[str], str]] = {
                "HELO": self._hello,
                "EHLO": self._extended_hello,
                "LHLO": self._local_hello,
                "MAIL": self._mail,
                "RCPT": self._rcpt,
                "RSET": self._reset,
                "NOOP": lambda _: OK,
                "VRFY": lambda _: "252 2.1.5 Cannot tell, send some mail",
            }
            command = commands.get(verb)
            answer = command(rest) if command else "500 5.5.2 Unknown command"
            await self.reply(answer)
            self._errors = self._errors + 1 if answer.startswith("5") else 0
            if self._errors >= MOST_ERRORS:
                await self.reply("421 4.7.0 Too many errors")
                return

    async def reply(self, text: str) -> None:
        self._writer.write(text.encode() + b"\r\n")
        await asyncio.wait_for(self._writer.drain(), IDLE)

    def _hello(self, rest: str) -> str:
        self._begin(is_lmtp=False)
        return f"250 {self._listener.hostname}"

    def _extended_hello(self, rest: str) -> str:
        self._begin(is_lmtp=False)
        return self._extensions()

    def _local_hello(self, rest: str) -> str:
        self._begin(is_lmtp=True)
        return self._extensions()

    def _extensions(self) -> str:
        lines = ["PIPELINING", f"SIZE {LARGEST_TAKEN}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        named = [self._listener.hostname, *lines]
        return "\r\n".join([*(f"250-{line}" for line in named[:-1]), f"250 {named[-1]}"])

    def _begin(self, *, is_lmtp: bool) -> None:
        self._greeted, self._is_lmtp = True, is_lmtp
        self._forget()

    def _forget(self) -> None:
        self._has_sender, self._recipients = False, []

    def _reset(self, rest: str) -> str:
        self._forget()
        return OK

    def _mail(self, rest: str) -> str:
        if not self._greeted or self._has_sender:
            return BAD_SEQUENCE
        found = _PATH.fullmatch(rest[5:]) if rest[:5].upper() == "FROM:" else None
        if not found:
            return BAD_SYNTAX
        size = _SIZE.search(found[2])
        if size and int(size[1]) > LARGEST_TAKEN:
            return TOO_LARGE
        self._has_sender = True
        return "250 2.1.0 Ok"

    def _rcpt(self, rest: str) -> str:
        if not self._has_sender:
            return BAD_SEQUENCE
        found = _PATH.fullmatch(rest[3:]) if rest[:3].upper() == "TO:" else None
        if not found:
            return BAD_SYNTAX
        if len(self._recipients) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not self._listener.takes(found[1]):
            return UNKNOWN
        self._recipients.append(found[1])
        return "250 2.1.5 Ok"

    async def _data(self) -> None:
        if not self._recipients:
            # RFC 2033 4.2 and RFC 5321 3.3.
            await self.reply("503 5.5.1 No valid recipients")
            return
        await self.reply("354 End with a line that has a point alone")
        content, size = await asyncio.wait_for(self._content(), WHOLE_MAIL)
        recipients, is_lmtp = self._recipients, self._is_lmtp
        self._forget()
        replies = []
        for address in recipients:
            if size > LARGEST_TAKEN:
                replies.append(TOO_LARGE)
            else:
                take, source = self._listener.take, "lmtp" if is_lmtp else "smtp"
                replies.append(await asyncio.to_thread(take, content, address, source))
        if is_lmtp:
            # One reply for each recipient, in their order (RFC 2033 4.2).
            await self.reply("\r\n".join(replies))
        else:
            # What was taken is known when the mail comes again.
            await self.reply(next((each for each in replies if not each.startswith("250")), replies[0]))

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LONGEST_COMMAND:
                await self.reply("500 5.5.2 Line too long")
                raise _Closed
            await self._more()
        if end > LONGEST_COMMAND:
            await self.reply("500 5.5.2 Line too long")
            raise _Closed
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    async def _content(self) -> tuple[bytes, int]:
        """Read a mail up to its end; return what is kept of it, without doubled points, and its size.

        Only CR LF ends a line, so that no mail within a mail is ever read as a command.
        """
        kept, size = bytearray(), 0
        # The line break before the first line is that of the command.
        self._buffer[:0] = b"\r\n"
        while True:
            end = self._buffer.find(_END)
            # The last octets may be the beginning of the end.
            done = end + 2 if end >= 0 else max(len(self._buffer) - len(_END) + 1, 0)
            if len(kept) < LARGEST_MAIL + _BLOCK:
                kept += self._buffer[:done]
            size += done
            del self._buffer[:done]
            if end >= 0:
                del self._buffer[: len(_END) - 2]
                return bytes(kept).replace(b"\r\n..", b"\r\n.")[2:], size
            await self._more()

    async def _more(self) -> None:
        block = await asyncio.wait_for(self._reader.read(_BLOCK), IDLE)
        if not block:
            raise _Closed
        self._buffer += block


@contextmanager
def listening(listener: MailListener, place: str) -> Iterator[str]:
    """Listen at `host:port` or `unix:path` in a thread of its own until the block ends; yield where.

    Port 0 means any free one. Raises UnusablePlace.
    """
    held = _bound(place)
    ready: Future[asyncio.AbstractEventLoop] = Future()
    stopped: list[asyncio.Event] = []

    async def run() -> None:
        stop = asyncio.Event()
        stopped.append(stop)
        server = await asyncio.start_server(listener.serve, sock=held, limit=_BLOCK)
        async with server:
            ready.set_result(asyncio.get_running_loop())
            await stop.wait()

    def serve() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=serve, name="bounces")
    thread.start()
    loop = ready.result()
    where = place
    if not place.startswith("unix:"):
        host, port = held.getsockname()[:2]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    log.info("bounces are taken at %s", where)
    try:
        yield where
    finally:
        loop.call_soon_threadsafe(stopped[0].set)
        thread.join()
        if place.startswith("unix:"):
            Path(place.removeprefix("unix:")).unlink(missing_ok=True)


def _bound(place: str) -> socket.socket:
    try:
        if place.startswith("unix:"):
            path = Path(place.removeprefix("unix:"))
            if path.is_socket():
                # Of a server that was killed; a living one would be asked twice for nothing.
                path.unlink()
            held = socket.socket(socket.AF_UNIX)
            held.bind(str(path))
            # The mail server is another user.
            path.chmod(0o666)
        else:
            host, _, port = place.rpartition(":")
            host = host.strip("[]")
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            held = socket.create_server((host, int(port)), family=family)
        held.setblocking(False)
    except OSError as trouble:
        raise UnusablePlace(f"Cannot take bounces at {place}: {trouble.strerror or trouble}.") from None
    return held
