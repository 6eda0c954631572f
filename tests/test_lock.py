"""The lock and the hashing queue in every interface of one server (lk-13)."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from soapstone.accounts import logon
from soapstone.accounts.account import Account
from soapstone.accounts.logon import RETRY_SECONDS
from soapstone.product import Product
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store.database import Database

SOURCE = Path(__file__).parent.parent / "src" / "soapstone"
CODES = ("LoginAttemptsExceeded", "InvalidLogonAttempt", "ProhibitedIPAddress")
HOME, STRANGE, PROXY = "192.0.2.1", "198.51.100.7", "203.0.113.1"
SOAP = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">{}</s:Envelope>'
LISTRAK = "http://webservices.listrak.com/v31/"
MAGNETMAIL = "http://www.magnetmail.net/"

Ask = Callable[..., httpx.Response]


class Server:
    """The application, asked from any address."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._app = Application(product)

    def ask(self, peer: str, method: str, path: str, **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False, client=(peer, 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, **request)

        return asyncio.run(ask())

    def soap(self, peer: str, path: str, action: str, header: str, body: str) -> httpx.Response:
        envelope = SOAP.format(f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body>")
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
        return self.ask(peer, "POST", path, content=envelope.encode(), headers=headers)


@pytest.fixture
def server(database: Database, account: Account, tmp_path: Path) -> Server:
    product = Product.open(Settings(data_dir=tmp_path / "data", trusted_proxies=[PROXY]), database)
    product.accounts.add_login(account, "ann", "secret")
    return Server(product)


def listrak(server: Server, name: str, password: str, peer: str) -> httpx.Response:
    header = f'<WSUser xmlns="{LISTRAK}"><UserName>{name}</UserName><Password>{password}</Password></WSUser>'
    body = f'<GetContactListCollection xmlns="{LISTRAK}"/>'
    return server.soap(peer, "/v31/integrationservice.asmx", f"{LISTRAK}GetContactListCollection", header, body)


def magnetmail(server: Server, name: str, password: str, peer: str) -> httpx.Response:
    members = f"<username>{name}</username><password>{password}</password>"
    body = f'<Authenticate xmlns="{MAGNETMAIL}">{members}</Authenticate>'
    return server.soap(peer, "/mmapi.asmx", f"{MAGNETMAIL}Authenticate", "", body)


def xml_over_http(server: Server, name: str, password: str, peer: str) -> httpx.Response:
    body = f"<SendToList><UserName>{name}</UserName><Password>{password}</Password><ListID>9</ListID></SendToList>"
    return server.ask(peer, "POST", "/xml/SendToList", content=body, headers={"Content-Type": "text/xml"})


def rest(server: Server, name: str, password: str, peer: str) -> httpx.Response:
    return server.ask(peer, "GET", "/api/v1/account", auth=(name, password))


def console(server: Server, name: str, password: str, peer: str) -> httpx.Response:
    return server.ask(peer, "POST", "/login", data={"name": name, "password": password})


# Interface → status and words of: in, wrong, locked, busy.
INTERFACES: dict[Ask, dict[str, tuple[int, str]]] = {
    listrak: {
        "in": (200, "GetContactListCollectionResponse"),
        "wrong": (500, "[InvalidLogonAttempt]"),
        "locked": (500, "[LoginAttemptsExceeded]"),
        "busy": (500, "Try again"),
    },
    magnetmail: {
        "in": (200, "<authenticated>true"),
        "wrong": (200, "<authenticated>false"),
        "locked": (200, "<authenticated>false"),
        "busy": (500, "Try again"),
    },
    xml_over_http: {
        "in": (404, "List 9 does not exist"),
        "wrong": (401, "[InvalidLogonAttempt]"),
        "locked": (403, "[LoginAttemptsExceeded]"),
        "busy": (503, "Try again"),
    },
    rest: {
        "in": (200, '"login":"ann"'),
        "wrong": (401, "needed"),
        "locked": (403, "locked"),
        "busy": (503, "Try again"),
    },
    console: {
        "in": (303, ""),
        "wrong": (403, "not right"),
        "locked": (403, "locked"),
        "busy": (503, "Try again"),
    },
}


@pytest.mark.parametrize("ask", INTERFACES, ids=lambda each: each.__name__)
def test_lk_13_the_lock_in_every_interface(server: Server, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-11, mm-12: Authenticate answers alike."""
    monkeypatch.setattr("soapstone.magnetmail.sessions.LATE_SECONDS", 0)
    answers = INTERFACES[ask]

    def expect(what: str, password: str, peer: str) -> None:
        answer = ask(server, "ann", password, peer)
        status, words = answers[what]
        assert answer.status_code == status, answer.text
        assert words in answer.text

    expect("in", "secret", HOME)
    for _ in range(10):
        expect("wrong", "wrong", STRANGE)
    expect("locked", "secret", STRANGE)
    expect("locked", "secret", PROXY)
    expect("in", "secret", HOME)
    for _ in range(10):
        expect("wrong", "wrong", HOME)
    expect("locked", "secret", HOME)


@pytest.mark.parametrize("ask", INTERFACES, ids=lambda each: each.__name__)
def test_a_full_queue_in_every_interface(server: Server, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """asmx-20: toolkits read a fault from a 500 only. A client whose pair is remembered goes on."""
    answers = INTERFACES[ask]
    assert ask(server, "ann", "secret", HOME).status_code == answers["in"][0]
    monkeypatch.setattr(logon, "MOST_WAITING", 0)
    monkeypatch.setattr("soapstone.server.REFUSAL_PAUSE", 0.0)
    for _ in range(11):
        answer = ask(server, "ann", "wrong", STRANGE)
        status, words = answers["busy"]
        assert answer.status_code == status, answer.text
        assert words in answer.text
        assert answer.headers["Retry-After"] == str(RETRY_SECONDS)
        assert not any(code in answer.text for code in CODES)
    answer = ask(server, "ann", "secret", HOME)
    assert (answer.status_code, answers["in"][1] in answer.text) == (answers["in"][0], True)
    monkeypatch.undo()
    assert ask(server, "ann", "secret", STRANGE).status_code == answers["in"][0], "a full queue is no failure"


def test_lk_13_an_open_session_goes_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soapstone.magnetmail.sessions.LATE_SECONDS", 0)
    found = re.search("<sessionId>(.*)</sessionId>", magnetmail(server, "ann", "secret", STRANGE).text)
    assert found is not None
    for _ in range(11):
        magnetmail(server, "ann", "wrong", STRANGE)
    assert "<authenticated>false" in magnetmail(server, "ann", "secret", STRANGE).text
    header = f'<mmAuthHeader xmlns="{MAGNETMAIL}"><sessionId>{found[1]}</sessionId></mmAuthHeader>'
    body = f'<getGroups xmlns="{MAGNETMAIL}"/>'
    answer = server.soap(STRANGE, "/mmapi.asmx", f"{MAGNETMAIL}getGroups", header, body)
    assert answer.status_code == 200


def test_lk_13_the_three_codes_are_in_no_other_text() -> None:
    """Clients look for them anywhere in an answer: only the refusals of a logon may hold one."""
    found = []
    for path in sorted(SOURCE.rglob("*")):
        if path.suffix == ".py":
            docstrings = set()
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
                    first = node.body[0]
                    docstrings.add(first.value if isinstance(first, ast.Expr) else None)
            texts = [
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings
            ]
        elif path.suffix in (".html", ".js", ".css", ".txt", ".sql", ".xml"):
            texts = [path.read_text(encoding="utf-8")]
        else:
            continue
        found += [(path.relative_to(SOURCE).as_posix(), code) for text in texts for code in CODES if code in text]
    # Metrics count faults by their codes; their page is for monitors and has no answer of a client.
    assert sorted(place for place in set(found) if place[0] != "metrics.py") == [
        (place, code) for place in ("listrak/call.py", "xmlhttp/refusal.py") for code in sorted(CODES)
    ]
