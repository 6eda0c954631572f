"""Which calls of the contracts an account finds in its console."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.product import Product
from soapstone.server import Application

if TYPE_CHECKING:
    from tests.console.conftest import Browser, Customer

ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">{}</s:Envelope>'


def call(app: Browser, path: str, action: str, body: str) -> httpx.Response:
    headers = {"Content-Type": "text/xml", "SOAPAction": f'"{action}"'}
    return app._ask("POST", path, headers=headers, content=ENVELOPE.format(body))


def test_an_account_sees_its_logons_and_calls_and_no_refused_ones(
    browser: Browser, product: Product, acme: Customer, other: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    app = type(browser)(Application(product))
    namespace = MAGNETMAIL.namespace

    def log_on(name: str, password: str) -> str:
        inner = f"<username>{name}</username><password>{password}</password>"
        body = f'<s:Body><Authenticate xmlns="{namespace}">{inner}</Authenticate></s:Body>'
        return call(app, MAGNETMAIL.path, f"{namespace}Authenticate", body).text

    def lists(name: str, password: str) -> str:
        namespace = LISTRAK.namespace
        user = f"<UserName>{name}</UserName><Password>{password}</Password>"
        body = f'<s:Header><WSUser xmlns="{namespace}">{user}</WSUser></s:Header>'
        body += f'<s:Body><GetContactListCollection xmlns="{namespace}"/></s:Body>'
        return call(app, LISTRAK.path, f"{namespace}GetContactListCollection", body).text

    assert "<authenticated>true</authenticated>" in log_on("ann", "secret")
    assert "ACME" in lists("ann", "secret")
    with caplog.at_level(logging.INFO):
        assert "<authenticated>false</authenticated>" in log_on("ann", "wrong")
        assert "[InvalidLogonAttempt]" in lists("olaf", "wrong")
    told = [each.__dict__ for each in caplog.records if each.getMessage() == "call without a known login"]
    assert [(each["address"], each["operation"], each["status"]) for each in told] == [
        ("192.0.2.7", "Authenticate", 200),
        ("192.0.2.7", "GetContactListCollection", 500),
    ]
    assert "wrong" not in caplog.text
    own = app.log_in("ann").read("/live")
    assert own.count("Authenticate<br>") == 1
    assert own.count("GetContactListCollection<br>") == 1
    assert own.count("ACME/ann<br>") == 2
    assert "InvalidLogonAttempt" not in own
    assert "No program has called" in type(browser)(app._app).log_in("olaf").read("/live")
