"""Turns of calls that keep much."""

from __future__ import annotations

import asyncio
import time

import pytest

from soapstone.wire import large_calls
from soapstone.wire.large_calls import SLOWEST, TIERS, Busy, LargeCalls

SMALL, MIDDLE = TIERS[0][0], TIERS[1][0]


def test_small_calls_wait_for_nothing() -> None:
    calls = LargeCalls()
    for turns in calls.turns:
        turns._value = 0
    asyncio.run(calls.turn().hold(SMALL, SMALL))


def test_the_largest_come_one_after_another() -> None:
    async def scenario() -> int:
        calls, at_once, most = LargeCalls(), 0, 0

        async def call() -> None:
            nonlocal at_once, most
            turn = calls.turn()
            for kept in (SMALL + 1, MIDDLE + 1, 10 * MIDDLE):
                await turn.hold(kept, kept)
                await asyncio.sleep(0)
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            turn.end()

        await asyncio.gather(*(call() for _ in range(50)))
        return most

    assert asyncio.run(scenario()) == TIERS[2][1]


def test_a_call_whose_turn_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_calls, "PATIENCE", 0.01)

    async def scenario() -> None:
        calls = LargeCalls()
        held = [calls.turn() for _ in range(TIERS[1][1])]
        for each in held:
            await each.hold(SMALL + 1, SMALL + 1)
        late = calls.turn()
        with pytest.raises(Busy):
            await late.hold(SMALL + 1, SMALL + 1)
        held.pop().end()
        await late.hold(SMALL + 1, SMALL + 1)

    asyncio.run(scenario())


def test_a_slow_call_loses_its_turn_when_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_calls, "PATIENCE", 0.2)

    async def scenario() -> None:
        calls = LargeCalls()
        slow, quick, late = (calls.turn() for _ in range(3))
        await slow.hold(MIDDLE + 1, MIDDLE + 1)
        slow._began = quick._began = time.monotonic() - 60
        # Nobody waits, so that it may go on.
        await slow.hold(MIDDLE + 2, MIDDLE + 2)
        waiting = asyncio.create_task(late.hold(MIDDLE + 1, MIDDLE + 1))
        await asyncio.sleep(0)
        # So much in a minute is quick enough.
        await slow.hold(MIDDLE + 3, 60 * SLOWEST)
        with pytest.raises(Busy, match="slowly"):
            await slow.hold(MIDDLE + 3, 59 * SLOWEST)
        slow.end()
        await waiting

    asyncio.run(scenario())
