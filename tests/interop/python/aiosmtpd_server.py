"""aiosmtpd with its defaults, run by ../mail_servers.py: aiosmtpd_server.py PORT LOG USER,…

Users and log are those of ../node/smtp_server.mjs.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP


class Handler:
    """What aiosmtpd asks."""

    def __init__(self, log: Path, users: set[str]) -> None:
        self._log = log.open("a")
        self._users = users
        self._seen: set[str] = set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        user = address.partition("@")[0]
        first = user not in self._seen
        self._seen.add(user)
        if first and re.fullmatch(r"later\d+", user):
            return self._note(address, "451 4.7.1 Come back later")
        if user not in self._users and not re.fullmatch(r"(full|later)\d+", user):
            return self._note(address, "550 5.1.1 No such user")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        (address,) = envelope.rcpt_tos
        found = re.search(rb"(?im)^Message-ID: (\S+)", envelope.content)
        assert found is not None
        reply = "552 5.2.2 The mailbox is full" if address.startswith("full") else "250 OK"
        return self._note(address, reply, found[1].decode())

    def _note(self, address: str, reply: str, message_id: str = "") -> str:
        print(json.dumps({"to": address, "reply": reply, "id": message_id}), file=self._log, flush=True)
        return reply


async def serve(port: int, handler: Handler) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Handler(Path(sys.argv[2]), set(sys.argv[3].split(",")))))
