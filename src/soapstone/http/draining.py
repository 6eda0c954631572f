"""The rate limit for reading bodies of requests that are already refused.

Clients that send everything before they read need their bodies read to the end. Many refused bodies at
full speed would leave the event loop no time for other calls.
"""

import asyncio
import time

RATE = 100e6
"""Bytes per second, for all connections of the process together."""

_free_at = 0.0


async def pace(size: int) -> None:
    """Wait until `size` more bytes may be read."""
    global _free_at
    now = time.monotonic()
    _free_at = max(_free_at, now) + size / RATE
    if _free_at - now > 0.001:
        await asyncio.sleep(_free_at - now)
