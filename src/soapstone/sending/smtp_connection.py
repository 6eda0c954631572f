"""One connection to the SMTP server, over which mails go one after another, and what became of each."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Literal

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from soapstone.sending.smtp_address import SmtpAddress

# What is kept of a reply.
LONGEST_REPLY = 500

_SPACE = re.compile(r"\s+")
_AT_LINE = re.compile(rb"(?m)^\.")


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
    """A connection, opened when it is wanted. Used by one task at a time; `timeout` is in seconds for each mail."""

    def __init__(self, address: SmtpAddress, *, timeout: float, local_hostname: str | None = None) -> None:
        self._address = address
        self._timeout = timeout
        self._local_hostname = local_hostname
        self._client: SMTP | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._client is not None and self._client.is_connected

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
        self._client = client

    async def hand(self, letter: Letter) -> Outcome:
        """Hand a mail over. The connection may be lost afterwards: see `connected`."""
        client = self._client
        protocol = client.protocol if client is not None else None
        if client is None or protocol is None or not client.is_connected:
            return Outcome(state="untouched", reply="")
        stage = _Stage()
        try:
            async with asyncio.timeout(self._timeout):
                outcome = await self._dialogue(client, protocol, letter, stage)
        except (SMTPException, OSError, TimeoutError) as error:
            self.drop()
            text = _SPACE.sub(" ", str(error)) or type(error).__name__
            return Outcome(state="uncertain" if stage.sent else "untouched", reply=text[:LONGEST_REPLY])
        except asyncio.CancelledError:
            self.drop()
            if not stage.sent:
                return Outcome(state="untouched", reply="")
            return Outcome(state="uncertain", reply="The sending was stopped before the server's reply came.")
        return outcome

    async def close(self) -> None:
        """Say goodbye, if the server listens."""
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            try:
                await client.quit(timeout=min(2.0, self._timeout))
            except (SMTPException, OSError, TimeoutError):
                pass
            finally:
                client.close()

    def drop(self) -> None:
        """Let go of the connection without a word."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _dialogue(self, client: SMTP, protocol: SMTPProtocol, letter: Letter, stage: _Stage) -> Outcome:
        options = b""
        if letter.international:
            if not client.supports_extension("smtputf8"):
                return Outcome(state="failed", reply="The server takes no address with such letters before the @.")
            options = b" SMTPUTF8"
        reply = await protocol.execute_command(b"MAIL FROM:<" + letter.sender + b">" + options)
        if reply.code == 250:
            reply = await protocol.execute_command(b"RCPT TO:<" + letter.recipient + b">")
            if reply.code in (250, 251):
                reply = await protocol.execute_command(b"DATA")
                if reply.code == 354:
                    content = letter.content
                    if b"\n." in content or content.startswith(b"."):
                        content = _AT_LINE.sub(b"..", content)
                    protocol.write(content)
                    # Whoever has everything but the end has no mail (RFC 5321, 4.1.1.4).
                    stage.sent = True
                    protocol.write(b".\r\n")
                    reply = await protocol.read_response()
                    stage.sent = False
                    if reply.code == 250:
                        return Outcome(state="handed", reply=_shown(*reply))
                    return self._refusal(reply)
        outcome = self._refusal(reply)
        if client.is_connected:
            try:
                await protocol.execute_command(b"RSET")
            except (SMTPException, OSError):
                self.drop()
        return outcome

    def _refusal(self, reply: SMTPResponse) -> Outcome:
        if reply.code == 421:
            # The server closes the connection; that says nothing of this mail.
            self.drop()
            return Outcome(state="untouched", reply=_shown(*reply))
        state: Literal["failed", "deferred"] = "failed" if 500 <= reply.code < 600 else "deferred"
        return Outcome(state=state, reply=_shown(*reply))


class _Stage:
    """Whether the whole mail was sent and its reply has not come."""

    sent = False


def _shown(code: int, text: str) -> str:
    # A reply is bytes of somebody else.
    text = _SPACE.sub(" ", text).strip().encode("utf-8", "replace").decode().replace("\0", "")
    return f"{code} {text}"[:LONGEST_REPLY].rstrip()
