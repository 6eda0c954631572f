"""Calls from pages of other sites (lk-7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

PAGE = "https://shop.example"
PATH = "/v31/IntegrationService.asmx"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "soapaction"}


@pytest.fixture(scope="module")
def shared(served: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a server that allows one origin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOAPSTONE_ALLOWED_ORIGINS", json.dumps([PAGE]))
        running = type(served)(tmp_path_factory.mktemp("shared") / "data")
    try:
        yield running.base
    finally:
        running.stop()


def call(base: str, origin: str) -> httpx.Response:
    namespace = "http://webservices.listrak.com/v31/"
    body = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><WSUser xmlns="{namespace}">
        <UserName>demo</UserName><Password>demo</Password></WSUser></e:Header><e:Body>
        <GetContactList xmlns="{namespace}"><ListID>1</ListID></GetContactList></e:Body></e:Envelope>"""
    headers = {"Content-Type": "text/xml", "SOAPAction": f"{namespace}GetContactList", "Origin": origin}
    return httpx.post(base + PATH, content=body, headers=headers)


def test_an_allowed_page_may_call(shared: str) -> None:
    asked = httpx.options(shared + PATH, headers=PREFLIGHT)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "soapaction" in asked.headers["access-control-allow-headers"].lower()
    answer = call(shared, PAGE)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "Newsletter" in answer.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://shop.example", "https://shop.example.evil"])
def test_no_other_page_may(shared: str, origin: str) -> None:
    asked = httpx.options(shared + PATH, headers={**PREFLIGHT, "Origin": origin})
    assert "access-control-allow-origin" not in asked.headers
    answer = call(shared, origin)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_nobody_may_by_default(served: Any) -> None:
    assert httpx.options(served.base + PATH, headers=PREFLIGHT).status_code == 405
    assert call(served.base, PAGE).status_code == 403
    assert call(served.base, served.base).status_code == 200


def test_a_page_of_the_log(served: Any) -> None:
    """The refusals of foreign pages leave no stack trace."""
    assert "Traceback" not in Path(f"{served.data}.log").read_text()
