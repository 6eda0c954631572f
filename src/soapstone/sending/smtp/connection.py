"""One connection to the SMTP server: sends mails one after another and returns the outcome of each."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Generator
from contextlib import suppress
from typing import NamedTuple

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPHeloError, SMTPResponseException

from soapstone.clock import now
from soapstone.sending.smtp.errors import SmtpConnectError, SmtpDisconnectedError, SmtpRefusedError
from soapstone.sending.smtp.journal import Journal, JournalError
from soapstone.sending.smtp.protocol import Dialogue, Reply, SmtpProtocol
from soapstone.sending.smtp.replies import Outcome, Stage, Verdict, classify, closes, enhanced_code
from soapstone.sending.smtp.url import SmtpAddress

# Characters kept of a reply.
LONGEST_REPLY = 500
# Factor of the timeout for a mail's content, which servers filter before they reply. RFC 5321 4.5.3.2 wants ten
# minutes for it and five for a command; a client that gives up too early sends a mail twice.
CONTENT_PATIENCE = 2
# Most seconds for connecting and greeting.
LONGEST_GREETING = 60.0

_STAGES: tuple[Stage, ...] = (Stage.MAIL, Stage.RCPT, Stage.DATA)
_, _RCPT, _DATA = _STAGES
# The usual replies to DATA, and to everything else.
_GO_ON, _OK = 354, 250
_SPACE = re.compile(r"\s+")
_AT_LINE = re.compile(rb"(?m)^\.")
# It says whether there is one behind the first line, in half the time of `in`.
_BEHIND_LINE = re.compile(rb"\n\.")
# Characters that would end a command.
_BREAK = re.compile(rb"[\r\n\0]")


class Envelope(NamedTuple):
    """A mail with its addresses: ASCII, except local parts with `smtputf8` (RFC 6531); lines end in CR LF."""

    mail_from: bytes
    rcpt_to: bytes
    content: bytes
    smtputf8: bool = False


class SmtpConnection:
    """A connection, opened on demand. Used by one task at a time.

    `timeout` is in seconds, for the envelope of a mail; its content may take twice as long. A mail takes
    two round trips (envelope with DATA, content) if the server supports PIPELINING, and four otherwise.
    """

    def __init__(self, address: SmtpAddress, *, timeout: float, local_hostname: str | None = None) -> None:
        self._address = address
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._protocol: SmtpProtocol | None = None
        self._pipelining = self._smtputf8 = False
        # Whether a refused mail is unfinished, so that RSET is needed.
        self._must_reset = False

    @property
    def connected(self) -> bool:
        """Whether the connection is open, as far as known."""
        return self._protocol is not None and self._protocol.is_open

    async def open(self) -> None:
        """Connect, with TLS and login as the address says. Raises SmtpConnectError, SmtpRefusedError."""
        address = self._address
        self.drop()
        client = SMTP(
            hostname=address.host,
            port=address.port,
            username=address.user or None,
            password=address.password or None,
            use_tls=address.tls,
            start_tls=None if address.tls else {"auto": None, "require": True, "never": False}[address.starttls],
            tls_context=address.tls_context,
            timeout=min(self._timeout, LONGEST_GREETING),
            local_hostname=self._local_hostname,
        )
        try:
            await client.connect()
            # EHLO is sent again after TLS has begun (RFC 3207).
            if client.is_ehlo_or_helo_needed:
                await _greet(client)
        except SMTPResponseException as error:
            client.close()
            stage = Stage.LOGIN if isinstance(error, SMTPAuthenticationError) else Stage.GREETING
            refused = classify(error.code, enhanced_code(error.message), stage) is Verdict.REFUSES_WORK
            kind = SmtpRefusedError if refused else SmtpConnectError
            raise kind(_shown(error.code, error.message)) from None
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise SmtpConnectError(_SPACE.sub(" ", str(error)) or type(error).__name__) from None
        self._pipelining = client.supports_extension("pipelining")
        self._smtputf8 = client.supports_extension("smtputf8")
        if client.transport is None:
            raise SmtpConnectError("Connection lost")
        # aiosmtplib sends one command at a time, so our own protocol takes over here.
        self._protocol, self._must_reset = SmtpProtocol.taking_over(client.transport), False

    async def send(
        self, envelope: Envelope, *, begin_by: float = math.inf, journal: Journal | None = None, number: int = 0
    ) -> Outcome:
        """Send a mail. The connection may be lost afterwards: see `connected`.

        After `begin_by`, by the loop's clock, it is not begun. The `journal` knows it by its `number`.
        """
        mail = _Progress(journal, number)
        protocol = self._protocol
        if protocol is None or not protocol.is_open:
            return mail.lost("Connection lost")
        try:
            await protocol.converse(self._deliver(protocol, envelope, mail, begin_by))
        except (SmtpDisconnectedError, OSError, TimeoutError) as error:
            self.drop()
            return mail.lost(_SPACE.sub(" ", str(error)) or type(error).__name__)
        except (asyncio.CancelledError, JournalError):
            self.drop()
            return mail.stopped()
        return mail.outcome or mail.lost("Connection lost")

    async def close(self) -> None:
        """Send QUIT if the connection is open, and close it."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            with suppress(SmtpDisconnectedError, OSError, TimeoutError):
                protocol.allow(min(2.0, self._timeout))
                await protocol.converse(_quit(protocol))
            protocol.close()
            with suppress(TimeoutError):
                # TLS has a closing handshake of its own.
                async with asyncio.timeout(min(2.0, self._timeout)):
                    await protocol.wait_closed()

    def drop(self) -> None:
        """Close the connection without QUIT."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.close()

    def _deliver(self, protocol: SmtpProtocol, envelope: Envelope, mail: _Progress, begin_by: float) -> Dialogue:
        if envelope.smtputf8 and not self._smtputf8:
            mail.decide(Verdict.FAILED, "The server takes no address with such letters before the @.")
            return
        if _BREAK.search(envelope.mail_from + envelope.rcpt_to):
            mail.decide(Verdict.FAILED, "An address has a line break in it.")
            return
        protocol.allow(self._timeout)
        waits_for_content = yield from self._prepare(protocol, envelope, mail, begin_by)
        if mail.outcome is None:
            content = envelope.content
            if _BEHIND_LINE.search(content) or content.startswith(b"."):
                content = _AT_LINE.sub(b"..", content)
            # Without its end the server has no mail (RFC 5321 4.1.1.4); from here on it may have all of it.
            mail.begin_content()
            protocol.allow(self._timeout * CONTENT_PATIENCE)
            protocol.write(content + b".\r\n")
            reply = yield
            self._hear(reply, mail)
            if mail.outcome is None:
                mail.decide(Verdict.ACCEPTED, _shown(*reply))
                return
        elif waits_for_content:
            if mail.accepted:
                # It would accept an empty mail for this recipient.
                self.drop()
                return
            # It refused the recipient but still expects a mail: send an empty one (RFC 2920 3.1).
            protocol.allow(self._timeout)
            protocol.write(b".\r\n")
            yield
        # RSET goes with the next mail: connections to servers slow to answer after a refusal are closed instead.
        self._must_reset = True

    def _prepare(
        self, protocol: SmtpProtocol, envelope: Envelope, mail: _Progress, begin_by: float
    ) -> Generator[None, Reply, bool]:
        """Send MAIL, RCPT and DATA; return whether the server waits for the content."""
        options = b" SMTPUTF8" if envelope.smtputf8 else b""
        stages, commands = (
            _STAGES,
            [
                b"MAIL FROM:<%b>%b\r\n" % (envelope.mail_from, options),
                b"RCPT TO:<%b>\r\n" % envelope.rcpt_to,
                b"DATA\r\n",
            ],
        )
        if self._must_reset:
            stages, commands = (Stage.RSET, *stages), [b"RSET\r\n", *commands]
            self._must_reset = False
        if self._pipelining:
            protocol.write(b"".join(commands))
        waits_for_content = False
        for stage, command in zip(stages, commands, strict=True):
            mail.stage = stage
            if not self._pipelining:
                if stage is Stage.MAIL and asyncio.get_running_loop().time() > begin_by:
                    # RSET timed out.
                    mail.decide(Verdict.BUSY, "")
                    break
                protocol.write(command)
            reply = yield
            self._hear(reply, mail)
            waits_for_content = stage is _DATA and reply.code // 100 == 3
            mail.accepted |= stage is _RCPT and reply.code // 100 == 2
            if mail.outcome is not None and not self._pipelining:
                break
        return waits_for_content

    def _hear(self, reply: Reply, mail: _Progress) -> None:
        """Let a reply decide the outcome, unless an earlier one has."""
        mail.hear(reply)
        if closes(reply.code):
            self.drop()


class _Progress:
    """Progress of a mail: the stage whose reply is awaited, and the outcome once it is known."""

    def __init__(self, journal: Journal | None, number: int) -> None:
        self._journal = journal
        self._number = number
        self.stage = Stage.MAIL
        self.outcome: Outcome | None = None
        # Whether the server has accepted the recipient.
        self.accepted = False

    def begin_content(self) -> None:
        """Record that the server gets the content. Raises JournalError if it must not."""
        if self._journal is not None:
            self._journal.intend(self._number)
        self.stage = Stage.CONTENT

    def hear(self, reply: Reply) -> None:
        """Record the first reply that stops the mail."""
        if reply.code == (_GO_ON if self.stage is _DATA else _OK):
            # By far the most replies are these.
            return
        # No enhanced code makes a success anything else.
        enhanced = "" if 200 <= reply.code < 300 else enhanced_code(reply.text)
        verdict = classify(reply.code, enhanced, self.stage)
        if self.outcome is None and verdict is not Verdict.ACCEPTED:
            self.decide(verdict, _shown(*reply))

    def decide(self, verdict: Verdict, reply: str) -> None:
        """Record the outcome of the mail at its current stage."""
        self.outcome = Outcome(verdict=verdict, stage=self.stage, reply=reply)
        if self._journal is not None:
            self._journal.note(self._number, self.outcome, now())

    def lost(self, why: str) -> Outcome:
        """Return the outcome after the connection ended; an earlier outcome stands."""
        verdict = classify(None, "", self.stage)
        return self.outcome or Outcome(verdict=verdict, stage=self.stage, reply=why[:LONGEST_REPLY])

    def stopped(self) -> Outcome:
        """Return the outcome after we ended the connection: unknown only for a mail that was sent whole."""
        if self.stage is Stage.CONTENT:
            return self.lost("The sending was stopped before the server's reply came.")
        return self.outcome or Outcome(verdict=Verdict.BUSY, stage=self.stage, reply="")


def _quit(protocol: SmtpProtocol) -> Dialogue:
    protocol.write(b"QUIT\r\n")
    yield


async def _greet(client: SMTP) -> None:
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


def _shown(code: int, text: str) -> str:
    # A reply is untrusted bytes.
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return f"{code} {' '.join(text.split())}".replace("\0", "")[:LONGEST_REPLY].rstrip()
