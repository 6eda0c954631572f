"""The address behind a proxy is the same in all interfaces, however its header is cut into lines (asmx-5, lk-9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from soapstone.accounts.account import Account
from soapstone.listrak.operations import CONTRACT
from soapstone.product import Product
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store.database import Database

PROXY = "10.0.0.1"
HERE, ELSEWHERE = "203.0.113.9", "198.51.100.1"

Call = Callable[..., dict[str, bool]]


@pytest.fixture
def clear_opt_outs(database: Database, account: Account, tmp_path: Path) -> Call:
    """Calls all interfaces of an account that allows one network; which ones let the caller in."""
    settings = Settings(data_dir=tmp_path / "data", trusted_proxies=[PROXY])
    settings.mail.mkdir(parents=True)
    product = Product.open(settings, database)
    product.accounts.add_login(account, "ann", "secret")
    product.accounts.allow_addresses(account, ["203.0.113.0/24"])
    app = Application(product)
    names = CONTRACT.namespace
    header = f'<WSUser xmlns="{names}"><UserName>ann</UserName><Password>secret</Password></WSUser>'
    envelope = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>{header}</e:Header>
        <e:Body><GetContactListCollection xmlns="{names}"/></e:Body></e:Envelope>"""
    xml = """<SendToList><UserName>ann</UserName><Password>secret</Password><ListID>1</ListID>
        <Message><SavedMsgID>1</SavedMsgID></Message></SendToList>"""
    form = {"name": "ann", "password": "secret"}

    def ask(lines: list[str], peer: str | None, method: str, path: str, **request: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(_Peer(app, peer))
            async with httpx.AsyncClient(transport=transport, base_url="http://lists.example") as client:
                given = [*request.pop("headers", {}).items(), *(("X-Forwarded-For", line) for line in lines)]
                return await client.request(method, path, headers=given, **request)

        return asyncio.run(send())

    def call(*lines: str, peer: str | None = PROXY) -> dict[str, bool]:
        sent = list(lines)
        soap = {"Content-Type": "text/xml", "SOAPAction": f'"{names}GetContactListCollection"'}
        listrak = ask(sent, peer, "POST", CONTRACT.path, content=envelope, headers=soap)
        over_http = ask(sent, peer, "POST", "/xml/SendToList", content=xml, headers={"Content-Type": "text/xml"})
        return {
            "SOAP": "ProhibitedIPAddress" not in listrak.text,
            "XML over HTTP": "ProhibitedIPAddress" not in over_http.text,
            "REST": ask(sent, peer, "GET", "/api/v1/lists", auth=("ann", "secret")).status_code == 200,
            "console": ask(sent, peer, "POST", "/login", data=form).status_code == 303,
        }

    return call


class _Peer:
    """An app that is called from an address, or from none that is known."""

    def __init__(self, app: Application, peer: str | None) -> None:
        self._app, self._peer = app, peer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "client": None if self._peer is None else (self._peer, 4711)}, receive, send)


def test_the_last_line_counts(clear_opt_outs: Call) -> None:
    """As HAProxy adds it, behind what the caller wrote."""
    assert clear_opt_outs(ELSEWHERE, HERE) == dict.fromkeys(("SOAP", "XML over HTTP", "REST", "console"), True)
    assert clear_opt_outs(HERE, ELSEWHERE) == dict.fromkeys(("SOAP", "XML over HTTP", "REST", "console"), False)


def test_the_last_address_of_a_line_counts(clear_opt_outs: Call) -> None:
    """As nginx and Apache add it."""
    assert set(clear_opt_outs(f"{ELSEWHERE}, {HERE}").values()) == {True}
    assert set(clear_opt_outs(f"{HERE}, {ELSEWHERE}:443").values()) == {False}


def test_lk_9_a_caller_without_an_address_comes_from_no_network(clear_opt_outs: Call) -> None:
    """The connection may be gone before the server asks whose it is."""
    assert set(clear_opt_outs(HERE, peer=None).values()) == {False}
