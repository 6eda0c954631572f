"""The gate: nothing of a call goes on while the records are replaced."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from soapstone.testing import gate
from soapstone.testing.gate import Gate

Message = MutableMapping[str, Any]


async def _nothing_comes() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _nothing_goes(_: Message) -> None:
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PATIENCE", 0.05)


def test_a_call_that_works_in_a_thread_is_over_before_the_records_are_replaced() -> None:
    go, over = threading.Event(), []

    def work() -> None:
        go.wait(10)
        over.append("work")

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await run_in_threadpool(work)

    async def run() -> None:
        guarded = Gate(app)
        call = asyncio.ensure_future(guarded({}, _nothing_comes, _nothing_goes))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.3, go.set)
        await guarded.hold()
        assert over == ["work"]
        await call

    asyncio.run(run())


def test_a_call_that_waits_for_its_client_sees_it_gone() -> None:
    seen = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start"})
        seen.append(await receive())
        seen.append(await receive())

    async def run() -> None:
        guarded = Gate(app)
        call = asyncio.ensure_future(guarded({}, _nothing_comes, _nothing_goes))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await guarded.hold()
        assert seen == [{"type": "http.disconnect"}] * 2
        await call

    asyncio.run(run())
