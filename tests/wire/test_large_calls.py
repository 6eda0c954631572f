"""Turns of calls that keep much."""

from __future__ import annotations

import asyncio

import pytest

from soapstone.wire import large_calls
from soapstone.wire.large_calls import TIERS, Busy, LargeCalls

SMALL, MIDDLE = TIERS[0][0], TIERS[1][0]


def test_small_calls_wait_for_nothing() -> None:
    turn = LargeCalls().turn()
    assert not turn.too_small(SMALL)
    assert turn.too_small(SMALL + 1)


def test_the_largest_come_one_after_another() -> None:
    async def scenario() -> int:
        calls, at_once, most = LargeCalls(), 0, 0

        async def call() -> None:
            nonlocal at_once, most
            turn = calls.turn()
            for kept in (SMALL + 1, MIDDLE + 1, 10 * MIDDLE):
                await turn.widen(kept)
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
            await each.widen(SMALL + 1)
        late = calls.turn()
        with pytest.raises(Busy):
            await late.widen(SMALL + 1)
        held.pop().end()
        await late.widen(SMALL + 1)

    asyncio.run(scenario())
