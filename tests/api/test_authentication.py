"""Who may call: logons by Basic, and texts in a request that no database can hold."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from soapstone.accounts import logon
from soapstone.accounts.account import Account
from soapstone.accounts.logon import RETRY_SECONDS
from soapstone.product import Product

STRANGE = "198.51.100.7"


def basic(pair: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


@pytest.mark.parametrize(
    "pair", [b"nul\0:x", b"\0:\0", b":", b"no colon", b"\xff:x", b"\xed\xa0\x80:x", b"x" * 5000 + b":x"]
)
def test_names_that_cannot_be_stored_are_wrong_names(client: Any, pair: bytes) -> None:
    answer = client(auth=None).get("/account", headers=basic(pair))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_what_is_no_base64_is_a_wrong_logon(client: Any) -> None:
    for header in ("Basic", "Basic %%%", "Basic \xe9", "Bearer \0", "Bearer " + "x" * 5000):
        answer = client(auth=None).get("/account", headers={"Authorization": header.encode("latin-1")})
        assert answer.status_code == 401, header


def test_names_and_passwords_are_utf_8(client: Any, product: Product, account: Account) -> None:
    """RFC 7617 2.1: as the challenge says."""
    product.accounts.add_login(account, "Zoë", "pässwörd €")
    answer = client(auth=None).get("/account", headers=basic("zoë:pässwörd €".encode()))
    assert answer.json()["login"] == "Zoë"


def test_a_full_queue_is_503(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose pair is remembered goes on, and so does one from a known address."""
    known = client()
    assert known.get("/account").status_code == 200
    monkeypatch.setattr(logon, "MOST_WAITING", 0)
    answer = client(peer=STRANGE, auth=("ann", "wrong")).get("/account")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(RETRY_SECONDS)
    assert "Try again" in answer.json()["detail"]
    assert known.get("/account").status_code == 200
    assert client(auth=("ann", "wrong")).get("/account").status_code == 401


def test_lk_13_a_token_goes_on_while_its_login_is_locked(
    client: Any, product: Product, account: Account, login: Any
) -> None:
    _, secret = product.tokens.add(account, login, "a program")
    with_token = client(peer=STRANGE, auth=None)
    with_token.headers["Authorization"] = f"Bearer {secret}"
    for expected in [401] * 10 + [403]:
        assert client(peer=STRANGE, auth=("ann", "wrong")).get("/account").status_code == expected
    assert client(peer=STRANGE).get("/account").status_code == 403
    assert with_token.get("/account").status_code == 200


UNSTORABLE = ("a%00b", "%ED%A0%80")


def operations(app: Any) -> list[tuple[str, str, dict[str, Any]]]:
    described = app.openapi()["paths"]
    return [(path, method, each) for path, methods in described.items() for method, each in methods.items()]


def test_no_parameter_takes_a_text_that_breaks_the_database(app: Any, api: httpx.Client) -> None:
    """Every path and query parameter of every operation, each with NUL and half a character."""
    asked = 0
    for path, method, operation in operations(app):
        parameters = [each for each in operation.get("parameters", []) if each["in"] in ("path", "query")]
        for wrong in parameters:
            for text in UNSTORABLE:
                url, query = path.removeprefix("/api/v1"), ""
                for each in parameters:
                    value = text if each is wrong else "1"
                    if each["in"] == "path":
                        url = url.replace(f"{{{each['name']}}}", value)
                    elif each is wrong:
                        query = f"?{each['name']}={value}"
                    elif each.get("required"):
                        query += f"{'&' if query else '?'}{each['name']}=someone%40example.com"
                answer = api.request(method, url + query, json={} if operation.get("requestBody") else None)
                assert answer.status_code < 500, (method, url + query, answer.text)
                asked += 1
    assert asked > 100


@pytest.mark.parametrize("character", ["\0", "\ud800"])
@pytest.mark.parametrize(
    ("method", "path", "given", "name"),
    [
        ("PATCH", "/account", {}, "field_labels"),
        ("POST", "/contacts", {"email": "ann@example.com"}, "fields"),
        ("POST", "/searches", {"name": "n"}, "criteria"),
    ],
)
def test_no_name_of_a_member_breaks_the_database(
    api: httpx.Client, character: str, method: str, path: str, given: dict[str, Any], name: str
) -> None:
    content = json.dumps({**given, name: {f"first_name{character}": "x"}})
    answer = api.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
