"""One connection to the SMTP server, over which mails go one after another, and what became of each."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPHeloError, SMTPResponseException

from soapstone.sending.smtp_address import SmtpAddress
from soapstone.sending.smtp_dialogue import Dialogue, Lost, Reply, taken_over

# What is kept of a reply.
LONGEST_REPLY = 500

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
    """What became of a mail: "handed" over, "deferred" or "failed" by the server's reply, "uncertain" when it was on
    its way and no reply came, "untouched" when the server has not got it for sure, though nobody refused it."""

    state: Literal["handed", "deferred", "failed", "uncertain", "untouched"]
    reply: str


class SmtpConnection:
    """A connection, opened when it is wanted. Used by one task at a time; `timeout` is in seconds for each mail.

    A mail takes two turns where the server has PIPELINING, and four where it has not: its envelope with DATA, and its
    content.
    """

    def __init__(self, address: SmtpAddress, *, timeout: float, local_hostname: str | None = None) -> None:
        self._address = address
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._dialogue: Dialogue | None = None
        self._pipelining = self._international = False

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
            tls_context=address.tls_context(),
            timeout=self._timeout,
            local_hostname=self._local_hostname,
        )
        try:
            await client.connect()
            # What a server can do is asked again after TLS has begun (RFC 3207).
            if client.is_ehlo_or_helo_needed:
                await _greet(client)
        except SMTPAuthenticationError as error:
            client.close()
            # 454 is a failure of the server's own, and passes (RFC 4954).
            kind = NotConnected if error.code < 500 else Refused
            raise kind(_shown(error.code, error.message)) from None
        except SMTPResponseException as error:
            client.close()
            raise NotConnected(_shown(error.code, error.message)) from None
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise NotConnected(_SPACE.sub(" ", str(error)) or type(error).__name__) from None
        self._pipelining = client.supports_extension("pipelining")
        self._international = client.supports_extension("smtputf8")
        if client.transport is None:
            raise NotConnected("Connection lost")
        # aiosmtplib lets one command be under way at a time, so from here on the dialogue is ours.
        self._dialogue = taken_over(client.transport)

    async def hand(self, letter: Letter) -> Outcome:
        """Hand a mail over. The connection may be lost afterwards: see `connected`."""
        dialogue = self._dialogue
        if dialogue is None or not dialogue.open:
            return Outcome(state="untouched", reply="")
        stage = _Stage()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._deliver(dialogue, letter, stage)
        except (Lost, OSError, TimeoutError) as error:
            self.drop()
            if stage.refusal is not None:
                return self._refusal(stage.refusal)
            text = _SPACE.sub(" ", str(error)) or type(error).__name__
            return Outcome(state="uncertain" if stage.sent else "untouched", reply=text[:LONGEST_REPLY])
        except asyncio.CancelledError:
            self.drop()
            if not stage.sent:
                return Outcome(state="untouched", reply="")
            return Outcome(state="uncertain", reply="The sending was stopped before the server's reply came.")

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

    async def _deliver(self, dialogue: Dialogue, letter: Letter, stage: _Stage) -> Outcome:
        if letter.international and not self._international:
            return Outcome(state="failed", reply="The server takes no address with such letters before the @.")
        if _BREAK.search(letter.sender + letter.recipient):
            return Outcome(state="failed", reply="An address has a line break in it.")
        ready = await self._prepare(dialogue, letter, stage)
        if stage.refusal is None:
            content = letter.content
            if b"\n." in content or content.startswith(b"."):
                content = _AT_LINE.sub(b"..", content)
            # Whoever has everything but the end has no mail (RFC 5321, 4.1.1.4); from here on it may have all of it.
            stage.sent = True
            dialogue.say(content + b".\r\n")
            reply = await dialogue.reply()
            stage.sent = False
            if reply.code == 250:
                return Outcome(state="handed", reply=_shown(*reply))
            stage.refusal = reply
        elif ready:
            # It refused the envelope and waits for a mail all the same: it gets none (RFC 2920, 3.1).
            dialogue.say(b".\r\n")
            await dialogue.reply()
        outcome = self._refusal(stage.refusal)
        if dialogue.open:
            dialogue.say(b"RSET\r\n")
            await dialogue.reply()
        return outcome

    async def _prepare(self, dialogue: Dialogue, letter: Letter, stage: _Stage) -> bool:
        """Say the envelope and DATA; whether the server waits for the mail. The first refusal is in the stage."""
        options = b" SMTPUTF8" if letter.international else b""
        commands = (
            (b"MAIL FROM:<" + letter.sender + b">" + options + b"\r\n", (250,)),
            (b"RCPT TO:<" + letter.recipient + b">\r\n", (250, 251)),
            (b"DATA\r\n", (354,)),
        )
        if self._pipelining:
            dialogue.say(b"".join(command for command, _ in commands))
        ready = False
        for command, wanted in commands:
            if not self._pipelining:
                dialogue.say(command)
            reply = await dialogue.reply()
            ready = reply.code == 354
            if reply.code not in wanted and stage.refusal is None:
                stage.refusal = reply
                if not self._pipelining:
                    break
        return ready

    def _refusal(self, reply: Reply) -> Outcome:
        if reply.code == 421:
            # The server closes the connection; that says nothing of this mail.
            self.drop()
            return Outcome(state="untouched", reply=_shown(*reply))
        state: Literal["failed", "deferred"] = "failed" if 500 <= reply.code < 600 else "deferred"
        return Outcome(state=state, reply=_shown(*reply))


class _Stage:
    """How far a mail is: whether the whole of it was sent and its reply has not come, and what refused it."""

    sent = False
    refusal: Reply | None = None


async def _greet(client: SMTP) -> None:
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


def _shown(code: int, text: str) -> str:
    # A reply is bytes of somebody else.
    text = _SPACE.sub(" ", text).strip().encode("utf-8", "replace").decode().replace("\0", "")
    return f"{code} {text}"[:LONGEST_REPLY].rstrip()
