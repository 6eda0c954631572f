"""The pace at which bodies are taken whose answer is known already.

Clients that send all before they read need that their bodies are taken to the end. Many that send refused bodies at
full speed would leave the event loop no time for the calls of others.
"""

import asyncio
import time

RATE = 100e6
"""Bytes a second, of all connections of the process together."""

_free_at = 0.0


async def pace(size: int) -> None:
    """Wait until `size` more bytes may have been taken."""
    global _free_at
    now = time.monotonic()
    _free_at = max(_free_at, now) + size / RATE
    if _free_at - now > 0.001:
        await asyncio.sleep(_free_at - now)
