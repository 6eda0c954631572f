"""Sends one and the same message by aiosmtplib, over several connections at once, each of which sends without a pause.

    python bench/peers/aiosmtplib_constant.py port connections mails message.eml [plain]

The loop is uvloop, which is faster here than the one of the standard library; `plain` takes that one.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop
from aiosmtplib import SMTP

PORT, CONNECTIONS, MAILS = (int(text) for text in sys.argv[1:4])
MESSAGE = Path(sys.argv[4]).read_bytes()
PLAIN = sys.argv[5:] == ["plain"]


async def main() -> None:
    """Send all of them."""
    left = iter(range(MAILS))

    async def carry() -> None:
        async with SMTP(hostname="127.0.0.1", port=PORT, start_tls=False) as client:
            for _ in left:
                await client.sendmail("ann@example.com", ["bob@example.org"], MESSAGE)

    await asyncio.gather(*(carry() for _ in range(CONNECTIONS)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=None if PLAIN else uvloop.new_event_loop) as runner:
        runner.run(main())
