"""The pace of bodies that are taken and forgotten."""

from __future__ import annotations

import asyncio
import time

import pytest

from soapstone.http import draining


def test_all_connections_share_one_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "RATE", 1e6)
    monkeypatch.setattr(draining, "_free_at", 0.0)

    async def drain() -> None:
        for _ in range(10):
            await draining.pace(1000)

    async def scenario() -> float:
        began = time.monotonic()
        await asyncio.gather(*(drain() for _ in range(20)))
        return time.monotonic() - began

    # 20 times 10,000 bytes at a million bytes a second.
    assert asyncio.run(scenario()) > 0.19


def test_a_small_rest_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "_free_at", 0.0)
    rest = draining.pace(1000)
    with pytest.raises(StopIteration):
        rest.send(None)
