"""An SMTP server for tests: keeps what it accepts, and refuses some, always the same ones. A program of its own.

    python sink.py --port 2525 --log accepted.jsonl [--deferred 5] [--refused 1] [--mails folder] [--hold file]

Each accepted mail is a line of JSON in the log, on disk before the reply: Message-ID and recipient. Of all recipients
`deferred` percent are answered 4xx the first time and `refused` percent 5xx, half of them at RCPT and half after DATA.
While the file `hold` is there, no mail gets a reply: all of them are under way.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import signal
import ssl
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>]+>)", re.MULTILINE)


def fate(recipient: str, deferred: int, refused: int) -> str:
    """What this sink does to the recipient: "", "deferred" or "refused"."""
    share = hashlib.sha256(recipient.encode()).digest()[0] * 100 / 256
    return "refused" if share < refused else "deferred" if share < refused + deferred else ""


class Handler:
    """What aiosmtpd asks."""

    def __init__(self, log: Path, mails: Path | None, deferred: int, refused: int, hold: Path | None = None) -> None:
        self._hold = hold
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._mails = mails
        self._shares = (deferred, refused)
        self._seen: set[str] = set()

    def _refusal(self, recipient: str, stage: int) -> str | None:
        if hashlib.sha256(recipient.encode()).digest()[1] % 2 != stage:
            return None
        what = fate(recipient, *self._shares)
        if what == "refused":
            return "550 5.1.1 No such mailbox"
        if what == "deferred" and recipient not in self._seen:
            self._seen.add(recipient)
            return "451 4.7.1 Come back later"
        return None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if refusal := self._refusal(address, 0):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        (recipient,) = envelope.rcpt_tos
        while self._hold is not None and self._hold.exists():
            await asyncio.sleep(0.02)
        if refusal := self._refusal(recipient, 1):
            return refusal
        found = MESSAGE_ID.search(envelope.content)
        message_id = found[1].decode() if found else ""
        line = {
            "id": message_id,
            "to": recipient,
            "from": envelope.mail_from,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "user": session.auth_data or "",
        }
        os.write(self._log, json.dumps(line).encode() + b"\n")
        if self._mails is not None:
            (self._mails / f"{message_id.strip('<>')}.eml").write_bytes(envelope.content)
        return "250 2.0.0 Accepted"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """One user, one password."""
    if data.login == b"user" and data.password == b"pass:word":
        return AuthResult(success=True, auth_data="user")
    return AuthResult(success=False, handled=False)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    handler = Handler(arguments.log, arguments.mails, arguments.deferred, arguments.refused, arguments.hold)
    context = None
    if arguments.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate)
    options: dict[str, Any] = {"enable_SMTPUTF8": True, "hostname": "sink.example", "ident": "sink"}
    if context is not None and not arguments.tls:
        options |= {"tls_context": context, "require_starttls": False}
    if arguments.auth:
        options |= {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": context is not None and not arguments.tls,
        }
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, **options),
        "127.0.0.1",
        arguments.port,
        ssl=context if arguments.tls else None,
        reuse_address=True,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--mails", type=Path)
    parser.add_argument("--hold", type=Path)
    parser.add_argument("--deferred", type=int, default=0)
    parser.add_argument("--refused", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--auth", action="store_true")
    asyncio.run(serve(parser.parse_args()))
