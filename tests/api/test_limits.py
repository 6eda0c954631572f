"""What a request may hold: nobody fills the memory, with or without a login."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from soapstone.api.authentication import CHALLENGE
from soapstone.api.limits import JSON_BYTES

PROBLEM = "application/problem+json"


def body(size: int) -> Iterator[bytes]:
    """A JSON body of about that size, sent in pieces without a length."""
    yield b'{"name": "'
    for _ in range(size >> 16):
        yield b"x" * (1 << 16)
    yield b'"}'


@pytest.mark.parametrize(("auth", "status"), [(None, 401), (("demo", "wrong"), 401), (("demo", "demo"), 413)])
def test_a_body_that_is_too_large(served: Any, auth: Any, status: int) -> None:
    for content in (body(4 * JSON_BYTES), b'{"name": "' + b"x" * 4 * JSON_BYTES + b'"}'):
        with httpx.Client(base_url=f"{served.base}/api/v1", auth=auth, timeout=30) as client:
            answer = client.post("/lists", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


@pytest.mark.parametrize("path", ["/lists", "/lists/1/imports", "/imports", "/sends"])
def test_no_body_is_read_before_the_credentials(app: Any, path: str) -> None:
    """A refused caller's body is not taken from the server at all."""
    sent = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/api/v1{path}",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"2")],
        "client": ("127.0.0.1", 4711),
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 401
    assert (b"www-authenticate", CHALLENGE.encode()) in sent[0]["headers"]


def test_a_file_may_be_larger(served: Any) -> None:
    data = b"Email\n" + b"a@example.com\n" * (4 * JSON_BYTES // 14)
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo"), timeout=60) as client:
        answer = client.post("/lists/1/imports?mode=dry_run", content=data, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 202
