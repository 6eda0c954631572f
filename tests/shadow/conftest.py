"""A shadow before a live service, and calls as clients send them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import LocalServed, locally_served

from soapstone.listening import listen
from soapstone.local_server import serving
from soapstone.settings import Settings
from soapstone.shadow.feed import Feed
from soapstone.shadow.serving import Pages, shadow_app

MAGNETMAIL = ("/mmapi.asmx", "http://www.magnetmail.net/")
LISTRAK = ("/v31/IntegrationService.asmx", "http://webservices.listrak.com/v31/")
ACCOUNT, LOGIN, PASSWORD = "ACME", "acme-user", "old secret 17"
SECONDS = 120


def wait_for(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@dataclass
class Client:
    """A client of both contracts."""

    base: str
    name: str = LOGIN
    password: str = PASSWORD
    session: str = ""
    sent: list[str] = field(default_factory=list)

    def listrak(self, operation: str, inner: str = "") -> str:
        header = f"<UserName>{self.name}</UserName><Password>{self.password}</Password>"
        return self.call(LISTRAK, operation, inner, f'<WSUser xmlns="{LISTRAK[1]}">{header}</WSUser>').text

    def magnetmail(self, operation: str, inner: str = "") -> str:
        session = f"<user_id>{ACCOUNT}</user_id><sessionId>{self.session}</sessionId>"
        header = f'<mmAuthHeader xmlns="{MAGNETMAIL[1]}">{session}</mmAuthHeader>'
        return self.call(MAGNETMAIL, operation, f"<user_id>{ACCOUNT}</user_id>{inner}", header).text

    def log_in(self) -> str:
        inner = f"<username>{self.name}</username><password>{self.password}</password>"
        answer = self.call(MAGNETMAIL, "Authenticate", inner, "").text
        self.session = answer.partition("<sessionId>")[2].partition("</sessionId>")[0]
        return answer

    def call(self, contract: tuple[str, str], operation: str, inner: str, header: str) -> httpx.Response:
        path, namespace = contract
        body = (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
            f"<soap:Header>{header}</soap:Header>"
            f'<soap:Body><{operation} xmlns="{namespace}">{inner}</{operation}></soap:Body></soap:Envelope>'
        )
        self.sent.append(body)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{namespace}{operation}"'}
        with httpx.Client(timeout=SECONDS) as client:
            return client.post(self.base + path, content=body.encode(), headers=headers)


@dataclass
class Shadow:
    """A shadow that runs."""

    base: str
    folder: Path
    feed: Feed
    pages: Pages

    def report(self, calls: int) -> dict[str, Any]:
        """The report, once it has this many calls."""
        wait_for(lambda: self.pages.document()["calls"] >= calls, f"no {calls} calls: {self.pages.document()}")
        return self.pages.document()


@contextmanager
def shadowing(live: str, folder: Path, record: Path | None = None, **options: Any) -> Iterator[Shadow]:
    app, feed, pages = shadow_app(folder, live, record, **options)
    with listen("127.0.0.1", 0) as listener, serving(app, listener, Settings(data_dir=folder), date_header=False):
        yield Shadow(f"http://127.0.0.1:{listener.getsockname()[1]}", folder, feed, pages)


def found(document: dict[str, Any], agreement: str) -> set[str]:
    """`operation place` of all members that compare so."""
    return {
        f"{name.partition(': ')[2]} {place}"
        for name, entry in document["operations"].items()
        for place, counts in entry["members"].items()
        if counts.get(agreement)
    }


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServed]:
    """The live service: a server of ours whose numbers are far from those of new records."""
    with locally_served(tmp_path_factory.mktemp("live") / "data", demo=False, time_zone="Europe/Athens") as running:
        product = running.product
        for name, login, password in (("OTHER", "other", "other"), (ACCOUNT, LOGIN, PASSWORD)):
            account = product.accounts.create(name, time_zone="Europe/Athens")
            product.accounts.add_login(account, login, password)
            if name == "OTHER":
                for number in range(20):
                    product.lists.create(account.id, f"List {number}")
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shadow"
