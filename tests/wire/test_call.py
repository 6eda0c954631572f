"""What happens to a call whose task is cancelled while the product works on it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.wire.conftest import Kit


def test_a_cancelled_call_waits_for_its_thread_and_discards_its_upload(kit: Kit) -> None:
    driver = kit.driver()
    entered, leave = threading.Event(), threading.Event()
    order: list[str] = []

    def handle(request: Any) -> str:
        entered.set()
        assert leave.wait(20)
        order.append("handled")
        return "done"

    driver.service._Store = handle
    body = kit.envelope(f'<Store xmlns="{kit.namespace}"><text>abc</text></Store>').encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/depot.asmx",
        "headers": [(b"content-type", b"text/xml"), (b"host", b"h")],
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        order.append("sent")

    async def scenario() -> None:
        task = asyncio.ensure_future(driver.app(scope, receive, send))
        await asyncio.get_running_loop().run_in_executor(None, entered.wait, 20)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        leave.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    kit.runner.run(scenario())
    assert order == ["handled"]
    assert [upload.discarded for upload in driver.uploads] == [True]
