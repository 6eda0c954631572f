"""Calls from pages of other sites (lk-7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import locally_served

from soapstone.api.authentication import OwnPages
from soapstone.console.security_headers import Guard
from soapstone.http.client_address import Origins

PAGE = "https://shop.example"
PATH = "/v31/IntegrationService.asmx"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "soapaction"}


@pytest.fixture(scope="module")
def shared(demo_records: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a server that allows one origin."""
    data = tmp_path_factory.mktemp("shared") / "data"
    with locally_served(data, demo_records, allowed_origins=[PAGE]) as running:
        yield running.base


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


XML = """<SendToList><UserName>demo</UserName><Password>demo</Password><ListID>1</ListID>
    <Message><Subject>Hello</Subject><TextBody>From another site.</TextBody></Message></SendToList>"""
ACCESS = ("demo", "demo")


def calls(base: str, headers: dict[str, str]) -> dict[str, httpx.Response]:
    """A call of every interface that a form or a script of a page can make."""
    file, field = (
        {"file": ("people.csv", b"Email\nann@example.com\n", "text/csv")},
        {"request": (None, XML, "text/xml")},
    )
    lists, sends = f"{base}/api/v1/lists/1", f"{base}/xml/SendToList"
    plain, xml = {**headers, "Content-Type": "text/plain"}, {**headers, "Content-Type": "text/xml"}
    return {
        "a form with a file": httpx.post(f"{lists}/imports", files=file, headers=headers, auth=ACCESS),
        "a file as text": httpx.post(f"{lists}/imports", content="Email\n", headers=plain, auth=ACCESS),
        "JSON": httpx.post(f"{lists}/subscriptions", json={"email": "a@example.com"}, headers=headers, auth=ACCESS),
        "a deletion": httpx.delete(f"{lists}/subscriptions/b@example.com", headers=headers, auth=ACCESS),
        "a form with XML": httpx.post(sends, files=field, headers=headers),
        "XML": httpx.post(sends, content=XML, headers=xml),
    }


FOREIGN = [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_lk_7_rest_and_xml_over_http_refuse_other_pages_too(served: Any, headers: dict[str, str]) -> None:
    for what, answer in calls(served.base, headers).items():
        assert answer.status_code == 403, what
        assert "access-control-allow-origin" not in answer.headers
        if answer.url.path.startswith("/api/"):
            assert answer.headers["content-type"] == "application/problem+json"
            assert "page of another site" in answer.json()["detail"]
        else:
            assert answer.headers["content-type"].startswith("application/xml")
            assert "<Code>AccessDenied</Code><Description>[AccessDenied] This call comes from a page" in answer.text


@pytest.mark.parametrize("headers", [{}, {"Origin": "OWN"}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
def test_their_own_pages_and_programs_may_call_them(served: Any, headers: dict[str, str]) -> None:
    own = {name: value.replace("OWN", served.base) for name, value in headers.items()}
    assert {what: answer.status_code for what, answer in calls(served.base, own).items()} == {
        "a form with a file": 202,
        "a file as text": 202,
        "JSON": 200,
        "a deletion": 404,
        "a form with XML": 200,
        "XML": 200,
    }


def test_an_allowed_page_may_call_all_interfaces(shared: str) -> None:
    for what, answer in calls(shared, {"Origin": PAGE}).items():
        assert answer.status_code in (200, 202, 404), what
        assert answer.headers["access-control-allow-origin"] == PAGE, what
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,content-type"}
    for path in ("/api/v1/lists/1", "/xml/SendToList"):
        for origin, status in ((PAGE, 200), ("https://evil.example", 400)):
            told = httpx.options(shared + path, headers={**asked, "Origin": origin})
            assert told.status_code == status, path
            assert told.headers.get("access-control-allow-origin") == (PAGE if status == 200 else None)


def test_an_allowed_page_may_not_call_the_console(shared: str) -> None:
    answer = httpx.post(f"{shared}/login", data={"name": "demo", "password": "demo"}, headers={"Origin": PAGE})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_mail_programs_unsubscribe_from_anywhere(served: Any) -> None:
    """A link is a secret of its own, and the page behind it posts without naming its origin (RFC 8058 3.1)."""
    for headers in FOREIGN:
        answer = httpx.post(f"{served.base}/u/unknown", data={"List-Unsubscribe": "One-Click"}, headers=headers)
        assert answer.status_code == 404


def test_a_page_of_the_log(served: Any) -> None:
    """The refusals of foreign pages leave no stack trace."""
    assert "Traceback" not in served.log()


def test_frameworks_see_no_cookies() -> None:
    """They would read all of them, however long that takes."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    headers = [(b"host", b"x"), (b"cookie", b'a="\\1"; soapstone_session = abc; b'), (b"cookie", b"c=d")]
    scope = {"type": "http", "method": "GET", "headers": headers, "client": ("127.0.0.1", 4711)}
    for wrapped in (Guard(app, public_url="", trusted_proxies=()), OwnPages(app, origins=Origins(()))):
        asyncio.run(wrapped(dict(scope), None, None))  # type: ignore[arg-type]
    assert [each["headers"] for each in seen] == [[(b"host", b"x")]] * 2
    assert seen[0]["session_token"] == "abc"
