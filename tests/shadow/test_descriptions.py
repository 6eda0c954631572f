"""Descriptions name the shadow as the service (asmx-2)."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.conftest import LocalServed
from tests.shadow.conftest import LISTRAK, MAGNETMAIL, shadowing

from soapstone.shadow import proxy
from soapstone.shadow.descriptions import renamed


@pytest.mark.parametrize("path", [MAGNETMAIL[0], LISTRAK[0]])
@pytest.mark.parametrize("query", ["WSDL", "wsdl", "disco"])
def test_only_the_server_changes(live: LocalServed, folder: Path, path: str, query: str) -> None:
    with shadowing(live.base, folder) as shadow:
        theirs, ours = (httpx.get(f"{base}{path}?{query}") for base in (live.base, shadow.base))
        page, their_page = (httpx.get(f"{base}{path}").text for base in (shadow.base, live.base))
    assert live.base in theirs.text
    assert ours.text == theirs.text.replace(live.base, shadow.base)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert page == their_page


def test_a_proxy_before_it_tells_the_url(live: LocalServed, folder: Path) -> None:
    given = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.vendor.example"}
    with shadowing(live.base, folder, trusted=["127.0.0.1"]) as shadow:
        answer = httpx.get(f"{shadow.base}{LISTRAK[0]}?wsdl", headers=given)
    assert f'location="https://api.vendor.example{LISTRAK[0]}"' in answer.text
    assert live.base not in answer.text


def test_one_that_is_too_long_passes_as_it_is(live: LocalServed, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "LARGEST", 1_000)
    with shadowing(live.base, folder) as shadow:
        theirs, ours = (httpx.get(f"{base}{LISTRAK[0]}?wsdl") for base in (live.base, shadow.base))
    assert ours.content == theirs.content


def test_urls_of_other_paths_stay() -> None:
    text = (
        b'<a location="HTTP://old.example:80/Mm.asmx"/><b ref="http://old.example/mm.asmx?wsdl" x="http://n.example/"/>'
    )
    want = b'<a location="http://new:1/Mm.asmx"/><b ref="http://new:1/mm.asmx?wsdl" x="http://n.example/"/>'
    assert renamed(text, b"/mm.asmx", "http://new:1") == want
