"""One connection to the SMTP server, over which mails go one after another, and what the server says of each."""

from __future__ import annotations

import asyncio
import math
import re
from contextlib import suppress
from dataclasses import dataclass

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPHeloError, SMTPResponseException

from soapstone.sending.smtp.protocol import Dialogue, Lost, Reply, taken_over
from soapstone.sending.smtp.replies import UNTOUCHED, Stage, Verdict, classify, closes
from soapstone.sending.smtp.url import SmtpAddress

# What is kept of a reply.
LONGEST_REPLY = 500
# How much longer than for an envelope the server may take for a mail: filters read it first. RFC 5321 4.5.3.2 wants ten
# minutes where it wants five for a command, and a client that leaves too early sends a mail twice.
CONTENT_PATIENCE = 2
# Seconds at most for connecting and greeting.
LONGEST_GREETING = 60.0

_SPACE = re.compile(r"\s+")
_AT_LINE = re.compile(rb"(?m)^\.")
# What would end a command.
_BREAK = re.compile(rb"[\r\n\0]")


class NotConnected(Exception):
    """The server cannot be reached or does not want us now; the text says why."""


class Refused(Exception):
    """The server does not take mail from us at all, such as for a wrong password; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A mail with its envelope: ASCII addresses, but for letters before the @ (`international`); lines end in CR LF."""

    sender: bytes
    recipient: bytes
    content: bytes
    international: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the server said of a mail: the reply that decides, at which stage it came, and what it means."""

    verdict: Verdict
    stage: Stage
    reply: str

    @property
    def took_up(self) -> bool:
        """Whether the server accepted MAIL and said what it does with the mail: only then it works."""
        return self.verdict not in UNTOUCHED and self.stage in (Stage.RCPT, Stage.DATA, Stage.CONTENT)


class SmtpConnection:
    """A connection, opened when it is wanted. Used by one task at a time.

    The server may take `timeout` seconds for the envelope of a mail, and twice as long for its content. A mail takes
    two turns where the server has PIPELINING, and four where it has not: its envelope with DATA, and its content.
    """

    def __init__(self, address: SmtpAddress, *, timeout: float, local_hostname: str | None = None) -> None:
        self._address = address
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._dialogue: Dialogue | None = None
        self._pipelining = self._international = False
        # Whether the server is in the middle of a mail that was refused.
        self._must_reset = False

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._dialogue is not None and self._dialogue.open

    async def open(self) -> None:
        """Connect, with TLS and a login as the address says. Raises NotConnected, Refused."""
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
            # What a server can do is asked again after TLS has begun (RFC 3207).
            if client.is_ehlo_or_helo_needed:
                await _greet(client)
        except SMTPResponseException as error:
            client.close()
            stage = Stage.LOGIN if isinstance(error, SMTPAuthenticationError) else Stage.GREETING
            refused = classify(stage, error.code, error.message) is Verdict.REFUSES_WORK
            raise (Refused if refused else NotConnected)(_shown(error.code, error.message)) from None
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise NotConnected(_SPACE.sub(" ", str(error)) or type(error).__name__) from None
        self._pipelining = client.supports_extension("pipelining")
        self._international = client.supports_extension("smtputf8")
        if client.transport is None:
            raise NotConnected("Connection lost")
        # aiosmtplib lets one command be under way at a time, so from here on the dialogue is ours.
        self._dialogue, self._must_reset = taken_over(client.transport), False

    async def hand(self, letter: Letter, *, begin_by: float = math.inf) -> Outcome:
        """Hand a mail over. The connection may be lost afterwards: see `connected`.

        After `begin_by`, by the loop's clock, it is not begun any more.
        """
        mail = _Progress()
        dialogue = self._dialogue
        if dialogue is None or not dialogue.open:
            return mail.lost("Connection lost")
        try:
            await self._deliver(dialogue, letter, mail, begin_by)
        except (Lost, OSError, TimeoutError) as error:
            self.drop()
            return mail.lost(_SPACE.sub(" ", str(error)) or type(error).__name__)
        except asyncio.CancelledError:
            self.drop()
            return mail.stopped()
        return mail.outcome or mail.lost("Connection lost")

    async def close(self) -> None:
        """Say goodbye, if the server listens."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            with suppress(Lost, OSError, TimeoutError):
                async with asyncio.timeout(min(2.0, self._timeout)):
                    dialogue.say(b"QUIT\r\n")
                    await dialogue.reply()
            dialogue.close()
            with suppress(TimeoutError):
                # TLS has an end of its own.
                async with asyncio.timeout(min(2.0, self._timeout)):
                    await dialogue.gone()

    def drop(self) -> None:
        """Let go of the connection without a word."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.close()

    async def _deliver(self, dialogue: Dialogue, letter: Letter, mail: _Progress, begin_by: float) -> None:
        if letter.international and not self._international:
            mail.refuse("The server takes no address with such letters before the @.")
            return
        if _BREAK.search(letter.sender + letter.recipient):
            mail.refuse("An address has a line break in it.")
            return
        async with asyncio.timeout(self._timeout):
            waits_for_content = await self._prepare(dialogue, letter, mail, begin_by)
        if mail.outcome is None:
            content = letter.content
            if b"\n." in content or content.startswith(b"."):
                content = _AT_LINE.sub(b"..", content)
            # The server has no mail before it has its end (RFC 5321 4.1.1.4); from here on it may have all of it.
            mail.stage = Stage.CONTENT
            async with asyncio.timeout(self._timeout * CONTENT_PATIENCE):
                dialogue.say(content + b".\r\n")
                reply = await dialogue.reply()
            self._heard(reply, mail)
            if mail.outcome is None:
                mail.take(reply)
                return
        elif waits_for_content:
            if mail.accepted:
                # It would take an empty mail for this recipient.
                self.drop()
                return
            # It refused the recipient and waits for a mail all the same: it gets an empty one (RFC 2920 3.1).
            async with asyncio.timeout(self._timeout):
                dialogue.say(b".\r\n")
                await dialogue.reply()
        # With the next mail: servers that are slow to answer after a refusal are left instead.
        self._must_reset = True

    async def _prepare(self, dialogue: Dialogue, letter: Letter, mail: _Progress, begin_by: float) -> bool:
        """Say the envelope and DATA; whether the server waits for the content."""
        options = b" SMTPUTF8" if letter.international else b""
        commands = [
            (Stage.MAIL, b"MAIL FROM:<" + letter.sender + b">" + options + b"\r\n"),
            (Stage.RCPT, b"RCPT TO:<" + letter.recipient + b">\r\n"),
            (Stage.DATA, b"DATA\r\n"),
        ]
        if self._must_reset:
            commands.insert(0, (Stage.RSET, b"RSET\r\n"))
            self._must_reset = False
        if self._pipelining:
            dialogue.say(b"".join(command for _, command in commands))
        waits_for_content = False
        for stage, command in commands:
            mail.stage = stage
            if not self._pipelining:
                if stage is Stage.MAIL and asyncio.get_running_loop().time() > begin_by:
                    # The reply to RSET took too long.
                    mail.put_off()
                    break
                dialogue.say(command)
            reply = await dialogue.reply()
            self._heard(reply, mail)
            waits_for_content = stage is Stage.DATA and reply.code // 100 == 3
            mail.accepted |= stage is Stage.RCPT and reply.code // 100 == 2
            if mail.outcome is not None and not self._pipelining:
                break
        return waits_for_content

    def _heard(self, reply: Reply, mail: _Progress) -> None:
        """Let a reply decide over the mail, unless an earlier one has."""
        mail.hear(reply)
        if closes(reply.code):
            self.drop()


class _Progress:
    """How far a mail is: the stage whose reply is awaited, and what the server said of it, once that is known."""

    def __init__(self) -> None:
        self.stage = Stage.MAIL
        self.outcome: Outcome | None = None
        # Whether the server has accepted the recipient.
        self.accepted = False

    def hear(self, reply: Reply) -> None:
        """Note the first reply that does not let the dialogue go on."""
        verdict = classify(self.stage, *reply)
        if self.outcome is None and verdict is not Verdict.ACCEPTED:
            self.outcome = Outcome(verdict=verdict, stage=self.stage, reply=_shown(*reply))

    def take(self, reply: Reply) -> None:
        """Note that the server has taken the mail."""
        self.outcome = Outcome(verdict=Verdict.ACCEPTED, stage=self.stage, reply=_shown(*reply))

    def put_off(self) -> None:
        """Note that the mail is not offered now."""
        self.outcome = Outcome(verdict=Verdict.BUSY, stage=self.stage, reply="")

    def refuse(self, why: str) -> None:
        """Note that the mail cannot be offered to this server."""
        self.outcome = Outcome(verdict=Verdict.FAILED, stage=Stage.MAIL, reply=why)

    def lost(self, why: str) -> Outcome:
        """Return the outcome when the connection has ended; what was said before stands."""
        verdict = classify(self.stage, None)
        return self.outcome or Outcome(verdict=verdict, stage=self.stage, reply=why[:LONGEST_REPLY])

    def stopped(self) -> Outcome:
        """Return the outcome when we ended the dialogue: only a mail that was sent whole is in doubt."""
        if self.stage is Stage.CONTENT:
            return self.lost("The sending was stopped before the server's reply came.")
        return self.outcome or Outcome(verdict=Verdict.BUSY, stage=self.stage, reply="")


async def _greet(client: SMTP) -> None:
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


def _shown(code: int, text: str) -> str:
    # A reply is bytes of somebody else.
    text = _SPACE.sub(" ", text).strip().encode("utf-8", "replace").decode().replace("\0", "")
    return f"{code} {text}"[:LONGEST_REPLY].rstrip()
